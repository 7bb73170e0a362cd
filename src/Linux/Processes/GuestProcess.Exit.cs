using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Processes;

/// <summary>The end of a process, and what its parent learns of it.</summary>
public sealed partial class GuestProcess
{
    internal const int ChildExited = 1, ChildKilled = 2, ChildDumped = 3, ChildTrapped = 4, ChildStopped = 5, ChildContinued = 6;

    /// <summary>The wait status: exit status in bits 15:8, or the signal in bits 6:0 with bit 7 for a core dump.</summary>
    public int ExitStatus { get; private set; }

    /// <summary>The end of the process has been decided; its threads are leaving. Under the kernel's gate.</summary>
    public bool IsExiting { get; private set; }

    /// <summary>The thread of the parent that made the process, or that got it from there. Under the kernel's gate.</summary>
    internal GuestThread? Maker { get; set; }

    /// <summary>Signal that the parent gets at the end; SIGCHLD for fork.</summary>
    public int ExitSignal { get; internal set; } = Signal.Chld;

    /// <summary>Where the last thread was when a signal ended the process: address and registers for the report.</summary>
    public ulong DeathAddress { get; internal set; }

    /// <summary>The fault address of a deadly SIGSEGV or SIGBUS, or null.</summary>
    public ulong? DeathFault { get; internal set; }

    /// <summary>What is at that address, for the report: opcode bytes, the nearest symbol. Of the first process and for faults only; else empty.</summary>
    public string DeathSite { get; internal set; } = string.Empty;

    /// <summary>CPU time of threads that have ended. Under the kernel's gate.</summary>
    internal CpuUsage EndedThreads { get; private set; }

    /// <summary>CPU time of children that were waited for, and of theirs. Under the kernel's gate.</summary>
    internal CpuUsage WaitedChildren { get; private set; }

    /// <summary>Set while a vfork parent waits for this process to leave its memory.</summary>
    internal bool HoldsParent { get; set; }

    /// <summary>A thread that executes execve and waits for the others to end; they must leave but the process stays.</summary>
    internal GuestThread? Survivor { get; set; }

    /// <summary>True when no thread will ever run again and the last exit status is valid.</summary>
    public bool HasEnded => State == ProcessState.Zombie;

    /// <summary>Decides the end of the process (the first decision counts) and makes all threads leave.</summary>
    internal void BeginExit(int status)
    {
        lock (Kernel.Gate)
        {
            if (IsExiting)
                return;
            IsExiting = true;
            ExitStatus = status;
            if (State == ProcessState.Stopped)
                State = ProcessState.Running;
            InterruptAll();
        }
    }

    /// <summary>True when a thread has to leave. Under the kernel's gate.</summary>
    internal bool MustLeave(GuestThread thread) => IsExiting || (Survivor != null && Survivor != thread);

    /// <summary>
    /// Takes a thread that has left out of the process. The last one gives back what the process holds, and the parent learns of it.
    /// </summary>
    internal void Leave(GuestThread thread, int statusOfLast)
    {
        bool last;
        lock (Kernel.Gate)
        {
            EndedThreads += thread.CpuUsage();
            last = Threads.Count == 1;
            DropPending(thread, last);
            thread.EndTracing(0);
            if (last)
            {
                EndTracing();
                if (!IsExiting)
                {
                    IsExiting = true;
                    ExitStatus = statusOfLast;
                }
            }
            else
            {
                Threads.Remove(thread);
                Kernel.Remove(thread);
                LeaveChildren(thread);
            }
        }

        // Whatever fails, the parent learns of the end.
        try
        {
            thread.DisposeCpu();
            if (last)
                GiveBack();
        }
        finally
        {
            if (last)
                End(thread);
        }
    }

    private void GiveBack()
    {
        try
        {
            Timers.Clear();
            _cpuLimit?.Dispose();
            DropAllRecordLocks();
            Kernel.Ipc.Leave(Pid);
            Files.RemoveUser();
            FileSystem.RemoveUser();
        }
        finally
        {
            SetExecutable(null);
            ReleaseParent();
            Memory.RemoveUser();
        }
    }

    private void End(GuestThread thread)
    {
        lock (Kernel.Gate)
        {
            Threads.Clear();
            Kernel.Remove(thread);
            State = ProcessState.Zombie;
            foreach (var descriptor in PidDescriptors)
                descriptor.TellEnd();
            AdoptChildren();
            if (!NotifyParent(EndCode, 0))
                Reap();
            Monitor.PulseAll(Kernel.Gate);
        }
    }

    /// <summary>Lets a vfork parent go on.</summary>
    internal void ReleaseParent()
    {
        lock (Kernel.Gate)
        {
            HoldsParent = false;
            Parent?.WakeWaiters();
        }
    }

    /// <summary>Takes a zombie out of the tree. Under the kernel's gate.</summary>
    internal void Reap()
    {
        if (Parent is { } parent)
        {
            parent.Children.Remove(this);
            parent.WaitedChildren += EndedThreads + WaitedChildren;
        }

        Kernel.Remove(this);
    }

    /// <summary>Wakes threads that wait for children. Under the kernel's gate.</summary>
    internal void WakeWaiters()
    {
        foreach (var thread in Threads)
            thread.WakeEvent();
    }

    // Sends SIGCHLD. False: the parent does not want to wait for it (or there is none), the zombie goes at once.
    private bool NotifyParent(int code, int signal)
    {
        if (Parent is not { } parent)
            return false;
        var action = parent.Actions[Signal.Chld];
        var ends = code is ChildExited or ChildKilled or ChildDumped;
        var wanted = ends || (action.Flags & SignalFlags.NoChildStop) == 0;
        if (wanted && ExitSignal != 0)
        {
            parent.Send(new SignalInfo
            {
                Number = ends ? ExitSignal : Signal.Chld,
                Code = code,
                Kind = SignalInfoKind.Child,
                Pid = Pid,
                User = Credentials.User,
                Status = code == ChildExited ? ExitStatus >> 8 & 0xFF : ends ? ExitStatus & 0x7F : signal,
                UserTime = EndedThreads.User / 10_000_000,
                SystemTime = EndedThreads.System / 10_000_000,
            });
        }

        parent.WakeWaiters();
        var automatic = ExitSignal == Signal.Chld
            && (action.Handler == SignalAction.Ignore || (action.Flags & SignalFlags.NoChildWait) != 0);
        return !ends || !automatic;
    }

    // Orphans go to the nearest ancestor that wants them. Others have no parent that waits; they go as soon as they end.
    internal void AdoptChildren()
    {
        var heir = Parent;
        while (heir is { IsSubreaper: false } || heir?.IsExiting == true)
            heir = heir.Parent;
        var orphans = Children.ToArray();
        Children.Clear();
        foreach (var child in orphans)
        {
            child.Parent = heir;
            child.Maker = heir?.Threads.FirstOrDefault();
            child.OrphanParentPid = 1;
            child.ExitSignal = Signal.Chld;
            heir?.Children.Add(child);
            child.SendDeathSignals(this);

            // The heir learns of those that have ended before as of any child.
            if (child.State == ProcessState.Zombie && !child.NotifyParent(child.EndCode, 0))
                child.Reap();
        }
    }

    // Children of a thread that ends stay with the process.
    private void LeaveChildren(GuestThread thread)
    {
        foreach (var child in Children)
        {
            if (child.Maker != thread)
                continue;
            child.Maker = Threads.FirstOrDefault();
            child.SendDeathSignals(this);
        }
    }

    private void SendDeathSignals(GuestProcess parent)
    {
        foreach (var thread in Threads.ToArray())
            if (thread.DeathSignal != 0)
                Send(SignalInfo.Sent(thread.DeathSignal, SignalInfo.FromUser, parent.Pid, parent.Credentials.User));
    }

    // The si_code of SIGCHLD for the end.
    private int EndCode => (ExitStatus & 0x7F) == 0 ? ChildExited : (ExitStatus & 0x80) != 0 ? ChildDumped : ChildKilled;
}
