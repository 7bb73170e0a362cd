using DynaTrans.Linux.Syscalls;

namespace DynaTrans.Linux.Tests.Syscalls;

/// <summary>Every call about memory, signals, time and identity with arguments that nobody would pass: each returns, none throws.</summary>
public unsafe class HostileCoreArgumentTests
{
    private const int CallsEach = 1000;

    // Calls that would wait or bind the test's own thread.
    private static readonly HashSet<string> s_left =
        ["sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr", "sched_yield", "pause", "rt_sigsuspend", "sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64"];

    [Theory]
    [InlineData(true, 3)]
    [InlineData(false, 4)]
    public void EveryCallReturns(bool is32, int seed)
    {
        var table = new SyscallTable();
        MemorySyscalls.Register(table);
        SegmentSyscalls.Register(table);
        SignalSyscalls.Register(table);
        WaitSyscalls.Register(table);
        PidfdSyscalls.Register(table);
        KcmpSyscall.Register(table);
        ForeignMemory.Register(table);
        FutexSyscalls.Register(table);
        FutexVectorSyscall.Register(table);
        TimeSyscalls.Register(table);
        TimerSyscalls.Register(table);
        ClockAdjustment.Register(table);
        IdentitySyscalls.Register(table);
        NarrowIdentitySyscalls.Register(table);
        ProcessSyscalls.Register(table);
        PrctlSyscall.Register(table);
        SchedulingSyscalls.Register(table);
        PrioritySyscalls.Register(table);
        SystemSyscalls.Register(table);
        var random = new Random(seed);
        foreach (var (_, entry) in table.All(is32 ? Abi.I386 : Abi.X64).Where(e => !s_left.Contains(e.Entry.Name)).ToList())
        {
            using var g = new TestGuest(is32);
            for (var i = 0; i < CallsEach; i++)
            {
                // Nothing waits: every call that could is interrupted.
                *g.Thread.InterruptWord = 1;
                var a = new ulong[6];
                for (var k = 0; k < 6; k++)
                    a[k] = is32 ? (uint)Value(random) : Value(random);
                var result = entry.Invoke(new SyscallContext(g.Thread, g.Abi, a[0], a[1], a[2], a[3], a[4], a[5]));
                Assert.True(result > -4096 || IsMask(entry.Name), $"{entry.Name} gave {result}; seed {seed}, call {i}");
            }

            g.Process.Timers.Clear();
        }
    }

    // Calls whose results are any word.
    private static bool IsMask(string name) => name is "signal" or "personality" or "sgetmask" or "ssetmask" or "brk";

    private static ulong Value(Random random) => random.Next(11) switch
    {
        0 => (ulong)random.Next(8),
        1 => (ulong)random.Next(40),
        2 => TestGuest.Buffer + (ulong)random.Next(0x100),
        3 => 0x50000 - (ulong)random.Next(32),
        4 => TestGuest.BadAddress,
        5 => ulong.MaxValue - (ulong)random.Next(128),
        6 => (ulong)random.Next() * 4,
        7 => unchecked((ulong)random.NextInt64()),
        8 => (ulong)random.Next(1, 64) * 4096,
        9 => 0x1000000 + ((ulong)random.Next(64) * 4096),
        _ => (ulong)random.Next(5000),
    };
}
