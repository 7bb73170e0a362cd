using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Memory;

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
/// Guest memory as executors and helpers see it when the inline fast path (one test of a permission byte) did not apply: page crossings,
/// pages that hold translated code, addresses beyond the window, wrap-around at 4 GiB, faults. Every access is all or nothing.
/// </summary>
public static unsafe class GuestMemory
{
    // Bytes that the longest operands have that a CPU accesses as a whole; larger images are accessed field by field.
    private const int LargestPiece = 16;

    /// <summary>Reads up to 8 bytes, zero-extended. On a fault the result is 0 and a page fault is pending.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ulong LoadSlow(CpuState* s, ulong linear, int size)
    {
        ulong value = 0;
        ReadBytes(s, linear, (byte*)&value, size);
        return value;
    }

    /// <summary>Reads into a host buffer; all or nothing.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool ReadBytes(CpuState* s, ulong linear, byte* destination, int size)
    {
        var space = Vcpu.Of(s).Cache.Memory;
        if (!Check(s, space, linear, size, PagePermission.Read))
            return false;
        for (var done = 0; done < size;)
        {
            var address = Wrap(s, linear + (uint)done);
            var chunk = Math.Min(size - done, AddressSpace.PageSize - (int)(address % AddressSpace.PageSize));
            var source = Host(space, address);
            if (source == null)
                return RaisePageFault(s, address, 4);
            Buffer.MemoryCopy(source, destination + done, chunk, chunk);
            done += chunk;
        }

        return true;
    }

    /// <summary>Stores the low <paramref name="size"/> bytes (at most 8) of a value.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static StoreResult StoreSlow(CpuState* s, ulong linear, int size, ulong value) => WriteBytes(s, linear, (byte*)&value, size);

    /// <summary>Stores bytes from a host buffer; all or nothing.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static StoreResult WriteBytes(CpuState* s, ulong linear, byte* source, int size)
    {
        var vcpu = Vcpu.Of(s);
        var space = vcpu.Cache.Memory;
        if (!Check(s, space, linear, size, PagePermission.Write))
            return StoreResult.Fault;
        var last = Wrap(s, linear + (uint)size - 1);
        if (((space.Query(linear) | space.Query(last)) & PagePermission.HasCode) != 0 || vcpu.UndoLog != null)
            return WriteWatched(s, vcpu, linear, source, size);
        return CopyIn(s, space, linear, source, size);
    }

    /// <summary>Reads at most 8 bytes; false with the page fault pending.</summary>
    public static bool TryRead(CpuState* s, ulong linear, int size, out ulong value)
    {
        ulong v = 0;
        var ok = ReadBytes(s, linear, (byte*)&v, size);
        value = v;
        return ok;
    }

    /// <summary>Reads bytes; false with the page fault pending and nothing copied.</summary>
    public static bool TryRead(CpuState* s, ulong linear, Span<byte> destination)
    {
        fixed (byte* p = destination)
            return ReadBytes(s, linear, p, destination.Length);
    }

    /// <summary>
    /// Stores at most 8 bytes; false with a page fault pending, or with <see cref="ExecutionState.RestartAlone"/> in its place, and nothing stored: the
    /// helper returns at once and the executor does the rest.
    /// </summary>
    public static bool TryWrite(CpuState* s, ulong linear, int size, ulong value) => Finish(s, WriteBytes(s, linear, (byte*)&value, size));

    /// <summary>As <see cref="TryWrite(CpuState*, ulong, int, ulong)"/> for any number of bytes.</summary>
    public static bool TryWrite(CpuState* s, ulong linear, ReadOnlySpan<byte> source)
    {
        fixed (byte* p = source)
            return Finish(s, WriteBytes(s, linear, p, source.Length));
    }

    /// <summary>Host pointer for reading, when all bytes lie in readable pages of one window; else null (use TryRead).</summary>
    public static byte* PointerForRead(CpuState* s, ulong linear, int length) => Pointer(s, linear, length, PagePermission.Read, PagePermission.None);

    /// <summary>Host pointer for writing, when all bytes lie in writable pages of one window without translated code; else null (use TryWrite).</summary>
    public static byte* PointerForWrite(CpuState* s, ulong linear, int length) => Pointer(s, linear, length, PagePermission.Write, PagePermission.HasCode);

    /// <summary>
    /// Checks that a store of <paramref name="size"/> bytes would succeed, for helpers that must know before they change anything.
    /// False with a page fault pending.
    /// </summary>
    public static bool CheckWrite(CpuState* s, ulong linear, int size) =>
        Check(s, Vcpu.Of(s).Cache.Memory, linear, size, PagePermission.Write);

    private static byte* Pointer(CpuState* s, ulong linear, int length, PagePermission need, PagePermission mustNot)
    {
        if (length <= 0)
            return null;
        var first = linear / AddressSpace.PageSize;
        var last = (linear + (uint)length - 1) / AddressSpace.PageSize;
        var permissions = s->Execution.Permissions;
        var pages = s->Execution.WindowPages;
        if ((s->Mode & (ushort)GuestMode.AlignmentChecked) != 0)
        {
            // The vCPU has no window in this mode.
            var space = Vcpu.Of(s).Cache.Memory;
            permissions = space.Permissions;
            pages = space.WindowSize / AddressSpace.PageSize;
            if (!Alignment.IsAligned(linear, length))
                return null;
        }

        if (last < first || (need == PagePermission.Write && Vcpu.Of(s).UndoLog != null))
            return null;
        var host = s->Execution.MemoryBase + linear;
        if (last >= pages)
        {
            // All in one other window.
            var windows = Vcpu.Of(s).Cache.Memory.Windows;
            var index = linear >> AddressSpace.WindowSpanBits;
            if (windows == null || index is 0 or >= AddressSpace.WindowCount / 2 || last >> (AddressSpace.WindowSpanBits - 12) != index)
                return null;
            permissions = (byte*)Volatile.Read(ref windows[index].Permissions);
            host = (byte*)(windows[index].Host + (nint)linear);
        }

        for (var page = first; page <= last; page++)
            if (((PagePermission)permissions[page] & (need | mustNot)) != need)
                return null;
        return host;
    }

    private static bool Finish(CpuState* s, StoreResult result)
    {
        if (result == StoreResult.HitsCode)
            s->Execution.ExceptionVector = ExecutionState.RestartAlone;
        return result == StoreResult.Done;
    }

    // Slow and rare: the store may hit translated code, or a lock-step run wants to undo it. What it leads to may compute with floating point.
    [UnderHostMxcsr]
    private static StoreResult WriteWatched(CpuState* s, Vcpu vcpu, ulong linear, byte* source, int size)
    {
        var mxcsr = HostMxcsr.Suspend();
        var result = WriteWatchedBytes(s, vcpu, linear, source, size);
        HostMxcsr.Resume(mxcsr);
        return result;
    }

    private static StoreResult WriteWatchedBytes(CpuState* s, Vcpu vcpu, ulong linear, byte* source, int size)
    {
        var space = vcpu.Cache.Memory;
        if (vcpu.UndoLog != null)
            for (var i = 0; i < size; i++)
            {
                var address = Wrap(s, linear + (uint)i);
                vcpu.UndoLog.Add((address, *Host(space, address)));
            }

        lock (space.Lock)
        {
            if (vcpu.Cache.HitsCode(linear, size))
            {
                if (!vcpu.IsStepping)
                    return StoreResult.HitsCode;
                vcpu.Cache.Invalidate(linear, (ulong)size);
            }

            return CopyIn(s, space, linear, source, size);
        }
    }

    private static StoreResult CopyIn(CpuState* s, AddressSpace space, ulong linear, byte* source, int size)
    {
        var address = Wrap(s, linear);
        var host = Host(space, address);
        var inPage = AddressSpace.PageSize - (int)(address % AddressSpace.PageSize);
        if (host != null && inPage >= size)
        {
            // One store of the full width, so that other guest threads never see half of it.
            switch (size)
            {
                case 1: *host = *source; break;
                case 2: *(ushort*)host = *(ushort*)source; break;
                case 4: *(uint*)host = *(uint*)source; break;
                case 8: *(ulong*)host = *(ulong*)source; break;
                default: Buffer.MemoryCopy(source, host, size, size); break;
            }

            return StoreResult.Done;
        }

        for (var i = 0; i < size; i++)
        {
            var p = Host(space, Wrap(s, linear + (uint)i));
            if (p == null)
            {
                RaisePageFault(s, linear + (uint)i, 6);
                return StoreResult.Fault;
            }

            *p = source[i];
        }

        return StoreResult.Done;
    }

    private static bool Check(CpuState* s, AddressSpace space, ulong linear, int size, PagePermission access)
    {
        // Of an access in one piece, all bytes must have canonical addresses.
        if (size <= LargestPiece && !IsCanonical(linear + (uint)size - 1) && CpuAccess.Mode(s).Is64())
            return RaisePageFault(s, linear + (uint)size - 1, 0);
        if ((s->Mode & (ushort)GuestMode.AlignmentChecked) != 0 && !Alignment.Check(s, linear, size))
            return false;
        for (var done = 0; done < size;)
        {
            var address = Wrap(s, linear + (uint)done);
            var permission = space.Query(address);
            if ((permission & access) == 0)
            {
                var error = 4u | (access == PagePermission.Write ? 2u : 0u) | ((permission & PagePermission.Mapped) != 0 ? 1u : 0u);
                return RaisePageFault(s, address, error);
            }

            done += AddressSpace.PageSize - (int)(address % AddressSpace.PageSize);
        }

        return true;
    }

    // SDM Vol. 3, 4.7: bit 0 protection violation, bit 1 write, bit 2 user mode, bit 4 instruction fetch.
    private static bool RaisePageFault(CpuState* s, ulong address, uint error)
    {
        // A 64-bit address that is not canonical raises #GP(0) instead (SDM Vol. 1, 3.3.7.1).
        if (!IsCanonical(address))
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return false;
        }

        s->Execution.FaultAddress = address;
        CpuAccess.Raise(s, ExceptionVector.PageFault, error);
        return false;
    }

    private static bool IsCanonical(ulong address) => (long)(address << 16) >> 16 == (long)address;

    // Linear addresses have the width of the code, whatever the address space has.
    private static ulong Wrap(CpuState* s, ulong address) => CpuAccess.Mode(s).Is64() ? address : (uint)address;

    private static byte* Host(AddressSpace space, ulong address) => space.HostAt(address);
}
