using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;
using static DynaTrans.Linux.Errno;

namespace DynaTrans.Linux.Tests.Syscalls;

/// <summary>
/// Numbers, signals, descriptors and lengths that could lead from a guest to the host process, or to another guest without the right to.
/// </summary>
public sealed class IsolationTests
{
    private const ulong AtNone = unchecked((ulong)-1);

    public static TheoryData<bool> Architectures => [true, false];

    private static string[] HostThreads => [.. Directory.GetDirectories("/proc/self/task").Select(path => Path.GetFileName(path)!)];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void NumbersOfTheHostNameNobody(bool is32)
    {
        using var g = new TestGuest(is32);
        foreach (var number in HostThreads.Select(ulong.Parse).Append((ulong)Environment.ProcessId).Append(1UL).Append((ulong)g.Kernel.HostProcessId))
        {
            Assert.Equal(-ESRCH, g.Call("kill", number, 0));
            Assert.Equal(-ESRCH, g.Call("kill", number, Signal.Kill));
            Assert.Equal(-ESRCH, g.Call("kill", (ulong)-(long)number, Signal.Kill));
            Assert.Equal(-ESRCH, g.Call("tkill", number, Signal.Kill));
            Assert.Equal(-ESRCH, g.Call("tgkill", number, number, Signal.Kill));
            Assert.Equal(-ESRCH, g.Call("tgkill", (ulong)Environment.ProcessId, number, Signal.Kill));
            Assert.Equal(-ESRCH, g.Call("getpgid", number));
            Assert.Equal(-ESRCH, g.Call("getsid", number));
            Assert.Equal(-ESRCH, g.Call("setpgid", number, 0));
            Assert.Equal(-ESRCH, g.Call("sched_getaffinity", number, 128, TestGuest.Buffer));
            Assert.Equal(-ESRCH, g.Call("sched_getscheduler", number));
            Assert.Equal(-ESRCH, g.Call("getpriority", 0, number));
            Assert.Equal(-ESRCH, g.Call("setpriority", 0, number, 19));
            Assert.Equal(-ESRCH, g.Call("ioprio_get", 1, number));
            Assert.Equal(-ESRCH, g.Call("prlimit64", number, 7, 0, TestGuest.Buffer));
            Assert.Equal(-ESRCH, g.Call("get_robust_list", number, TestGuest.Buffer, TestGuest.Buffer));
            Assert.Equal(-EINVAL, g.Call("clock_gettime", (ulong)(~(long)number << 3 | 2), TestGuest.Buffer));
            var info = new byte[SignalInfo.Size];
            BitConverter.TryWriteBytes(info.AsSpan(8), SignalInfo.FromQueue);
            var at = g.Put(info);
            Assert.Equal(-ESRCH, g.Call("rt_sigqueueinfo", number, Signal.Usr1, at));
            Assert.Equal(-ESRCH, g.Call("rt_tgsigqueueinfo", number, number, Signal.Usr1, at));
        }
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void SignalsToManyReachGuestsOnly(bool is32)
    {
        using var g = new TestGuest(is32);
        using var other = new TestGuest(is32, kernel: g.Kernel);
        g.Thread.Blocked = other.Thread.Blocked = ~0UL;
        (g.Process.GroupId, other.Process.GroupId) = (7, 8);

        // All others; then the own group, and a group.
        Assert.Equal(0, g.Call("kill", AtNone, Signal.Usr1));
        Assert.Equal((0UL, Signal.Bit(Signal.Usr1)), (g.Process.Pending.Set, other.Process.Pending.Set));
        Assert.Equal(0, g.Call("kill", 0, Signal.Usr2));
        Assert.Equal(Signal.Bit(Signal.Usr2), g.Process.Pending.Set);
        Assert.Equal(0, g.Call("kill", unchecked((ulong)-8), Signal.Hup));
        Assert.Equal(Signal.Bit(Signal.Usr1) | Signal.Bit(Signal.Hup), other.Process.Pending.Set);
        Assert.Equal(-ESRCH, g.Call("kill", unchecked((ulong)-9), Signal.Hup));
        Assert.Equal(-ESRCH, g.Call("kill", unchecked((ulong)int.MinValue), Signal.Hup));
        Assert.Equal(-ESRCH, g.Call("kill", 5, 99));
        Assert.Equal(-EINVAL, g.Call("kill", (ulong)g.Process.Pid, 99));
    }

    [Theory]
    [InlineData(1000, 1000, 1001, 1001, false)]
    [InlineData(1000, 1000, 1000, 1001, true)] // the other's real user
    [InlineData(1001, 1000, 1001, 1001, true)] // the own real user
    [InlineData(1000, 0, 1001, 1001, true)] // root
    public void SignalsObeyUsers(uint user, uint effective, uint otherUser, uint otherEffective, bool allowed)
    {
        using var g = new TestGuest(false);
        using var other = new TestGuest(false, kernel: g.Kernel);
        other.Thread.Blocked = ~0UL;
        g.Process.Credentials = new Credentials { User = user, EffectiveUser = effective, SavedUser = effective };
        other.Process.Credentials = new Credentials { User = otherUser, EffectiveUser = otherEffective, SavedUser = otherEffective };
        (g.Process.SessionId, other.Process.SessionId) = (1, 2);
        var pid = (ulong)other.Process.Pid;
        var expected = allowed ? 0 : -EPERM;
        Assert.Equal(expected, g.Call("kill", pid, 0));
        Assert.Equal(expected, g.Call("kill", pid, Signal.Term));
        Assert.Equal(expected, g.Call("tgkill", pid, pid, Signal.Int));
        Assert.Equal(expected, g.Call("kill", pid, Signal.Cont));
        Assert.Equal(allowed, other.Process.Pending.Set != 0);
        other.Process.SessionId = 1;
        Assert.Equal(0, g.Call("kill", pid, Signal.Cont));
    }

    [Fact]
    public void LimitsAndListsOfAnotherUserAreItsOwn()
    {
        using var g = new TestGuest(false);
        using var other = new TestGuest(false, kernel: g.Kernel);
        g.Process.Credentials = new Credentials { User = 1000, EffectiveUser = 1000, SavedUser = 1000 };
        other.Process.Credentials = new Credentials { User = 1001, EffectiveUser = 1001, SavedUser = 1001 };
        var pid = (ulong)other.Process.Pid;
        Assert.Equal(-EPERM, g.Call("prlimit64", pid, 7, 0, TestGuest.Buffer));
        Assert.Equal(-EPERM, g.Call("get_robust_list", pid, TestGuest.Buffer, TestGuest.Buffer));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void AnInformationOfTheKernelIsForOneselfOnly(bool is32)
    {
        using var g = new TestGuest(is32);
        using var other = new TestGuest(is32, kernel: g.Kernel);
        g.Thread.Blocked = other.Thread.Blocked = ~0UL;
        var at = g.Put(new byte[SignalInfo.Size]);
        Assert.Equal(-EPERM, g.Call("rt_sigqueueinfo", (ulong)other.Process.Pid, Signal.Usr1, at));
        Assert.Equal(0, g.Call("rt_sigqueueinfo", (ulong)g.Process.Pid, Signal.Usr1, at));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void LeasesAndDirectoryNotificationsAreRefused(bool is32)
    {
        const ulong SetLease = 1024, GetLease = 1025, Notify = 1026, Unlocked = 2;
        using var g = new TestGuest(is32);
        var fd = (ulong)g.Open("file", OpenFlags.Create);
        Assert.Equal(-EINVAL, g.Call("fcntl", fd, SetLease, 0));
        Assert.Equal(-EINVAL, g.Call("fcntl", fd, SetLease, 1));
        Assert.Equal((long)Unlocked, g.Call("fcntl", fd, GetLease));
        var directory = (ulong)g.Open(".", OpenFlags.Directory);
        Assert.Equal(-EINVAL, g.Call("fcntl", directory, Notify, 1));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void AnOwnerGetsSignalsOfItsFile(bool is32)
    {
        const ulong SetStatus = 4, GetStatus = 3, SetOwner = 8, GetOwner = 9, SetSignal = 10, SetOwnerEx = 15, GetOwnerEx = 16, Async = 0x2000;
        using var g = new TestGuest(is32);
        g.Thread.Blocked = ~0UL;
        Assert.Equal(0, g.Call("pipe", TestGuest.Buffer));
        var (read, write) = ((ulong)g.GetInt(TestGuest.Buffer), (ulong)g.GetInt(TestGuest.Buffer + 4));
        var pid = (ulong)g.Process.Pid;
        Assert.Equal(0, g.Call("fcntl", read, GetOwner));
        Assert.Equal(-ESRCH, g.Call("fcntl", read, SetOwner, (ulong)Environment.ProcessId));
        Assert.Equal(0, g.Call("fcntl", read, SetOwner, pid));
        Assert.Equal((long)pid, g.Call("fcntl", read, GetOwner));
        Assert.Equal(0, g.Call("fcntl", read, SetStatus, Async));
        Assert.NotEqual(0, g.Call("fcntl", read, GetStatus) & (long)Async);
        Assert.Equal(0UL, g.Process.Pending.Set);
        Assert.Equal(1, g.Call("write", write, g.Put(1), 1));
        Assert.Equal(SignalInfo.FromKernel, Wait(g, Signal.Io).Code);

        // With another signal comes what happened; to a thread.
        Assert.Equal(-EINVAL, g.Call("fcntl", read, SetSignal, 65));
        Assert.Equal(0, g.Call("fcntl", read, SetSignal, 40));
        Assert.Equal(0, g.Call("fcntl", read, SetOwnerEx, g.PutInts(0, (int)pid)));
        Assert.Equal(0, g.Call("fcntl", read, GetOwnerEx, TestGuest.Buffer));
        Assert.Equal((0, (int)pid), (g.GetInt(TestGuest.Buffer), g.GetInt(TestGuest.Buffer + 4)));
        Assert.Equal(1, g.Call("write", write, g.Put(1), 1));
        var info = Wait(g, 40);
        Assert.Equal((1, (int)read), (info.Code, info.Status));

        // Off again; and through ioctl.
        Assert.Equal(0, g.Call("fcntl", read, SetStatus, 0));
        Assert.Equal(0, g.Call("fcntl", read, GetStatus) & (long)Async);
        Assert.Equal(0, g.Call("ioctl", read, 0x5452, g.PutInts(1)));
        Assert.Equal(1, g.Call("write", write, g.Put(1), 1));
        Wait(g, 40);
        Assert.Equal(0, g.Call("close", read));
        Assert.Equal(-ENOTTY, g.Call("ioctl", (ulong)g.Open("file", OpenFlags.Create), 0x5452, g.PutInts(1)));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void AGroupOwnsASocketThroughIoctl(bool is32)
    {
        const ulong SetOwner = 0x8902, GetOwner = 0x8904;
        using var g = new TestGuest(is32);
        g.Process.GroupId = 77;
        Assert.Equal(0, g.Call("socketpair", 1, 1, 0, TestGuest.Buffer));
        var fd = (ulong)g.GetInt(TestGuest.Buffer);
        Assert.Equal(0, g.Call("ioctl", fd, SetOwner, g.PutInts(-77)));
        Assert.Equal(0, g.Call("ioctl", fd, GetOwner, TestGuest.Buffer));
        Assert.Equal(-77, g.GetInt(TestGuest.Buffer));
        Assert.Equal(-ESRCH, g.Call("ioctl", fd, SetOwner, g.PutInts(-78)));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void PointersInsideArgumentsAreNotForTheHost(bool is32)
    {
        using var g = new TestGuest(is32);
        var fd = (ulong)g.Call("socket", 2, 1, 0);
        g.Call("ioctl", fd, 0, 0);
        Assert.Equal(-ENOTTY, g.Call("ioctl", fd, 0x8946, TestGuest.Buffer)); // SIOCETHTOOL
        Assert.Equal(-ENOTTY, g.Call("ioctl", fd, 0x8940, TestGuest.Buffer)); // SIOCGIFBR
        Assert.Equal(-ENOPROTOOPT, g.Call("getsockopt", fd, 6, 35, TestGuest.Buffer, g.PutInts(64))); // TCP_ZEROCOPY_RECEIVE
        Assert.Equal(-ENOPROTOOPT, g.Call("setsockopt", fd, 1, 26, TestGuest.Buffer, 16)); // SO_ATTACH_FILTER
        Assert.Equal(-EAFNOSUPPORT, g.Call("socket", 44, 3, 0)); // AF_XDP
        Assert.Equal(-EAFNOSUPPORT, g.Call("socketpair", 21, 5, 0, TestGuest.Buffer)); // AF_RDS

        // F_GET_RW_HINT writes 64 bits: to guest memory or not at all.
        var file = (ulong)g.Open("file", OpenFlags.Create);
        Assert.Equal(-EFAULT, g.Call("fcntl", file, 1035, TestGuest.BadAddress));
        Assert.Equal(0, g.Call("fcntl", file, 1035, TestGuest.Buffer));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void TheDescriptorLimitIsExactAndComesFirst(bool is32)
    {
        using var g = new TestGuest(is32);
        g.Process.Files.Limit = 20;
        Assert.Equal(0, g.Call("pipe", TestGuest.Buffer));
        var listener = (ulong)g.Call("socket", 1, 1, 0);
        Assert.Equal(0, g.Call("listen", Listen(g, listener), 5));
        var client = (ulong)g.Call("socket", 1, 0x801, 0);
        Assert.Equal(0, g.Call("connect", client, Address(g), 10));
        for (var fd = 4; fd < 20; fd++)
            Assert.Equal(fd, g.Open("file", OpenFlags.Create));
        Assert.Equal(-EMFILE, g.Open("other", OpenFlags.Create));
        Assert.False(File.Exists(Path.Join(g.Directory, "other")));
        Assert.Equal(-EMFILE, g.Call("dup", 0));
        Assert.Equal(-EMFILE, g.Call("pipe", TestGuest.Buffer));

        // A connection that there is no number for waits.
        Assert.Equal(-EMFILE, g.Call("accept4", listener, 0, 0, 0));
        Assert.Equal(0, g.Call("close", 10));
        Assert.Equal(10, g.Call("accept4", listener, 0, 0, 0));
        Assert.Equal(0, g.Call("close", 7));
        Assert.Equal(7, g.Call("dup", 0));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void TheFileSizeLimitCutsAndSignals(bool is32)
    {
        using var g = new TestGuest(is32);
        g.Thread.Blocked = ~0UL;
        g.Process.Limits[ResourceLimits.FileSize] = (100, 100);
        var fd = (ulong)g.Open("file", OpenFlags.Create | OpenFlags.ReadWrite);
        Assert.Equal(90, g.Call("write", fd, TestGuest.Buffer, 90));
        Assert.Equal(0UL, g.Thread.Pending.Set);
        Assert.Equal(10, g.Call("writev", fd, g.PutLongs(TestGuest.Buffer, 6, TestGuest.Buffer, 60), 2));
        Assert.Equal(-EFBIG, g.Call("write", fd, TestGuest.Buffer, 1));
        Assert.Equal(Signal.Bit(Signal.Xfsz), g.Thread.Pending.Set);
        Assert.Equal(-EFBIG, g.Call("ftruncate", fd, 101));
        Assert.Equal(0, g.Call("ftruncate", fd, 100));
        Assert.Equal(-EFBIG, is32 ? g.Call("fallocate", fd, 0, 0, 0, 101, 0) : g.Call("fallocate", fd, 0, 0, 101));
        Assert.Equal(100, new FileInfo(Path.Join(g.Directory, "file")).Length);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void StringsOfExecveHaveTheKernelsLimits(bool is32)
    {
        using var g = new TestGuest(is32);
        g.Process.Memory.Space.Map(0x100000, 0x400000, DynaTrans.Runtime.Memory.PagePermission.Read | DynaTrans.Runtime.Memory.PagePermission.Write);
        var word = is32 ? 4u : 8u;
        var path = g.Put("/nonexistent/program");
        ulong text = 0x100000, array = 0x300000;
        void Fill(int length) => g.Space.Write(text, [.. Enumerable.Repeat((byte)'x', length), 0]);
        void Point(int count, ulong at)
        {
            for (var i = 0; i <= count; i++)
                g.Space.Write(array + ((ulong)i * word), BitConverter.GetBytes(i < count ? at : 0).AsSpan(0, (int)word));
        }

        long Exec() => g.Call("execve", path, array, 0);
        g.Process.Limits[ResourceLimits.Stack] = (8 << 20, 8 << 20);

        // One string: 128 KiB with its zero.
        Fill((128 << 10) - 1);
        Point(1, text);
        Assert.Equal(-ENOENT, Exec());
        Fill(128 << 10);
        Assert.Equal(-E2BIG, Exec());

        // All: a quarter of the stack's limit, 8 bytes a pointer, and the path.
        Fill(1023);
        var fits = ((2 << 20) - 21) / (1024 + 8);
        Point(fits, text);
        Assert.Equal(-ENOENT, Exec());
        Point(fits + 1, text);
        Assert.Equal(-E2BIG, Exec());

        // At least 128 KiB, at most 6 MiB.
        g.Process.Limits[ResourceLimits.Stack] = (4096, 4096);
        fits = ((128 << 10) - 21) / (1024 + 8);
        Point(fits, text);
        Assert.Equal(-ENOENT, Exec());
        Point(fits + 1, text);
        Assert.Equal(-E2BIG, Exec());
        g.Process.Limits[ResourceLimits.Stack] = (ulong.MaxValue, ulong.MaxValue);
        fits = ((6 << 20) - 21) / (1024 + 8);
        Point(fits, text);
        Assert.Equal(-ENOENT, Exec());
        Point(fits + 1, text);
        Assert.Equal(-E2BIG, Exec());

        Point(1, TestGuest.BadAddress);
        Assert.Equal(-EFAULT, Exec());
        Assert.Equal(-EFAULT, g.Call("execve", path, TestGuest.BadAddress, 0));
        Assert.Equal(-ENOENT, g.Call("execve", path, 0, 0));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ReceivedDescriptorsBeyondTheLimitAreClosedOnce(bool is32)
    {
        using var g = new TestGuest(is32);
        Assert.Equal(0, g.Call("socketpair", 1, 2, 0, TestGuest.Buffer));
        var (from, to) = ((ulong)g.GetInt(TestGuest.Buffer), (ulong)g.GetInt(TestGuest.Buffer + 4));
        var rights = is32 ? g.PutInts(16, 1, 1, (int)from) : g.PutInts(20, 0, 1, 1, (int)from, 0);
        var header = g.PutLongs(0, 0, g.PutLongs(TestGuest.Buffer, 1), 1, rights, is32 ? 16u : 24u, 0);
        Assert.Equal(1, g.Call("sendmsg", from, header, 0));
        g.Process.Files.Limit = 2;
        Assert.Equal(1, g.Call("recvmsg", to, header, 0));
        const int ControlTruncated = 8;
        Assert.Equal(ControlTruncated, g.GetInt(header + (is32 ? 24u : 48u)));
        Assert.Equal([0, 1], g.Process.Files.Numbers());
    }

    [Fact]
    public void BackgroundProcessesDoNotReadOtherFilesDifferently()
    {
        using var g = new TestGuest(false);
        (g.Process.GroupId, g.Process.SessionId) = (g.Kernel.ForegroundGroup + 1, g.Kernel.HostSession);
        Assert.Equal(0, g.Call("pipe", TestGuest.Buffer));
        var (read, write) = ((ulong)g.GetInt(TestGuest.Buffer), (ulong)g.GetInt(TestGuest.Buffer + 4));
        Assert.Equal(1, g.Call("write", write, TestGuest.Buffer, 1));
        Assert.Equal(1, g.Call("read", read, TestGuest.Buffer, 1));
        Assert.Equal(-ENOTTY, g.Call("ioctl", read, 0x5402, TestGuest.Buffer));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void TheLimitOfProcessesIsForUsers(bool is32)
    {
        using var g = new TestGuest(is32);
        g.Process.Credentials = new Credentials { User = 1000, EffectiveUser = 1000, SavedUser = 1000 };
        g.Process.Threads.Add(g.Thread);
        g.Process.Limits[ResourceLimits.Processes] = (1, 1);
        Assert.Equal(-EAGAIN, g.Call("fork"));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void LimitsCannotReachTheHosts(bool is32)
    {
        using var g = new TestGuest(is32);
        HostDescriptors.Prepare();
        var most = HostDescriptors.MostForGuest;
        g.Process.Credentials = new Credentials();
        g.Process.Limits[ResourceLimits.Files] = (64, 64);
        g.Space.Write(TestGuest.Buffer, BitConverter.GetBytes(most));
        g.Space.Write(TestGuest.Buffer + 8, BitConverter.GetBytes(most));
        Assert.Equal(0, g.Call("prlimit64", 0, ResourceLimits.Files, TestGuest.Buffer, 0));
        Assert.Equal((int)most, g.Process.Files.Limit);
        g.Space.Write(TestGuest.Buffer + 8, BitConverter.GetBytes(most + 1));
        Assert.Equal(-EPERM, g.Call("prlimit64", 0, ResourceLimits.Files, TestGuest.Buffer, 0));
    }

    [Fact]
    public void ChildrenLearnOfTheirParentsEnd()
    {
        const ulong SetDeathSignal = 1, GetDeathSignal = 2, SetSubreaper = 36;
        using var first = new TestGuest(false);
        using var parent = new TestGuest(false, kernel: first.Kernel);
        using var child = new TestGuest(false, kernel: first.Kernel);
        (parent.Process.Parent, child.Process.Parent) = (first.Process, parent.Process);
        first.Process.Children.Add(parent.Process);
        parent.Process.Children.Add(child.Process);
        child.Process.Threads.Add(child.Thread);
        child.Thread.Blocked = ~0UL;
        Assert.Equal(-EINVAL, child.Call("prctl", SetDeathSignal, 65));
        Assert.Equal(0, child.Call("prctl", SetDeathSignal, Signal.Usr1));
        Assert.Equal(0, child.Call("prctl", GetDeathSignal, TestGuest.Buffer));
        Assert.Equal(Signal.Usr1, child.GetInt(TestGuest.Buffer));
        Assert.Equal(0, first.Call("prctl", SetSubreaper, 1));
        parent.Process.AdoptChildren();
        Assert.Equal(Signal.Bit(Signal.Usr1), child.Process.Pending.Set);
        Assert.Equal(first.Process.Pid, child.Call("getppid"));
        Assert.Contains(child.Process, first.Process.Children);
    }

    private static ulong Address(TestGuest g) => g.Put([1, 0, 0, .. System.Text.Encoding.ASCII.GetBytes($"t{g.Process.Pid:d6}")]);

    private static ulong Listen(TestGuest g, ulong fd)
    {
        Assert.Equal(0, g.Call("bind", fd, Address(g), 10));
        return fd;
    }

    // Takes a signal that comes from another thread soon.
    private static SignalInfo Wait(TestGuest g, int signal)
    {
        for (var i = 0; i < 1000; i++)
        {
            lock (g.Kernel.Gate)
                if (g.Process.Pending.TryTake(Signal.Bit(signal), out var info) || g.Thread.Pending.TryTake(Signal.Bit(signal), out info))
                    return info;
            Thread.Sleep(10);
        }

        throw new Xunit.Sdk.XunitException($"signal {signal} did not come");
    }
}
