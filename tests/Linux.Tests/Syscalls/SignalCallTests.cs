using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Tests.Syscalls;

/// <summary>Calls about signals and timers, without a program: contents and order of what waits, overruns, errors.</summary>
public sealed class SignalCallTests
{
    private const ulong Block = 0, SetSize = 8;
    private const int RealTime = 40, Monotonic = 1, Absolute = 1;

    public static TheoryData<bool> Architectures => [true, false];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void RealTimeSignalsWaitInOrder(bool is32)
    {
        using var g = new TestGuest(is32);
        BlockAll(g);
        foreach (var value in new[] { 3, 1, 2 })
            Assert.Equal(0, Queue(g, RealTime, value));
        Assert.Equal(0, Queue(g, RealTime - 1, 9));
        Assert.Equal((RealTime - 1, 9), Take(g));
        Assert.Equal((RealTime, 3), Take(g));
        Assert.Equal((RealTime, 1), Take(g));
        Assert.Equal((RealTime, 2), Take(g));
        Assert.Equal((-Errno.EAGAIN, 0), Take(g));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void AStandardSignalWaitsOnce(bool is32)
    {
        using var g = new TestGuest(is32);
        BlockAll(g);
        Assert.Equal(0, Queue(g, Signal.Usr1, 1));
        Assert.Equal(0, Queue(g, Signal.Usr1, 2));
        Assert.Equal((Signal.Usr1, 1), Take(g));
        Assert.Equal((-Errno.EAGAIN, 0), Take(g));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void QueuedSignalsAreLimited(bool is32)
    {
        using var g = new TestGuest(is32);
        BlockAll(g);
        g.Process.Limits[ResourceLimits.PendingSignals] = (3, 3);
        for (var i = 0; i < 3; i++)
            Assert.Equal(0, Queue(g, RealTime, i));
        Assert.Equal(-Errno.EAGAIN, Queue(g, RealTime, 3));
        Assert.Equal((RealTime, 0), Take(g));
        Assert.Equal(0, Queue(g, RealTime, 4));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ATimerWaitsForItsSignalToBeTakenAndCountsMeanwhile(bool is32)
    {
        using var g = new TestGuest(is32);
        BlockAll(g);
        var id = CreateTimer(g);

        // Once a nanosecond since the clock began: more than an int can count.
        Assert.Equal(0, g.Call("timer_settime", id, Absolute, g.PutLongs(0, 1, 0, 1), 0));
        var info = WaitFor(g);
        var fields = info.AsSpan(is32 ? 12 : 16);
        Assert.Equal(RealTime, BitConverter.ToInt32(info));
        Assert.Equal(SignalInfo.FromTimer, BitConverter.ToInt32(info, 8));
        Assert.Equal((int)id, BitConverter.ToInt32(fields));
        Assert.Equal(int.MaxValue, BitConverter.ToInt32(fields[4..]));
        Assert.Equal(int.MaxValue, g.Call("timer_getoverrun", id));
        Assert.Equal(0, g.Call("timer_delete", id));
        Assert.Equal(-Errno.EINVAL, g.Call("timer_getoverrun", id));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void TheSignalOfADeletedTimerIsDropped(bool is32)
    {
        using var g = new TestGuest(is32);
        BlockAll(g);
        var id = CreateTimer(g);
        Assert.Equal(0, g.Call("timer_settime", id, Absolute, g.PutLongs(0, 0, 0, 1), 0));
        Assert.True(SpinWait.SpinUntil(() => IsPending(g), 10_000));
        Assert.Equal(0, g.Call("timer_delete", id));
        Assert.Equal((-Errno.EAGAIN, 0), Take(g));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void TimersNeedAClockThatHasThem(bool is32)
    {
        using var g = new TestGuest(is32);
        const ulong Raw = 4, Coarse = 6, Nowhere = 77, NoSuchKind = 3;
        Assert.Equal(-Errno.EOPNOTSUPP, g.Call("timer_create", Raw, 0, TestGuest.Buffer));
        Assert.Equal(-Errno.EOPNOTSUPP, g.Call("timer_create", Coarse, 0, TestGuest.Buffer));
        Assert.Equal(-Errno.EINVAL, g.Call("timer_create", Nowhere, 0, TestGuest.Buffer));
        Assert.Equal(-Errno.EINVAL, g.Call("timer_create", Monotonic, g.Put(Event(is32, RealTime, (int)NoSuchKind)), TestGuest.Buffer));
        Assert.Equal(-Errno.EINVAL, g.Call("timer_create", Monotonic, g.Put(Event(is32, 65, 0)), TestGuest.Buffer));
        Assert.Equal(-Errno.EFAULT, g.Call("timer_create", Monotonic, 0, TestGuest.BadAddress));
    }

    [Theory]
    [InlineData(0u, 2048u, 0)]
    [InlineData(0u, 2047u, -Errno.ENOMEM)]
    [InlineData(AlternateStack.OnStack, 2048u, 0)]
    [InlineData(AlternateStack.Disable, 1u, 0)]
    [InlineData(AlternateStack.AutoDisarm, 2048u, 0)]
    [InlineData(AlternateStack.OnStack | AlternateStack.Disable, 2048u, -Errno.EINVAL)]
    [InlineData(4u, 2048u, -Errno.EINVAL)]
    public void AlternateStacksAreChecked(uint flags, uint size, int expected)
    {
        var stack = AlternateStack.None;
        Assert.Equal(expected, AlternateStack.TryChange(ref stack, new AlternateStack(0x1000, size, flags), sp: 0x9000));
    }

    [Fact]
    public void TheAlternateStackInUseStays()
    {
        var stack = new AlternateStack(0x1000, 0x1000, 0);
        Assert.Equal(-Errno.EPERM, AlternateStack.TryChange(ref stack, AlternateStack.Disarmed, sp: 0x2000));
        Assert.Equal(AlternateStack.OnStack, stack.Report(0x1001));
        Assert.Equal(0u, stack.Report(0x1000));
        Assert.Equal(0, AlternateStack.TryChange(ref stack, AlternateStack.Disarmed, sp: 0x2001));
        Assert.Equal(AlternateStack.Disable, stack.Report(0x2000));
    }

    private static void BlockAll(TestGuest g) =>
        Assert.Equal(0, g.Call("rt_sigprocmask", Block, g.Put(BitConverter.GetBytes(ulong.MaxValue)), 0, SetSize));

    private static bool IsPending(TestGuest g)
    {
        lock (g.Kernel.Gate)
            return g.Process.Pending.Set != 0;
    }

    private static ulong CreateTimer(TestGuest g)
    {
        Assert.Equal(0, g.Call("timer_create", Monotonic, g.Put(Event(g.Is32, RealTime, 0)), TestGuest.Buffer));
        return (ulong)g.GetInt(TestGuest.Buffer);
    }

    // struct sigevent: value, signal, kind.
    private static byte[] Event(bool is32, int signal, int kind)
    {
        var bytes = new byte[64];
        BitConverter.TryWriteBytes(bytes.AsSpan(is32 ? 4 : 8), signal);
        BitConverter.TryWriteBytes(bytes.AsSpan(is32 ? 8 : 12), kind);
        return bytes;
    }

    private static long Queue(TestGuest g, int signal, int value)
    {
        var info = new byte[SignalInfo.Size];
        SignalInfo.Sent(signal, SignalInfo.FromQueue, g.Process.Pid, 0, (ulong)value).Write(info, g.Is32);
        return g.Call("rt_sigqueueinfo", (ulong)g.Process.Pid, (ulong)signal, g.Put(info));
    }

    // Signal and value, or the error.
    private static (long Signal, int Value) Take(TestGuest g)
    {
        var set = g.Put(BitConverter.GetBytes(ulong.MaxValue));
        var taken = g.Call("rt_sigtimedwait", set, TestGuest.Buffer, g.PutLongs(0, 0), SetSize);
        return (taken, taken < 0 ? 0 : g.GetInt(TestGuest.Buffer + (g.Is32 ? 20u : 24u)));
    }

    private static byte[] WaitFor(TestGuest g)
    {
        var set = g.Put(BitConverter.GetBytes(ulong.MaxValue));
        Assert.Equal(RealTime, g.Call("rt_sigtimedwait", set, TestGuest.Buffer, g.PutLongs(10, 0), SetSize));
        return g.Get(TestGuest.Buffer, SignalInfo.Size);
    }
}
