using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Files;

/// <summary>
/// Signal-driven input and output: a host thread waits for changes of the files that have an owner, by an edge-triggered epoll instance of
/// the host, and sends the signals that the kernel would. The thread ends when no file has an owner any more.
/// </summary>
internal sealed unsafe class OwnerSignals(LinuxKernel kernel)
{
    private const int Add = 1, Delete = 2, MaxEvents = 64, IdleMilliseconds = 1000, StackSize = 256 << 10;
    private const uint In = 1, Priority = 2, Out = 4, Error = 8, HangUp = 16, Edges = 1u << 31, ReadHangUp = 0x2000;

    // si_code and the poll bits that go with it.
    private const int CodeIn = 1, CodeOut = 2, CodeError = 4, CodePriority = 5, CodeHangUp = 6;

    // By host descriptor; guarded by the kernel's gate, as the owners are.
    private readonly Dictionary<int, FileOwner> _watched = [];
    private int _epoll = -1;

    /// <summary>Begins to watch a file. Under the kernel's gate.</summary>
    /// <returns>0; -EPERM when the file has no such events (a regular file); another negative error number.</returns>
    public int Watch(FileOwner owner)
    {
        if (owner.IsWatched)
            return 0;
        if (_epoll < 0 && Start() is var error and < 0)
            return error;

        // What is ready already is no change. epoll reports it once.
        var ready = (uint)owner.HostFd | (ulong)(In | Out | Priority) << 32;
        var now = stackalloc long[2] { 0, 0 };
        var skips = HostCalls.Call(HostSys.Ppoll, (nint)(&ready), 1, (nint)now, 0, 8) > 0;
        var entry = new Event { Events = In | Out | Priority | ReadHangUp | Edges, Fd = owner.HostFd };
        error = (int)HostCalls.Call(HostSys.EpollCtl, _epoll, Add, owner.HostFd, (nint)(&entry));
        if (error < 0)
            return error;
        owner.IsWatched = true;
        owner.SkipsNext = skips;
        _watched[owner.HostFd] = owner;
        return 0;
    }

    /// <summary>Ends watching a file that is being closed.</summary>
    public void Forget(FileOwner owner)
    {
        lock (kernel.Gate)
        {
            if (!owner.IsWatched)
                return;
            owner.IsWatched = false;
            _watched.Remove(owner.HostFd);
            HostCalls.Call(HostSys.EpollCtl, _epoll, Delete, owner.HostFd);
        }
    }

    private int Start()
    {
        _epoll = (int)HostCalls.Call(HostSys.EpollCreate1, OpenFlags.CloseOnExec);
        if (_epoll < 0)
            return _epoll;
        try
        {
            new Thread(Run, StackSize) { IsBackground = true, Name = "owner signals" }.Start();
            return 0;
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            HostCalls.Close(_epoll);
            _epoll = -1;
            return -Errno.ENOMEM;
        }
    }

    private void Run()
    {
        var events = stackalloc Event[MaxEvents];
        var epoll = _epoll;
        while (true)
        {
            var count = HostCalls.Call(HostSys.EpollWait, epoll, (nint)events, MaxEvents, IdleMilliseconds);
            lock (kernel.Gate)
            {
                for (var i = 0; i < count; i++)
                    if (_watched.TryGetValue((int)events[i].Fd, out var owner))
                        Changed(owner, events[i].Events);
                if (_watched.Count > 0)
                    continue;
                HostCalls.Close(epoll);
                _epoll = -1;
                return;
            }
        }
    }

    private void Changed(FileOwner owner, uint events)
    {
        if (owner.SkipsNext)
        {
            owner.SkipsNext = false;
            return;
        }

        if ((events & Priority) != 0)
            Send(owner, SignalInfo.Sent(Signal.Urg, SignalInfo.FromKernel, 0, 0));
        if (!owner.IsAsynchronous)
            return;
        var code = (events & In) != 0 ? CodeIn
            : (events & Priority) != 0 ? CodePriority
            : (events & (HangUp | ReadHangUp)) != 0 ? CodeHangUp
            : (events & Error) != 0 ? CodeError : CodeOut;
        Send(owner, owner.Signal == 0
            ? SignalInfo.Sent(Signal.Io, SignalInfo.FromKernel, 0, 0)
            : new SignalInfo { Number = owner.Signal, Code = code, Kind = SignalInfoKind.Poll, Value = events & 0x3FF, Status = owner.GuestFd });
    }

    private void Send(FileOwner owner, in SignalInfo info)
    {
        if (owner.Number == 0 || owner.Setter is not { } setter)
            return;
        if (owner.Kind == FileOwner.Thread)
        {
            if (kernel.FindThread(owner.Number) is { } thread && setter.MaySignal(thread.Process.Credentials))
                Queue(owner, thread.Process, thread, info);
            return;
        }

        foreach (var process in kernel.Processes.ToArray())
            if ((owner.Kind == FileOwner.Group ? process.GroupId : process.Pid) == owner.Number && setter.MaySignal(process.Credentials))
                Queue(owner, process, null, info);
    }

    // When the queue of a real-time signal is full, plain SIGIO tells that something was lost.
    private static void Queue(FileOwner owner, GuestProcess process, GuestThread? thread, in SignalInfo info)
    {
        if (!(thread == null ? process.Send(info) : process.Send(thread, info)) && owner.Signal != 0)
            process.Send(SignalInfo.Sent(Signal.Io, SignalInfo.FromKernel, 0, 0));
    }

    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential, Pack = 4)]
    private struct Event
    {
        public uint Events;
        public long Fd;
    }
}
