using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Processes;

/// <summary>Signals sent to a process or thread: queueing, choosing a thread, stop and continue.</summary>
public sealed partial class GuestProcess
{
    /// <summary>Signals that wait for any thread of the process. Under the kernel's gate.</summary>
    public PendingSignals Pending { get; } = new();

    /// <summary>A stop or continue that the parent has not been told about by wait: its wait status, or null. Under the kernel's gate.</summary>
    internal int? WaitEvent { get; set; }

    /// <summary>True when this process may change how another one is scheduled: as root, or with its real or effective user.</summary>
    internal bool OwnsOrIsRoot(GuestProcess? target) =>
        target == null || Credentials.EffectiveUser == 0 || Credentials.EffectiveUser == target.Credentials.User
        || Credentials.EffectiveUser == target.Credentials.EffectiveUser;

    /// <summary>True when this process may see and change the limits of another one (prlimit(2)).</summary>
    internal bool MayLimit(GuestProcess target)
    {
        var (own, other) = (Credentials, target.Credentials);
        return target == this || own.EffectiveUser == 0
            || (own.User == other.User && own.User == other.EffectiveUser && own.User == other.SavedUser
                && own.Group == other.Group && own.Group == other.EffectiveGroup && own.Group == other.SavedGroup);
    }

    /// <summary>
    /// True when this process may send a signal to another one, by the numbers that both see of themselves (kill(2)): as root, with its
    /// real or effective user among the other's real and saved ones, and SIGCONT within the session.
    /// </summary>
    internal bool MaySignal(GuestProcess target, int signal) =>
        target == this || Credentials.MaySignal(target.Credentials) || (signal == Signal.Cont && SessionId == target.SessionId);

    /// <summary>Sends a signal to the process. False (EAGAIN): too many are queued.</summary>
    public bool Send(in SignalInfo info)
    {
        lock (Kernel.Gate)
        {
            if (State == ProcessState.Zombie || IsExiting || !Prepare(info, null))
                return true;
            if (!Queue(Pending, info))
                return false;
            var bit = Signal.Bit(info.Number);
            TellDescriptors();
            foreach (var thread in Threads)
            {
                if ((thread.Blocked & bit) != 0 && (thread.WaitedFor & bit) == 0)
                    continue;
                thread.Interrupt();
                return true;
            }

            return true;
        }
    }

    /// <summary>Sends a signal to one thread of the process. False (EAGAIN): too many are queued.</summary>
    public bool Send(GuestThread thread, in SignalInfo info)
    {
        lock (Kernel.Gate)
        {
            if (State == ProcessState.Zombie || IsExiting || !Prepare(info, thread))
                return true;
            if (!Queue(thread.Pending, info))
                return false;
            var bit = Signal.Bit(info.Number);
            TellDescriptors();
            if ((thread.Blocked & bit) == 0 || (thread.WaitedFor & bit) != 0)
                thread.Interrupt();
            return true;
        }
    }

    /// <summary>
    /// Sends the signal of a fault to the thread that made it. When it is blocked or ignored it ends the process (as the kernel's
    /// force_sig does).
    /// </summary>
    internal void Force(GuestThread thread, in SignalInfo info)
    {
        lock (Kernel.Gate)
        {
            var bit = Signal.Bit(info.Number);
            if ((thread.Blocked & bit) != 0 || Actions[info.Number].Handler == SignalAction.Ignore)
            {
                Actions[info.Number] = default;
                thread.Blocked &= ~bit;
            }

            thread.Pending.Add(info);
            thread.Interrupt();
        }
    }

    /// <summary>
    /// Takes the next signal of a set that waits for a thread or for its process. What a timer sent starts the timer again. Under the
    /// kernel's gate.
    /// </summary>
    internal bool TryTake(GuestThread thread, ulong set, out SignalInfo info)
    {
        bool ofThread;
        while ((ofThread = thread.Pending.TryTake(set, out info)) || Pending.TryTake(set, out info))
        {
            if (info.Timer is { } timer && !timer.Deliver(ref info))
                continue;
            if (info.Number == Signal.Alrm && !ofThread)
                _timers?.AlarmTaken();
            TellDescriptors();
            return true;
        }

        return false;
    }

    /// <summary>Lets other threads take signals of the process that a thread takes no longer. Under the kernel's gate.</summary>
    internal void Retarget(GuestThread from, ulong set)
    {
        set &= Pending.Set;
        if (set == 0)
            return;
        foreach (var thread in Threads)
        {
            if (thread == from || (set & ~thread.Blocked) == 0)
                continue;
            thread.Interrupt();
            set &= thread.Blocked;
        }
    }

    /// <summary>Forgets what waits for a thread that ends, and with the last one what waits for the process. Under the kernel's gate.</summary>
    internal void DropPending(GuestThread thread, bool isLast)
    {
        thread.Pending.Remove(ulong.MaxValue);
        if (isLast)
            Pending.Remove(ulong.MaxValue);
        else
            Retarget(thread, ~thread.Blocked);
    }

    // The kernel's __send_signal: a signal of the kernel or of kill comes although too many are queued, without its information then; others
    // do not.
    private bool Queue(PendingSignals pending, SignalInfo info)
    {
        if (info.Timer != null)
        {
            pending.Add(info);
            return true;
        }

        var account = Kernel.QueuedSignals(Credentials.User);
        var isStandard = info.Number < Signal.FirstRealTime;
        if ((isStandard && info.Code >= 0) || (ulong)account.Count < Limits[ResourceLimits.PendingSignals].Soft)
        {
            pending.Add(info with { Account = account });
            return true;
        }

        if (!isStandard && info.Code != SignalInfo.FromUser)
            return false;
        if ((pending.Set & Signal.Bit(info.Number)) == 0)
            pending.Add(SignalInfo.Sent(info.Number, SignalInfo.FromUser, 0, 0));
        return true;
    }

    /// <summary>Makes every thread look at its signals and at the state of the process. Under the kernel's gate.</summary>
    internal void InterruptAll()
    {
        foreach (var thread in Threads)
            thread.Interrupt();
        Monitor.PulseAll(Kernel.Gate);
    }

    /// <summary>Stops the process, and tells the parent. Under the kernel's gate.</summary>
    internal void Stop(int signal)
    {
        if (State != ProcessState.Running)
            return;
        State = ProcessState.Stopped;
        WaitEvent = (signal << 8) | 0x7F;
        InterruptAll();
        NotifyParent(ChildStopped, signal);
    }

    // What happens at sending, before anything is queued. False: nothing is queued.
    private bool Prepare(in SignalInfo info, GuestThread? thread)
    {
        const ulong Stops = (1UL << (Signal.Stop - 1)) | (1UL << (Signal.Tstp - 1)) | (1UL << (Signal.Ttin - 1)) | (1UL << (Signal.Ttou - 1));
        var bit = Signal.Bit(info.Number);
        if ((bit & Stops) != 0)
        {
            ForgetPending(Signal.Bit(Signal.Cont));
        }
        else if (info.Number is Signal.Cont or Signal.Kill)
        {
            ForgetPending(Stops);
            if (State == ProcessState.Stopped)
            {
                State = ProcessState.Running;
                InterruptAll();
                if (info.Number == Signal.Cont)
                {
                    WaitEvent = 0xFFFF;
                    NotifyParent(ChildContinued, Signal.Cont);
                }
            }
        }

        return info.Number is Signal.Kill or Signal.Stop || !Ignores(info.Number, thread);
    }

    /// <summary>
    /// True when a signal would not be queued: an ignored one stays pending only while it is blocked (its action may change before it is
    /// unblocked). Under the kernel's gate.
    /// </summary>
    internal bool Ignores(int signal, GuestThread? thread)
    {
        var bit = Signal.Bit(signal);
        return Actions[signal].Ignores(signal)
            && !(thread != null ? ((thread.Blocked | thread.WaitedFor) & bit) != 0 : Threads.Exists(t => ((t.Blocked | t.WaitedFor) & bit) != 0));
    }

    /// <summary>Sets what the process does about a signal. Gives what it did.</summary>
    internal SignalAction Exchange(int signal, SignalAction action)
    {
        lock (Kernel.Gate)
        {
            var old = Actions[signal];
            Actions[signal] = action with { Flags = action.Flags & SignalFlags.Known, Mask = action.Mask & ~Signal.Unblockable };

            // Ignoring a signal forgets the ones that wait.
            var ignores = action.Ignores(signal);
            if (ignores)
                ForgetPending(Signal.Bit(signal));
            _timers?.SignalIgnored(signal, ignores);
            return old;
        }
    }

    private void TellDescriptors()
    {
        foreach (var descriptor in Kernel.SignalDescriptors)
            descriptor.Refresh(this);
    }

    private void ForgetPending(ulong set)
    {
        Pending.Remove(set);
        foreach (var thread in Threads)
            thread.Pending.Remove(set);
        TellDescriptors();
    }
}
