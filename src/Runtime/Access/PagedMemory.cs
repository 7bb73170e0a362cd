using System.Diagnostics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Paging;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Access;

/// <summary>
/// The slow path of accesses by linear addresses that are translated (<see cref="Mmu"/>): page walks, page crossings, devices, pages that hold
/// translated code. Every access is all or nothing as far as exceptions go: all its pages are translated before the first byte moves.
/// </summary>
internal static unsafe class PagedMemory
{
    // Larger operands than a page do not exist: fxsave is the largest.
    private const int MaxPages = 2;

    // The widest access of a device's register.
    private const int BusWidth = 8;

    /// <summary>Reads; false with the exception pending.</summary>
    public static bool Read(CpuState* s, ulong linear, byte* destination, int size, AccessIntent intent)
    {
        var pieces = stackalloc ulong[MaxPages];
        if (!TryTranslate(s, linear, size, PageAccess.Read, intent, pieces, out var first))
            return false;
        ReadPiece(s, pieces[0], destination, first);
        if (first < size)
            ReadPiece(s, pieces[1], destination + first, size - first);
        return true;
    }

    /// <summary>Writes.</summary>
    public static StoreResult Write(CpuState* s, ulong linear, byte* source, int size, AccessIntent intent)
    {
        var pieces = stackalloc ulong[MaxPages];
        if (!TryTranslate(s, linear, size, PageAccess.Write, intent, pieces, out var first))
            return StoreResult.Fault;
        var ram = AddressSpace.Of(s);
        var permission = ram.Query(pieces[0]) | (first < size ? ram.Query(pieces[1]) : PagePermission.None);
        return (permission & PagePermission.HasCode) != 0 || Vcpu.Of(s).UndoLog != null
            ? WriteWatched(s, pieces, first, source, size)
            : WritePieces(s, pieces, first, source, size);
    }

    /// <summary>Checks that an access would succeed; false with the exception pending.</summary>
    public static bool Check(CpuState* s, ulong linear, int size, PageAccess access, AccessIntent intent)
    {
        var pieces = stackalloc ulong[MaxPages];
        return TryTranslate(s, linear, size, access, intent, pieces, out _);
    }

    private static bool TryTranslate(CpuState* s, ulong linear, int size, PageAccess access, AccessIntent intent, ulong* pieces, out int first)
    {
        Debug.Assert(size is > 0 and <= AddressSpace.PageSize, "an operand lies in two pages at most");
        linear = Wrap(s, linear, intent);
        first = Math.Min(size, AddressSpace.PageSize - (int)(linear % AddressSpace.PageSize));
        var isChecked = (s->Mode & (ushort)GuestMode.AlignmentChecked) != 0 && (intent & AccessIntent.Supervisor) == 0;
        if (isChecked && !Alignment.Check(s, linear, size))
            return false;
        var mmu = Mmu.Of(s);
        return mmu.TryTranslate(linear, access, intent, out pieces[0])
            && (first == size || mmu.TryTranslate(Wrap(s, linear + (uint)first, intent), access, intent, out pieces[1]));
    }

    // Linear addresses have the width of the code, except those of descriptor tables in long mode.
    private static ulong Wrap(CpuState* s, ulong linear, AccessIntent intent) =>
        CpuAccess.Mode(s).Is64() || (s->IsLongMode && (intent & AccessIntent.Supervisor) != 0) ? linear : (uint)linear;

    private static void ReadPiece(CpuState* s, ulong physical, byte* destination, int size)
    {
        var ram = AddressSpace.Of(s);
        if ((ram.Query(physical) & PagePermission.Read) != 0)
            Copy(ram.HostAt(physical), destination, size);
        else
            ReadBus(s, physical, destination, size);
    }

    private static StoreResult WritePieces(CpuState* s, ulong* pieces, int first, byte* source, int size)
    {
        WritePiece(s, pieces[0], source, first);
        if (first < size)
            WritePiece(s, pieces[1], source + first, size - first);
        return StoreResult.Done;
    }

    private static void WritePiece(CpuState* s, ulong physical, byte* source, int size)
    {
        var ram = AddressSpace.Of(s);
        if ((ram.Query(physical) & PagePermission.Write) != 0)
            Copy(source, ram.HostAt(physical), size);
        else
            WriteBus(s, physical, source, size);
    }

    // The store may hit translated code, or a lock-step run wants to undo it.
    [UnderHostMxcsr]
    private static StoreResult WriteWatched(CpuState* s, ulong* pieces, int first, byte* source, int size)
    {
        var mxcsr = HostMxcsr.Suspend();
        var vcpu = Vcpu.Of(s);
        var ram = vcpu.Cache.Memory;
        var result = StoreResult.HitsCode;
        lock (ram.Lock)
        {
            if (vcpu.IsStepping || !(vcpu.Cache.HitsCode(pieces[0], first) || (first < size && vcpu.Cache.HitsCode(pieces[1], size - first))))
            {
                LogPiece(vcpu, pieces[0], first);
                ram.DropCode(pieces[0], (ulong)first);
                if (first < size)
                {
                    LogPiece(vcpu, pieces[1], size - first);
                    ram.DropCode(pieces[1], (ulong)(size - first));
                }

                result = WritePieces(s, pieces, first, source, size);
            }
        }

        HostMxcsr.Resume(mxcsr);
        return result;
    }

    private static void LogPiece(Vcpu vcpu, ulong physical, int size)
    {
        if (vcpu.UndoLog == null || (vcpu.Cache.Memory.Query(physical) & PagePermission.Write) == 0)
            return;
        for (var i = 0; i < size; i++)
            vcpu.UndoLog.Add((physical + (uint)i, *vcpu.Cache.Memory.HostAt(physical + (uint)i)));
    }

    // One access of the full width where it can be one, so that a device or another processor never sees half of it.
    private static void Copy(byte* source, byte* destination, int size)
    {
        if (size is 1 or 2 or 4 or 8)
            GuestMemory.Put(destination, size, GuestMemory.Get(source, size));
        else
            Buffer.MemoryCopy(source, destination, size, size);
    }

    [UnderHostMxcsr]
    private static void ReadBus(CpuState* s, ulong physical, byte* destination, int size)
    {
        var mxcsr = HostMxcsr.Suspend();
        var bus = ReachBus(s);
        for (var done = 0; done < size;)
        {
            var width = WidthAt(physical + (uint)done, size - done, size);
            var value = bus == null ? ulong.MaxValue : bus.Read(physical + (uint)done, width);
            GuestMemory.Put(destination + done, width, value);
            done += width;
        }

        HostMxcsr.Resume(mxcsr);
    }

    [UnderHostMxcsr]
    private static void WriteBus(CpuState* s, ulong physical, byte* source, int size)
    {
        var mxcsr = HostMxcsr.Suspend();
        var bus = ReachBus(s);
        for (var done = 0; done < size;)
        {
            var width = WidthAt(physical + (uint)done, size - done, size);
            bus?.Write(physical + (uint)done, width, GuestMemory.Get(source + done, width));
            done += width;
        }

        HostMxcsr.Resume(mxcsr);
    }

    private static IMemoryBus? ReachBus(CpuState* s)
    {
        var vcpu = Vcpu.Of(s);
        vcpu.HasReachedBus = true;
        return vcpu.MemoryBus;
    }

    // An operand as wide as a register goes as a whole, others in the widest pieces that are aligned.
    private static int WidthAt(ulong physical, int left, int size)
    {
        if (size is 1 or 2 or 4 or BusWidth && left == size)
            return size;
        var width = BusWidth;
        while (width > left || physical % (uint)width != 0)
            width /= 2;
        return width;
    }
}
