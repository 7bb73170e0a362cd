using System.Numerics;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Linux.Memory;

/// <summary>Copying the memory of a process for fork: only pages that were touched.</summary>
public sealed unsafe partial class ProcessMemory
{
    /// <summary>A copy for a new process, or null when there is not enough memory.</summary>
    public ProcessMemory? Fork(ITranslator? translator)
    {
        lock (Space.Lock)
        {
            var committed = List.LengthOf(static area => area.Committed && (area.Traits & AreaTraits.NotForked) == 0);
            if (Commit?.TryTake(committed) == false)
                return null;
            ProcessMemory child;
            try
            {
                child = new ProcessMemory(Space.Is32Bit, translator, BitOperations.Log2(Space.WindowSize))
                {
                    Program = Program,
                    Commit = Commit,
                    Objects = Objects,
                    Ending = Ending,
                    Meter = Meter,
                    AddressLimit = AddressLimit,
                    DataLimit = DataLimit,
                    StackLimit = StackLimit,
                    HeapProtection = HeapProtection,
                    MapEnd = MapEnd,
                    BreakStart = BreakStart,
                    Break = Break,
                    SigreturnPage = SigreturnPage,
                };
            }
            catch (OutOfMemoryException)
            {
                // The host has no room for another window.
                Commit?.Give(committed);
                return null;
            }

            child.LocalDescriptors.CopyFrom(LocalDescriptors);
            try
            {
                lock (child.Space.Lock)
                {
                    for (var i = 0; i < List.Count; i++)
                        if ((List[i].Traits & AreaTraits.NotForked) == 0)
                            CopyArea(List[i], child);
                }
            }
            catch (OutOfMemoryException)
            {
                // The areas that it has got by now give back what they have taken.
                Commit?.Give(committed - child.List.LengthOf(static area => area.Committed));
                child.RemoveUser();
                return null;
            }

            return child;
        }
    }

    /// <summary>How much of an area has memory of the host: pages of the host are counted, whatever the guest's own bookkeeping says.</summary>
    internal MemoryUse UseOf(MemoryArea area)
    {
        const int Batch = 512;
        var entries = stackalloc ulong[Batch];
        var use = default(MemoryUse);
        if (!TryAddUser())
            return use;
        foreach (var piece in Space.HostPieces(area.Start, area.Length, make: false))
        {
            var pages = piece.Length / Page;
            for (ulong done = 0; done < pages && HostMapping.PageMap >= 0;)
            {
                var count = (int)Math.Min(Batch, pages - done);
                var at = (long)((((ulong)piece.Host / Page) + done) * sizeof(ulong));
                if (HostCalls.Call(HostSys.Pread64, HostMapping.PageMap, (nint)entries, count * sizeof(ulong), at) != count * sizeof(ulong))
                    break;
                Add(new ReadOnlySpan<ulong>(entries, count), ref use);
                done += (ulong)count;
            }
        }

        RemoveUser();
        if (area.IsLocked)
            use.Locked = use.Present;
        return use;
    }

    // Counts entries of the host's page map.
    private static void Add(ReadOnlySpan<ulong> entries, ref MemoryUse use)
    {
        foreach (var entry in entries)
        {
            if ((entry & HostMapping.Swapped) != 0)
                use.Swapped++;
            if ((entry & HostMapping.Present) == 0)
                continue;
            use.Present++;
            if ((entry & HostMapping.FileOrShared) == 0)
                use.Anonymous++;
        }
    }

    private void CopyArea(MemoryArea area, ProcessMemory child)
    {
        area.File?.AddReference();
        child.List.Append(area with { Traits = area.Traits & ~AreaTraits.NotInherited });
        var fileEnd = HostMapping.FileEnd(area);

        // A shared mapping keeps its rights even where the file (sealed since) would not give them again.
        if (area.File != null && HostMapping.Put(child.Space, area, area.Start, area.End) < 0 && area.IsShared)
            HostMapping.TryDuplicate(Space, area.Start, child.Space, area.Start, area.Length);
        if (!area.IsShared && (area.Traits & AreaTraits.WipedByFork) == 0)
            HostMapping.CopyTouched(Space, area.Start, child.Space, area.Start, fileEnd - area.Start, area.File != null);
        child.PermitNew(area, fileEnd);
    }
}

/// <summary>Pages of a mapping that have memory.</summary>
internal struct MemoryUse
{
    /// <summary>Pages in memory.</summary>
    public ulong Present;

    /// <summary>Of these, those that are no file's.</summary>
    public ulong Anonymous;

    /// <summary>Pages in swap.</summary>
    public ulong Swapped;

    /// <summary>Pages in memory that are locked there.</summary>
    public ulong Locked;

    /// <summary>Sums.</summary>
    public static MemoryUse operator +(MemoryUse a, MemoryUse b) =>
        new() { Present = a.Present + b.Present, Anonymous = a.Anonymous + b.Anonymous, Swapped = a.Swapped + b.Swapped, Locked = a.Locked + b.Locked };
}
