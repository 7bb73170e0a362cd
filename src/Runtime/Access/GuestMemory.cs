using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Paging;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Access;

/// <summary>Result of the slow path of a store.</summary>
public enum StoreResult
{
    /// <summary>Stored.</summary>
    Done,

    /// <summary>A page fault is pending; nothing was stored.</summary>
    Fault,

    /// <summary>
    /// The bytes belong to translated code; nothing was stored. The executor leaves at the start of the instruction, and the dispatcher
    /// executes it alone, which drops the translations and stores.
    /// </summary>
    HitsCode,
}

/// <summary>
/// Accesses to guest memory: by the pointer that <see cref="MemoryProbe"/> finds, else by the slow path: pages that are not neighbours in the
/// host, pages that hold translated code, wrap-around at 4 GiB, faults. Every access is all or nothing.
/// </summary>
public static unsafe class GuestMemory
{
    // Bytes that the longest operands have that a CPU accesses as a whole; larger images are accessed field by field.
    private const int LargestPiece = 16;

    /// <summary>Reads at most 8 bytes, zero-extended; false with the fault pending.</summary>
    public static bool TryRead(CpuState* s, ulong linear, int size, out ulong value, AccessIntent intent = AccessIntent.None)
    {
        if (MemoryProbe.Fast(s, linear, PagePermission.FastRead, out var host) || (host = MemoryProbe.ForRead(s, linear, size)) != null)
        {
            value = Get(host, size);
            return true;
        }

        ulong read = 0;
        var done = ReadSlow(s, linear, (byte*)&read, size, intent);
        value = read;
        return done;
    }

    /// <summary>Reads into a host buffer; false with the fault pending and nothing copied.</summary>
    public static bool TryRead(CpuState* s, ulong linear, byte* destination, int size, AccessIntent intent = AccessIntent.None)
    {
        var host = MemoryProbe.ForRead(s, linear, size);
        if (host == null)
            return ReadSlow(s, linear, destination, size, intent);
        Buffer.MemoryCopy(host, destination, size, size);
        return true;
    }

    /// <summary>Stores the low <paramref name="size"/> bytes (at most 8) of a value.</summary>
    public static StoreResult Store(CpuState* s, ulong linear, int size, ulong value, AccessIntent intent = AccessIntent.None)
    {
        if (!MemoryProbe.Fast(s, linear, PagePermission.FastWrite, out var host) && (host = MemoryProbe.ForWrite(s, linear, size)) == null)
            return WriteSlow(s, linear, (byte*)&value, size, intent);
        Put(host, size, value);
        return StoreResult.Done;
    }

    /// <summary>Stores bytes from a host buffer.</summary>
    public static StoreResult Store(CpuState* s, ulong linear, byte* source, int size, AccessIntent intent = AccessIntent.None)
    {
        var host = MemoryProbe.ForWrite(s, linear, size);
        if (host == null)
            return WriteSlow(s, linear, source, size, intent);
        CopyWhole(source, host, size);
        return StoreResult.Done;
    }

    /// <summary>
    /// Stores at most 8 bytes; false with the fault pending, or with <see cref="ExecutionState.RestartAlone"/> in its place, and nothing stored:
    /// the helper returns at once and the executor does the rest.
    /// </summary>
    public static bool TryWrite(CpuState* s, ulong linear, int size, ulong value, AccessIntent intent = AccessIntent.None) =>
        Finish(s, Store(s, linear, size, value, intent));

    /// <summary>As <see cref="TryWrite(CpuState*, ulong, int, ulong, AccessIntent)"/> for any number of bytes.</summary>
    public static bool TryWrite(CpuState* s, ulong linear, byte* source, int size, AccessIntent intent = AccessIntent.None) =>
        Finish(s, Store(s, linear, source, size, intent));

    /// <summary>
    /// Checks that a store of <paramref name="size"/> bytes would succeed, for helpers that must know before they change anything.
    /// False with the fault pending.
    /// </summary>
    public static bool CheckWrite(CpuState* s, ulong linear, int size, AccessIntent intent = AccessIntent.None) =>
        s->Execution.Mmu != 0
            ? PagedMemory.Check(s, linear, size, PageAccess.Write, intent)
            : Check(s, AddressSpace.Of(s), linear, size, PagePermission.Write, intent);

    /// <summary>The value of 1, 2, 4 or 8 bytes in the host, zero-extended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Get(byte* host, int size) => size switch { 1 => *host, 2 => *(ushort*)host, 4 => *(uint*)host, _ => *(ulong*)host };

    /// <summary>Stores 1, 2, 4 or 8 bytes in the host, at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Put(byte* host, int size, ulong value)
    {
        switch (size)
        {
            case 1: *host = (byte)value; break;
            case 2: *(ushort*)host = (ushort)value; break;
            case 4: *(uint*)host = (uint)value; break;
            default: *(ulong*)host = value; break;
        }
    }

    /// <summary>
    /// Host pointer to an operand in one page that holds code, for an atomic instruction of the host: between a load and a store
    /// the plain store of another thread would be lost. Nobody makes code of the page until <see cref="LeaveCodePage"/>, which must follow.
    /// Null, and nothing follows, when the operand lies otherwise, may not be written, or belongs to code, or addresses are translated.
    /// </summary>
    [UnderHostMxcsr]
    internal static byte* EnterCodePage(CpuState* s, ulong linear, int size)
    {
        var vcpu = Vcpu.Of(s);
        var space = vcpu.Cache.Memory;
        var isAligned = (s->Mode & (ushort)GuestMode.AlignmentChecked) == 0 || Alignment.IsAligned(linear, size);
        if (s->Execution.Mmu != 0 || !isAligned || linear != Wrap(s, linear) || (linear % AddressSpace.PageSize) + (uint)size > AddressSpace.PageSize || vcpu.UndoLog != null)
            return null;
        var mxcsr = HostMxcsr.Suspend();
        space.Lock.Enter();
        var allowed = (space.Query(linear) & PagePermission.Write) != 0;
        if (allowed && vcpu.Cache.HitsCode(linear, size))
        {
            allowed = vcpu.IsStepping;
            if (allowed)
                space.DropCode(linear, (ulong)size);
        }

        if (!allowed)
            space.Lock.Exit();
        HostMxcsr.Resume(mxcsr);
        return allowed ? space.HostAt(linear) : null;
    }

    /// <summary>The operand of <see cref="EnterCodePage"/> has been written.</summary>
    [UnderHostMxcsr]
    internal static void LeaveCodePage(CpuState* s, ulong linear, int size)
    {
        var mxcsr = HostMxcsr.Suspend();
        var space = Vcpu.Of(s).Cache.Memory;
        var elsewhere = space.CodeElsewhere(linear, (ulong)size);
        space.UnmarkUnused(linear);
        space.Lock.Exit();
        CodeHit.DropAll(elsewhere);
        HostMxcsr.Resume(mxcsr);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool ReadSlow(CpuState* s, ulong linear, byte* destination, int size, AccessIntent intent)
    {
        if (s->Execution.Mmu != 0)
            return PagedMemory.Read(s, linear, destination, size, intent);
        var space = AddressSpace.Of(s);
        if (!Check(s, space, linear, size, PagePermission.Read, intent))
            return false;
        for (var done = 0; done < size;)
        {
            var address = Wrap(s, linear + (uint)done);
            var chunk = Math.Min(size - done, AddressSpace.PageSize - (int)(address % AddressSpace.PageSize));
            var source = Host(space, address);
            if (source == null)
                return PageFaults.Raise(s, address, 0, intent);
            Buffer.MemoryCopy(source, destination + done, chunk, chunk);
            done += chunk;
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static StoreResult WriteSlow(CpuState* s, ulong linear, byte* source, int size, AccessIntent intent)
    {
        if (s->Execution.Mmu != 0)
            return PagedMemory.Write(s, linear, source, size, intent);
        var vcpu = Vcpu.Of(s);
        var space = vcpu.Cache.Memory;
        if (!Check(s, space, linear, size, PagePermission.Write, intent))
            return StoreResult.Fault;
        var last = Wrap(s, linear + (uint)size - 1);
        if (((space.Query(linear) | space.Query(last)) & PagePermission.HasCode) != 0 || vcpu.UndoLog != null)
            return WriteWatched(s, vcpu, linear, source, size, intent);
        return CopyIn(s, space, linear, source, size, intent);
    }

    private static bool Finish(CpuState* s, StoreResult result)
    {
        if (result == StoreResult.HitsCode)
            s->Execution.ExceptionVector = ExecutionState.RestartAlone;
        return result == StoreResult.Done;
    }

    // Slow and rare: the store may hit translated code, or a lock-step run wants to undo it. What it leads to may compute with floating point.
    [UnderHostMxcsr]
    private static StoreResult WriteWatched(CpuState* s, Vcpu vcpu, ulong linear, byte* source, int size, AccessIntent intent)
    {
        var mxcsr = HostMxcsr.Suspend();
        var result = WriteWatchedBytes(s, vcpu, linear, source, size, intent);
        HostMxcsr.Resume(mxcsr);
        return result;
    }

    private static StoreResult WriteWatchedBytes(CpuState* s, Vcpu vcpu, ulong linear, byte* source, int size, AccessIntent intent)
    {
        var space = vcpu.Cache.Memory;
        if (vcpu.UndoLog != null)
            for (var i = 0; i < size; i++)
            {
                var address = Wrap(s, linear + (uint)i);
                vcpu.UndoLog.Add((address, *Host(space, address)));
            }

        StoreResult result;
        List<CodeHit>? elsewhere;
        lock (space.Lock)
        {
            if (vcpu.Cache.HitsCode(linear, size))
            {
                if (!vcpu.IsStepping)
                    return StoreResult.HitsCode;
                space.DropCode(linear, (ulong)size);
            }

            result = CopyIn(s, space, linear, source, size, intent);
            elsewhere = space.CodeElsewhere(linear, (ulong)size);
            space.UnmarkUnused(linear);
        }

        CodeHit.DropAll(elsewhere);
        return result;
    }

    private static StoreResult CopyIn(CpuState* s, AddressSpace space, ulong linear, byte* source, int size, AccessIntent intent)
    {
        var address = Wrap(s, linear);
        var host = Host(space, address);
        var inPage = AddressSpace.PageSize - (int)(address % AddressSpace.PageSize);
        if (host != null && inPage >= size)
        {
            CopyWhole(source, host, size);
            return StoreResult.Done;
        }

        for (var i = 0; i < size; i++)
        {
            var p = Host(space, Wrap(s, linear + (uint)i));
            if (p == null)
            {
                PageFaults.Raise(s, linear + (uint)i, PageFaults.Write, intent);
                return StoreResult.Fault;
            }

            *p = source[i];
        }

        return StoreResult.Done;
    }

    // One store of the full width, so that other guest threads never see half of it.
    private static void CopyWhole(byte* source, byte* host, int size)
    {
        if (size is 1 or 2 or 4 or 8)
            Put(host, size, Get(source, size));
        else
            Buffer.MemoryCopy(source, host, size, size);
    }

    private static bool Check(CpuState* s, AddressSpace space, ulong linear, int size, PagePermission access, AccessIntent intent)
    {
        // Of an access in one piece, all bytes must have canonical addresses.
        var last = linear + (uint)size - 1;
        if (size <= LargestPiece && CpuAccess.Mode(s).Is64() && !PageFaults.IsCanonical(last))
            return PageFaults.Raise(s, last, 0, intent);
        var isChecked = (s->Mode & (ushort)GuestMode.AlignmentChecked) != 0 && (intent & AccessIntent.Supervisor) == 0;
        if (isChecked && !Alignment.Check(s, linear, size))
            return false;
        if ((intent & AccessIntent.Update) != 0)
            access |= PagePermission.Write;
        for (var done = 0; done < size;)
        {
            var address = Wrap(s, linear + (uint)done);
            var permission = space.Query(address);
            if ((permission & access) != access)
            {
                var error = (access & PagePermission.Write) != 0 ? PageFaults.Write : 0;
                return PageFaults.Raise(s, address, error | ((permission & PagePermission.Mapped) != 0 ? PageFaults.Present : 0), intent);
            }

            done += AddressSpace.PageSize - (int)(address % AddressSpace.PageSize);
        }

        return true;
    }

    // Linear addresses have the width of the code, whatever the address space has.
    private static ulong Wrap(CpuState* s, ulong address) => CpuAccess.Mode(s).Is64() ? address : (uint)address;

    private static byte* Host(AddressSpace space, ulong address) => space.HostAt(address);
}
