using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Memory;

/// <summary>
/// From a linear address to the host pointer behind it: the one way by which interpreter and helpers come to guest memory. Null means that
/// the access takes the slow path (<c>GuestMemory</c>), where it faults, or hits translated code, or does not lie in one piece in the
/// host. (Translated code has the test of <see cref="Fast"/> inline.)
/// </summary>
public static unsafe class MemoryProbe
{
    private const int PageShift = 12;

    /// <summary>
    /// By one bit, <see cref="PagePermission.FastRead"/> or <see cref="PagePermission.FastWrite"/>, for up to 16 bytes. When it gives false,
    /// <see cref="ForRead"/> or <see cref="ForWrite"/> may yet find the bytes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Fast(CpuState* s, ulong linear, PagePermission bit, out byte* host)
    {
        host = s->Execution.MemoryBase + linear;
        return linear >> PageShift < s->Execution.WindowPages && (s->Execution.Permissions[linear >> PageShift] & (byte)bit) != 0;
    }

    /// <summary>The same in a 32-bit address space, whose table of permissions covers every address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Fast32(CpuState* s, uint linear, PagePermission bit, out byte* host)
    {
        host = s->Execution.MemoryBase + linear;
        return (s->Execution.Permissions[linear >> PageShift] & (byte)bit) != 0;
    }

    /// <summary>For a read of any length, or null.</summary>
    public static byte* ForRead(CpuState* s, ulong linear, int length) => Find(s, linear, length, PagePermission.Read);

    /// <summary>For a write of any length, or null.</summary>
    public static byte* ForWrite(CpuState* s, ulong linear, int length) => Find(s, linear, length, PagePermission.PlainWrite);

    /// <summary>
    /// By the table of recent translations of a state that has one, for 1 to 4096 bytes in one page. When it gives false, the page has not been accessed so
    /// lately, or is no plain memory.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool ByLookaside(CpuState* s, ulong linear, int length, PagePermission bit, out byte* host)
    {
        host = null;
        if (s->Execution.Mmu == 0)
            return false;
        var entry = (LookasideEntry*)s->Execution.Lookaside + ((linear >> PageShift) % TranslationLookaside.Count);
        var tag = (bit & (PagePermission.FastWrite | PagePermission.PlainWrite)) != 0 ? entry->WriteTag : entry->ReadTag;
        host = (byte*)(entry->Addend + (nint)linear);
        return ((linear + (uint)length - 1) & ~(ulong)(AddressSpace.PageSize - 1)) == tag;
    }

    // The last page of a mapping has no fast bit: each page is looked at.
    private static byte* Find(CpuState* s, ulong linear, int length, PagePermission bit)
    {
        if (s->Execution.Mmu != 0)
            return length is > 0 and <= AddressSpace.PageSize && ByLookaside(s, linear, length, bit, out var found) ? found : null;
        var last = linear + (uint)length - 1;
        if (length <= 0 || last < linear)
            return null;

        // Addresses of 32 bits wrap around, whatever lies behind them.
        if (last > uint.MaxValue && linear <= uint.MaxValue && !CpuAccess.Mode(s).Is64())
            return null;
        if (last >> PageShift >= s->Execution.WindowPages)
            return FindBeyond(s, linear, last, bit);
        for (var page = linear >> PageShift; page <= last >> PageShift; page++)
            if ((s->Execution.Permissions[page] & (byte)bit) == 0)
                return null;
        return s->Execution.MemoryBase + linear;
    }

    // Beyond the main window: in one of the others.
    private static byte* FindBeyond(CpuState* s, ulong linear, ulong last, PagePermission bit)
    {
        var windows = (WindowEntry*)s->Execution.Windows;
        if (windows == null)
            return FindInSpace(s, linear, last, bit);
        var index = linear >> AddressSpace.WindowSpanBits;
        if (index is 0 or >= AddressSpace.WindowCount / 2 || last >> AddressSpace.WindowSpanBits != index)
            return null;

        // The permissions first: see AddressSpace.Windows.
        var window = windows + index;
        var permissions = (byte*)Volatile.Read(ref window->Permissions);
        for (var page = linear >> PageShift; page <= last >> PageShift; page++)
            if ((permissions[page] & (byte)bit) == 0)
                return null;
        return (byte*)Volatile.Read(ref window->Host) + linear;
    }

    // The vCPU has no windows at all while alignment is checked.
    private static byte* FindInSpace(CpuState* s, ulong linear, ulong last, PagePermission bit)
    {
        var length = (int)(last - linear) + 1;
        if ((s->Mode & (ushort)GuestMode.AlignmentChecked) != 0 && !Alignment.IsAligned(linear, length))
            return null;
        var space = AddressSpace.Of(s);
        for (var page = linear >> PageShift; page <= last >> PageShift; page++)
            if ((space.Query(page << PageShift) & bit) == 0)
                return null;
        return space.ContiguousAt(linear, (ulong)length) == (ulong)length ? space.ExistingHostAt(linear) : null;
    }
}
