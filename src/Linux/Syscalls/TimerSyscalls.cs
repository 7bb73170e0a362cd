using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Interval timers and POSIX timers. (timerfd is a host object and belongs to the files.)</summary>
internal static unsafe class TimerSyscalls
{
    private const int SignalEvent = 0, NoEvent = 1, CallEvent = 2, ThreadEvent = 4;

    public static void Register(SyscallTable table)
    {
        table.Add("alarm", &Alarm, "u", i386: 27, x64: 37);
        table.Add("setitimer", &SetInterval, "dpp", i386: 104, x64: 38);
        table.Add("getitimer", &GetInterval, "dp", i386: 105, x64: 36);
        table.Add("timer_create", &Create, "dpp", i386: 259, x64: 222);
        table.Add("timer_settime", &SetTime, "dxpp", i386: 260, x64: 223);
        table.Add("timer_settime64", &SetTime64, "dxpp", i386: 409);
        table.Add("timer_gettime", &GetTime, "dp", i386: 261, x64: 224);
        table.Add("timer_gettime64", &GetTime64, "dp", i386: 408);
        table.Add("timer_getoverrun", &GetOverrun, "d", i386: 262, x64: 225);
        table.Add("timer_delete", &Delete, "d", i386: 263, x64: 226);
    }

    private static long Alarm(in SyscallContext c)
    {
        var timer = c.Process.Timers.Interval(0);
        lock (c.Process.Kernel.Gate)
        {
            var (left, _) = timer.Get();
            var seconds = (long)(uint)c.A0;
            timer.Set(seconds == 0 ? null : timer.Now() + ((c.Is32 ? Math.Min(seconds, int.MaxValue) : seconds) * 1_000_000_000), 0);
            return left == 0 ? 0 : Math.Max((left + 500_000_000) / 1_000_000_000, 1);
        }
    }

    private static long SetInterval(in SyscallContext c)
    {
        if (c.I0 is < 0 or > 2)
            return -Errno.EINVAL;
        TimeSpec interval = default, value = default;
        if (c.A1 != 0 && (!TimeLayouts.TryReadTimeVal(c, c.A1, out interval)
            || !TimeLayouts.TryReadTimeVal(c, c.A1 + (2 * (uint)c.LongSize), out value)))
            return -Errno.EFAULT;
        if (!interval.IsValid || !value.IsValid)
            return -Errno.EINVAL;
        var timer = c.Process.Timers.Interval(c.I0);
        (long, long) old;
        lock (c.Process.Kernel.Gate)
        {
            old = timer.Get();
            timer.Set(Later(timer.Now(), value.ToNanoseconds()), interval.ToNanoseconds());
        }

        return c.A2 == 0 ? 0 : WriteInterval(c, c.A2, old);
    }

    private static long GetInterval(in SyscallContext c) =>
        c.I0 is < 0 or > 2 ? -Errno.EINVAL : WriteInterval(c, c.A1, c.Process.Timers.Interval(c.I0).Get());

    private static long WriteInterval(in SyscallContext c, ulong address, (long Left, long Interval) timer)
    {
        // Less than a microsecond is left, but not nothing.
        var left = timer.Left is > 0 and < 1000 ? 1000 : timer.Left;
        return TimeLayouts.TryWriteTimeVal(c, address, TimeSpec.FromNanoseconds(timer.Interval))
            && TimeLayouts.TryWriteTimeVal(c, address + (2 * (uint)c.LongSize), TimeSpec.FromNanoseconds(left)) ? 0 : -Errno.EFAULT;
    }

    private static long Create(in SyscallContext c)
    {
        var clock = c.I0;
        var error = TimeSyscalls.ClockOfTimer(c, clock, out var timerClock);
        if (error < 0)
            return error;
        var notify = SignalEvent;
        var signal = Signal.Alrm;
        ulong? value = null;
        GuestThread? thread = null;
        if (c.A1 != 0)
        {
            // struct sigevent: value, signal, kind, thread.
            var at = c.A1 + (uint)c.LongSize;
            if (!c.TryReadLong(c.A1, out var word) || !c.Memory.TryRead(at, out signal) || !c.Memory.TryRead(at + 4, out notify)
                || !c.Memory.TryRead(at + 8, out int tid))
                return -Errno.EFAULT;
            value = word;
            if (notify is not (SignalEvent or NoEvent or CallEvent or ThreadEvent) || (notify != NoEvent && !Signal.IsValid(signal)))
                return -Errno.EINVAL;
            if (notify == ThreadEvent)
            {
                thread = c.Process.Kernel.FindThread(tid);
                if (thread?.Process != c.Process)
                    return -Errno.EINVAL;
            }
        }

        var process = c.Process;
        var id = process.Timers.Create(number => new GuestTimer(process, timerClock, isPosix: true)
        {
            Info = notify == NoEvent ? null : new SignalInfo
            {
                Number = signal, Code = SignalInfo.FromTimer, Kind = SignalInfoKind.Timer, Pid = number, Value = value ?? (ulong)number,
            },
            Thread = thread,
            ClockId = clock,
        });
        if (id < 0)
            return id;
        if (c.Memory.TryWrite(c.A2, id))
            return 0;
        process.Timers.Delete(id);
        return -Errno.EFAULT;
    }

    private static long SetTime(in SyscallContext c) => SetTime(c, wide: false);

    private static long SetTime64(in SyscallContext c) => SetTime(c, wide: true);

    private static long SetTime(in SyscallContext c, bool wide)
    {
        const int Absolute = 1;
        if (c.A2 == 0 || c.Process.Timers.Find(c.I0) is not { } timer)
            return -Errno.EINVAL;
        if (!TryRead(c, c.A2, wide, out var interval) || !TryRead(c, c.A2 + Step(c, wide), wide, out var value))
            return -Errno.EFAULT;
        if (!interval.IsValid || !value.IsValid)
            return -Errno.EINVAL;
        var left = value.ToNanoseconds();
        (long, long) old;
        lock (c.Process.Kernel.Gate)
        {
            // An absolute time that is over has expired since then.
            long? due = left == 0 ? null : Later(timer.Now(), left);
            if ((c.I1 & Absolute) != 0 && due != null)
            {
                var error = TimeSyscalls.Read(c, timer.ClockId, out var now);
                if (error < 0)
                    return error;
                due = timer.Now() + (left - now.ToNanoseconds());
            }

            old = timer.Get();
            timer.Set(due, interval.ToNanoseconds());
        }

        return c.A3 == 0 ? 0 : Write(c, c.A3, wide, old);
    }

    // Null for no time: the timer stops.
    private static long? Later(long now, long time) => time == 0 ? null : time > long.MaxValue - now ? long.MaxValue : now + time;

    private static long GetTime(in SyscallContext c) =>
        c.Process.Timers.Find(c.I0) is { } timer ? Write(c, c.A1, false, timer.Get()) : -Errno.EINVAL;

    private static long GetTime64(in SyscallContext c) =>
        c.Process.Timers.Find(c.I0) is { } timer ? Write(c, c.A1, true, timer.Get()) : -Errno.EINVAL;

    private static long GetOverrun(in SyscallContext c) => c.Process.Timers.Find(c.I0)?.Overrun ?? -Errno.EINVAL;

    private static long Delete(in SyscallContext c) => c.Process.Timers.Delete(c.I0) ? 0 : -Errno.EINVAL;

    private static uint Step(in SyscallContext c, bool wide) => c.Is32 && !wide ? 8u : 16u;

    private static bool TryRead(in SyscallContext c, ulong address, bool wide, out TimeSpec time) =>
        wide ? TimeLayouts.TryReadTimeSpec64(c, address, out time) : TimeLayouts.TryReadTimeSpec(c, address, out time);

    private static long Write(in SyscallContext c, ulong address, bool wide, (long Left, long Interval) timer)
    {
        var (interval, left) = (TimeSpec.FromNanoseconds(timer.Interval), TimeSpec.FromNanoseconds(timer.Left));
        var written = wide
            ? TimeLayouts.TryWriteTimeSpec64(c, address, interval) && TimeLayouts.TryWriteTimeSpec64(c, address + Step(c, true), left)
            : TimeLayouts.TryWriteTimeSpec(c, address, interval) && TimeLayouts.TryWriteTimeSpec(c, address + Step(c, false), left);
        return written ? 0 : -Errno.EFAULT;
    }
}
