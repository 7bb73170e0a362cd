using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Clocks, sleeping and CPU time.</summary>
internal static unsafe class TimeSyscalls
{
    private const int ClockRealtime = 0, ProcessCpu = 2, ThreadCpu = 3, TicksPerSecond = 100;

    public static void Register(SyscallTable table)
    {
        table.Add("time", &Time, "p", i386: 13, x64: 201);
        table.Add("gettimeofday", &GetTimeOfDay, "pp", i386: 78, x64: 96);
        table.Add("settimeofday", &NotPermitted, "pp", i386: 79, x64: 164);
        table.Add("stime", &NotPermitted, "p", i386: 25);
        table.Add("clock_gettime", &ClockGet, "dp", i386: 265, x64: 228);
        table.Add("clock_gettime64", &ClockGet64, "dp", i386: 403);
        table.Add("clock_settime", &ClockSet, "dp", i386: 264, x64: 227);
        table.Add("clock_settime64", &ClockSet, "dp", i386: 404);
        table.Add("clock_getres", &ClockResolution, "dp", i386: 266, x64: 229);
        table.Add("clock_getres_time64", &ClockResolution64, "dp", i386: 406);
        table.Add("nanosleep", &Nanosleep, "pp", i386: 162, x64: 35);
        table.Add("clock_nanosleep", &ClockNanosleep, "ddpp", i386: 267, x64: 230);
        table.Add("clock_nanosleep_time64", &ClockNanosleep64, "ddpp", i386: 407);
        table.Add("times", &Times, "p", i386: 43, x64: 100);
        table.Add("getrusage", &GetUsage, "dp", i386: 77, x64: 98);
    }

    private static long NotPermitted(in SyscallContext c) => -Errno.EPERM;

    // The clock of the host is not the guest's to set; the others cannot be set at all.
    private static long ClockSet(in SyscallContext c) => c.I0 is ClockRealtime or ProcessCpu or ThreadCpu or < 0 ? -Errno.EPERM : -Errno.EINVAL;

    private static long Time(in SyscallContext c)
    {
        var now = HostClock.Realtime() / 1_000_000_000;
        return c.A0 == 0 || c.TryWriteLong(c.A0, (ulong)now) ? now : -Errno.EFAULT;
    }

    private static long GetTimeOfDay(in SyscallContext c)
    {
        if (c.A0 != 0 && !TimeLayouts.TryWriteTimeVal(c, c.A0, TimeSpec.FromNanoseconds(HostClock.Realtime())))
            return -Errno.EFAULT;
        return c.A1 == 0 || c.Memory.TryWrite(c.A1, 0UL) ? 0 : -Errno.EFAULT;
    }

    /// <summary>Reads a clock of the guest. 0 or a negative error number.</summary>
    internal static long Read(in SyscallContext c, int clock, out TimeSpec time)
    {
        time = default;
        switch (clock)
        {
            case ProcessCpu:
                time = TimeSpec.FromNanoseconds(c.Process.CpuTime());
                return 0;
            case ThreadCpu:
                time = TimeSpec.FromNanoseconds(c.Thread.CpuTime());
                return 0;
            case < 0:
                return ReadCpuClock(c, clock, out time);
            default:
                fixed (TimeSpec* p = &time)
                    return HostCalls.Fast(HostSys.ClockGettime, clock, (nint)p);
        }
    }

    /// <summary>What a timer of timer_create runs by. 0 or a negative error number.</summary>
    internal static long ClockOfTimer(in SyscallContext c, int clock, out TimerClock timerClock)
    {
        const int NoEvent = 1, EventWords = 8;
        timerClock = TimerClock.Wall;
        switch (clock)
        {
            case ProcessCpu:
                timerClock = TimerClock.Cpu(c.Process);
                return 0;
            case ThreadCpu:
                timerClock = TimerClock.Cpu(c.Thread);
                return 0;
            case < 0:
                return CpuClock(c, clock, out timerClock);
        }

        // Whether the clock can have timers the host knows.
        var sigevent = stackalloc long[EventWords];
        new Span<long>(sigevent, EventWords).Clear();
        sigevent[1] = (long)NoEvent << 32;
        int id;
        var error = HostCalls.Call(HostSys.TimerCreate, clock, (nint)sigevent, (nint)(&id));
        if (error == 0)
            HostCalls.Call(HostSys.TimerDelete, id);
        return error;
    }

    // Clock of a process or thread: ~number << 3 | 4 for a thread | kind.
    private static long CpuClock(in SyscallContext c, int clock, out TimerClock timerClock)
    {
        const int User = 1;
        timerClock = TimerClock.Wall;
        var number = ~(clock >> 3);
        if ((clock & 3) == 3)
            return -Errno.EINVAL;
        if ((clock & 4) != 0)
        {
            var thread = number == 0 ? c.Thread : c.Process.Kernel.FindThread(number);
            if (thread == null || thread.Process != c.Process)
                return -Errno.EINVAL;
            timerClock = (clock & 3) == User ? TimerClock.User(thread) : TimerClock.Cpu(thread);
            return 0;
        }

        var process = number == 0 ? c.Process : c.Process.Kernel.FindProcess(number);
        if (process == null)
            return -Errno.EINVAL;
        timerClock = (clock & 3) == User ? TimerClock.User(process) : TimerClock.Cpu(process);
        return 0;
    }

    private static long ReadCpuClock(in SyscallContext c, int clock, out TimeSpec time)
    {
        var error = CpuClock(c, clock, out var cpu);
        time = error < 0 ? default : TimeSpec.FromNanoseconds(cpu.Now());
        return error;
    }

    private static long ClockGet(in SyscallContext c)
    {
        var error = Read(c, c.I0, out var time);
        return error < 0 ? error : TimeLayouts.TryWriteTimeSpec(c, c.A1, time) ? 0 : -Errno.EFAULT;
    }

    private static long ClockGet64(in SyscallContext c)
    {
        var error = Read(c, c.I0, out var time);
        return error < 0 ? error : TimeLayouts.TryWriteTimeSpec64(c, c.A1, time) ? 0 : -Errno.EFAULT;
    }

    private static long Resolution(in SyscallContext c, out TimeSpec time)
    {
        time = new TimeSpec { Nanoseconds = 1 };
        if (c.I0 is ProcessCpu or ThreadCpu)
            return 0;
        if (c.I0 < 0)
            return ReadCpuClock(c, c.I0, out _);
        fixed (TimeSpec* p = &time)
            return HostCalls.Call(HostSys.ClockGetres, c.I0, (nint)p);
    }

    private static long ClockResolution(in SyscallContext c)
    {
        var error = Resolution(c, out var time);
        return error < 0 ? error : c.A1 == 0 || TimeLayouts.TryWriteTimeSpec(c, c.A1, time) ? 0 : -Errno.EFAULT;
    }

    private static long ClockResolution64(in SyscallContext c)
    {
        var error = Resolution(c, out var time);
        return error < 0 ? error : c.A1 == 0 || TimeLayouts.TryWriteTimeSpec64(c, c.A1, time) ? 0 : -Errno.EFAULT;
    }

    private static long Nanosleep(in SyscallContext c)
    {
        const int Monotonic = 1;
        return TimeLayouts.TryReadTimeSpec(c, c.A0, out var time) ? Sleep(c, Monotonic, 0, time, c.A1, wide: false) : -Errno.EFAULT;
    }

    private static long ClockNanosleep(in SyscallContext c) =>
        TimeLayouts.TryReadTimeSpec(c, c.A2, out var time) ? Sleep(c, c.I0, c.I1, time, c.A3, wide: false) : -Errno.EFAULT;

    private static long ClockNanosleep64(in SyscallContext c) =>
        TimeLayouts.TryReadTimeSpec64(c, c.A2, out var time) ? Sleep(c, c.I0, c.I1, time, c.A3, wide: true) : -Errno.EFAULT;

    private static long Sleep(in SyscallContext c, int clock, int flags, TimeSpec time, ulong remaining, bool wide)
    {
        const int Absolute = 1, Monotonic = 1, PerThread = 4;
        if (clock is ThreadCpu || (clock < 0 && (clock & PerThread) != 0 && ~(clock >> 3) is var tid && (tid == 0 || tid == c.Thread.Tid)))
            return -Errno.EINVAL;
        TimerClock? cpu = null;
        var past = default(TimeSpec);
        var error = clock == ProcessCpu
            ? 0
            : clock < 0 ? CpuClock(c, clock, out cpu) : HostCalls.Call(HostSys.ClockNanosleep, clock, Absolute, (nint)(&past), 0);
        if (error < 0)
            return error;
        if (!time.IsValid)
            return -Errno.EINVAL;
        if (clock == ProcessCpu)
            cpu = TimerClock.Cpu(c.Process);
        if ((flags & Absolute) != 0 && cpu == null)
            return SyscallContext.NoHand(c.Blocking(HostSys.ClockNanosleep, clock, Absolute, (nint)(&time), 0));

        // Until a time of a clock that only goes on, so that a restart goes on where it was.
        var deadline = (flags & Absolute) != 0 ? time.ToNanoseconds() : c.Deadline(time, cpu?.Now() ?? HostClock.Monotonic());
        long result;
        if (cpu == null)
        {
            var until = TimeSpec.FromNanoseconds(deadline);
            result = c.Blocking(HostSys.ClockNanosleep, Monotonic, Absolute, (nint)(&until), 0);
        }
        else
        {
            result = 0;
            while (result == 0 && cpu.Now() < deadline)
            {
                var until = TimeSpec.FromNanoseconds(cpu.WakeTime(deadline));
                result = c.Blocking(HostSys.ClockNanosleep, Monotonic, Absolute, (nint)(&until), 0);
            }
        }

        if (result != -Errno.ERESTARTSYS)
            return result;
        if ((flags & Absolute) != 0)
            return -Errno.ERESTARTNOHAND;
        var left = deadline - (cpu?.Now() ?? HostClock.Monotonic());
        if (left <= 0)
            return 0;
        if (remaining != 0)
        {
            var rest = TimeSpec.FromNanoseconds(left);
            if (!(wide ? TimeLayouts.TryWriteTimeSpec64(c, remaining, rest) : TimeLayouts.TryWriteTimeSpec(c, remaining, rest)))
                return -Errno.EFAULT;
        }

        return c.GoesOn(result, deadline);
    }

    private static long Times(in SyscallContext c)
    {
        if (c.A0 != 0)
        {
            var (own, children) = (c.Process.CpuUsage(), c.Process.WaitedChildren);
            Span<long> times = [own.User, own.System, children.User, children.System];
            for (var i = 0; i < times.Length; i++)
                if (!c.TryWriteLong(c.A0 + (ulong)(i * c.LongSize), (ulong)(times[i] / (1_000_000_000 / TicksPerSecond))))
                    return -Errno.EFAULT;
        }

        return (c.Is32 ? (int)(HostClock.Monotonic() / 10_000_000) & int.MaxValue : HostClock.Monotonic() / 10_000_000);
    }

    private static long GetUsage(in SyscallContext c)
    {
        const int Self = 0, Children = -1, Thread = 1;
        CpuUsage time;
        switch (c.I0)
        {
            case Self:
                time = c.Process.CpuUsage();
                break;
            case Children:
                time = c.Process.WaitedChildren;
                break;
            case Thread:
                lock (c.Process.Kernel.Gate)
                    time = c.Thread.CpuUsage();
                break;
            default:
                return -Errno.EINVAL;
        }

        var resident = (long)(c.Process.Memory.ResidentLength / 1024);
        return UsageLayout.TryWrite(c, c.A1, time, c.I0 == Self ? resident : 0) ? 0 : -Errno.EFAULT;
    }
}
