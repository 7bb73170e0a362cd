using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Signals;
using DynaTrans.Linux.Syscalls;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Processes;

/// <summary>
/// The vsyscall page of x86-64: three entries at fixed addresses that old programs call. It cannot be read, only called, and the kernel does
/// the call (vsyscall=xonly, its default).
/// </summary>
internal static unsafe class Vsyscall
{
    private const ulong Page = 0xFFFF_FFFF_FF60_0000;
    private const ulong EntrySize = 0x400;
    private const int GetTimeOfDay = 0, Time = 1, GetCpu = 2;

    /// <summary>What /proc/self/maps says of the page.</summary>
    public static MemoryArea Area { get; } = new(Page, Page + AddressSpace.PageSize, PagePermission.Execute, false, null, 0, "[vsyscall]");

    /// <summary>True when an address is in the page.</summary>
    public static bool Contains(ulong address) => address - Page < 0x1000;

    /// <summary>
    /// Serves the call of a thread that has jumped into the page. A jump to anywhere but an entry, and a bad argument, is SIGSEGV.
    /// </summary>
    public static void Serve(GuestThread thread)
    {
        var r = thread.State->Slots;
        var offset = r[Slot.Rip] - Page;
        var entry = (int)(offset / EntrySize);
        if (offset % EntrySize != 0 || entry > GetCpu || !thread.Process.Memory.User.TryRead(r[Slot.Rsp], out ulong caller))
        {
            Refuse(thread);
            return;
        }

        // Both arguments are results; time has one.
        if (thread.RefuseKernelAddress(r[Slot.Rdi]) || (entry != Time && thread.RefuseKernelAddress(r[Slot.Rsi])))
            return;
        var name = entry switch { GetTimeOfDay => 96UL, Time => 201UL, _ => 309UL };
        var context = new SyscallContext(thread, Abi.X64, r[Slot.Rdi], r[Slot.Rsi], entry == GetCpu ? 0 : r[Slot.Rdx], 0, 0, 0);
        var result = SyscallTable.Default.Find(Abi.X64, name)!.Invoke(context);
        if (result == -Errno.EFAULT)
        {
            Refuse(thread);
            return;
        }

        r[Slot.Rax] = (ulong)result;
        r[Slot.Rip] = caller;
        r[Slot.Rsp] += 8;
    }

    private static void Refuse(GuestThread thread) =>
        thread.Process.Force(thread, SignalInfo.Fault(Signal.Segv, SignalInfo.FromKernel, 0));
}
