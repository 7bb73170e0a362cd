using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>One system call in progress: who makes it, with which arguments. Passed by reference, lives on the stack.</summary>
public readonly ref struct SyscallContext
{
    /// <summary>Makes a context.</summary>
    public SyscallContext(GuestThread thread, Abi abi, ulong a0, ulong a1, ulong a2, ulong a3, ulong a4, ulong a5)
    {
        Thread = thread;
        Abi = abi;
        A0 = a0;
        A1 = a1;
        A2 = a2;
        A3 = a3;
        A4 = a4;
        A5 = a5;
    }

    /// <summary>The thread that makes the call.</summary>
    public GuestThread Thread { get; }

    /// <summary>Which interface the call came through: decides layouts and the width of <c>long</c>.</summary>
    public Abi Abi { get; }

    /// <summary>First argument; zero-extended from 32 bits for i386.</summary>
    public ulong A0 { get; }

    /// <summary>Second argument.</summary>
    public ulong A1 { get; }

    /// <summary>Third argument.</summary>
    public ulong A2 { get; }

    /// <summary>Fourth argument.</summary>
    public ulong A3 { get; }

    /// <summary>Fifth argument.</summary>
    public ulong A4 { get; }

    /// <summary>Sixth argument.</summary>
    public ulong A5 { get; }

    /// <summary>First argument as a C <c>int</c>.</summary>
    public int I0 => (int)A0;

    /// <summary>Second argument as a C <c>int</c>.</summary>
    public int I1 => (int)A1;

    /// <summary>Third argument as a C <c>int</c>.</summary>
    public int I2 => (int)A2;

    /// <summary>Fourth argument as a C <c>int</c>.</summary>
    public int I3 => (int)A3;

    /// <summary>Fifth argument as a C <c>int</c>.</summary>
    public int I4 => (int)A4;

    /// <summary>Sixth argument as a C <c>int</c>.</summary>
    public int I5 => (int)A5;

    /// <summary>True for i386 layouts.</summary>
    public bool Is32 => Abi == Abi.I386;

    /// <summary>The process.</summary>
    public GuestProcess Process => Thread.Process;

    /// <summary>Guest memory, checked.</summary>
    public UserMemory Memory => Thread.Process.Memory.User;

    /// <summary>The descriptor table.</summary>
    public FdTable Files => Thread.Process.Files;

    /// <summary>Bytes in a C <c>long</c> or pointer.</summary>
    public int LongSize => Is32 ? 4 : 8;

    /// <summary>An argument as a C <c>long</c>: sign-extended from 32 bits for i386.</summary>
    public long Long(ulong argument) => Is32 ? (int)argument : (long)argument;

    /// <summary>Two i386 arguments as one 64-bit value.</summary>
    public static long Pair(ulong low, ulong high) => (long)((low & uint.MaxValue) | (high << 32));

    /// <summary>Reads a path argument. 0, -EFAULT or -ENAMETOOLONG.</summary>
    public int TryReadPath(ulong address, out string path) => Memory.TryReadString(address, out path);

    /// <summary>Reads a C <c>long</c> (or pointer), zero-extended. False: EFAULT.</summary>
    public bool TryReadLong(ulong address, out ulong value)
    {
        if (!Is32)
            return Memory.TryRead(address, out value);
        var ok = Memory.TryRead(address, out uint narrow);
        value = narrow;
        return ok;
    }

    /// <summary>Writes a C <c>long</c> (or pointer). False: EFAULT.</summary>
    public bool TryWriteLong(ulong address, ulong value) =>
        Is32 ? Memory.TryWrite(address, (uint)value) : Memory.TryWrite(address, value);

    /// <summary>
    /// Makes a host call that may block; signals for this thread interrupt it. Where the host says EINTR the result is
    /// -<see cref="Errno.ERESTARTSYS"/>, which restarts the call or becomes EINTR as the handler's SA_RESTART says. A call that never
    /// restarts after a handler (ppoll, select, clock_nanosleep to a time, ...) turns that into -<see cref="Errno.ERESTARTNOHAND"/>
    /// (<see cref="NoHand"/>), one that waits for a span of time into -<see cref="Errno.ERESTART_RESTARTBLOCK"/> (<see cref="GoesOn"/>), one
    /// that never restarts (epoll_wait) into -EINTR (<see cref="NeverAgain"/>).
    /// </summary>
    public unsafe long Blocking(int number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
    {
        var result = HostCalls.Interruptible(Thread.InterruptWord, number, a0, a1, a2, a3, a4, a5);
        return result == -Errno.EINTR ? -Errno.ERESTARTSYS : result;
    }

    /// <summary>ERESTARTSYS as ERESTARTNOHAND; other results unchanged.</summary>
    public static long NoHand(long result) => result == -Errno.ERESTARTSYS ? -Errno.ERESTARTNOHAND : result;

    /// <summary>ERESTARTSYS as EINTR; other results unchanged.</summary>
    public static long NeverAgain(long result) => result == -Errno.ERESTARTSYS ? -Errno.EINTR : result;

    /// <summary>
    /// When a call that waits for a span of time has to end, in nanoseconds of CLOCK_MONOTONIC: from now, or as it was when the call was
    /// interrupted that restart_syscall goes on with.
    /// </summary>
    public long Deadline(TimeSpec time) => Deadline(time, HostClock.Monotonic());

    /// <summary>The same by another clock, of which it is <paramref name="now"/>.</summary>
    public long Deadline(TimeSpec time, long now)
    {
        if (Thread.RestartDeadline != 0)
            return Thread.RestartDeadline;
        return time.ToNanoseconds() > long.MaxValue - now ? long.MaxValue : now + time.ToNanoseconds();
    }

    /// <summary>ERESTARTSYS as a restart by restart_syscall, with the deadline; other results unchanged.</summary>
    public long GoesOn(long result, long deadline)
    {
        if (result != -Errno.ERESTARTSYS)
            return result;
        Thread.RestartDeadline = deadline;
        return -Errno.ERESTART_RESTARTBLOCK;
    }
}
