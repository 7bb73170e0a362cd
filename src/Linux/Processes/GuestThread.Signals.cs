using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Processes;

/// <summary>The thread's own side of signals: taking them, restarting calls, running handlers or default actions.</summary>
public sealed unsafe partial class GuestThread
{
    private SyscallRestart _restarts;
    private ulong? _maskAfterwards;

    /// <summary>Signals that wait for this thread. Under the kernel's gate.</summary>
    public PendingSignals Pending { get; } = new();

    /// <summary>Blocked signals. Changed by the thread itself, under the kernel's gate.</summary>
    public ulong Blocked { get; internal set; }

    /// <summary>Signals that sigtimedwait waits for now: they interrupt though they are blocked.</summary>
    internal ulong WaitedFor { get; set; }

    /// <summary>The alternate stack: address, size and SS_* flags.</summary>
    internal AlternateStack AlternateStack { get; set; } = AlternateStack.None;

    /// <summary>
    /// When restart_syscall goes on with a call: the time that call ends at (nanoseconds of CLOCK_MONOTONIC), else 0. Set by a call that
    /// gives -<see cref="Errno.ERESTART_RESTARTBLOCK"/>.
    /// </summary>
    internal long RestartDeadline
    {
        get => _restarts.Deadline;
        set => _restarts.Deadline = value;
    }

    /// <summary>
    /// Replaces the mask until the next handler has run (sigsuspend, ppoll, pselect, epoll_pwait). When no handler runs, it is restored
    /// when the call returns for good.
    /// </summary>
    internal void SetTemporaryMask(ulong mask)
    {
        lock (Process.Kernel.Gate)
        {
            _maskAfterwards ??= Blocked;
            ChangeBlocked(mask);
        }
    }

    /// <summary>Sends SIGPIPE to the thread: a write found its reader gone.</summary>
    internal void SendBrokenPipe() =>
        Process.Send(this, SignalInfo.Sent(Signal.Pipe, SignalInfo.FromUser, Process.Pid, Process.Credentials.User));

    /// <summary>Ends a temporary mask when the call was not interrupted.</summary>
    internal void RestoreMask()
    {
        lock (Process.Kernel.Gate)
        {
            if (_maskAfterwards is not { } mask)
                return;
            _maskAfterwards = null;
            ChangeBlocked(mask);
        }
    }

    /// <summary>Sets the mask for good.</summary>
    internal void SetMask(ulong mask)
    {
        lock (Process.Kernel.Gate)
            ChangeBlocked(mask);
    }

    /// <summary>A handler returns: what it interrupted is not gone on with by restart_syscall.</summary>
    internal void ForgetRestart() => _restarts.Forget();

    /// <summary>Forgets an interruption that was looked at. Under the kernel's gate.</summary>
    internal void ClearInterrupt() => Volatile.Write(ref *InterruptWord, 0);

    // Under the gate. What was blocked may be deliverable now; what is blocked from now on another thread may take.
    private void ChangeBlocked(ulong mask)
    {
        mask &= ~Signal.Unblockable;
        var added = mask & ~Blocked;
        Blocked = mask;
        Process.Retarget(this, added);
        if (((Pending.Set | Process.Pending.Set) & ~Blocked) != 0)
            Interrupt();
    }

    /// <summary>
    /// Handles everything that waits for the thread: an end, a stop, signals. Decides about the restart of the system call that was
    /// interrupted.
    /// </summary>
    /// <returns>False when the thread must leave.</returns>
    private bool HandleSignals()
    {
        var gate = Process.Kernel.Gate;
        while (true)
        {
            SignalInfo info;
            SignalAction action;
            lock (gate)
            {
                Volatile.Write(ref *InterruptWord, 0);
                if (Process.MustLeave(this))
                    return false;
                if (Process.State == ProcessState.Stopped && !IsStopForTracer)
                {
                    WaitWhileStopped();
                    continue;
                }

                if (!Process.TryTake(this, ~Blocked, out info))
                    break;
                if (!AskTracer(ref info))
                    continue;
                action = Process.Actions[info.Number];
                if (action.IsHandler && (action.Flags & SignalFlags.ResetHandler) != 0)
                    Process.Actions[info.Number] = action with { Handler = SignalAction.Default };
            }

            Process.Kernel.Strace?.Note(Tid, info);
            if (action.IsHandler)
            {
                RunHandler(info, action);
                continue;
            }

            if (action.Handler == SignalAction.Ignore)
                continue;
            switch (Signal.DefaultOf(info.Number))
            {
                case DefaultAction.Stop:
                    lock (gate)
                        if (info.Number == Signal.Stop || !IsOrphanedGroup())
                            Process.Stop(info.Number);
                    break;
                case DefaultAction.Terminate or DefaultAction.Core:
                    Die(info);
                    return false;
            }
        }

        RestartCall();
        RestoreMask();
        return true;
    }

    // The end by a signal. Core dumps are announced in the wait status only when the limit allows one.
    internal void Die(in SignalInfo info)
    {
        Process.DeathAddress = State->Slots[Slot.Rip];
        if (info.Kind == SignalInfoKind.Fault && info.Code != SignalInfo.FromKernel && info.Number is Signal.Segv or Signal.Bus)
            Process.DeathFault = info.Value;
        if (Process.Pid == Process.Kernel.HostProcessId)
            Process.DeathSite = CrashSite.Describe(Process.Memory, Process.DeathAddress, info.Number);
        Process.BeginExit(info.Number);
    }

    // Under the gate, which is given up meanwhile.
    private void WaitWhileStopped()
    {
        while (Process.State == ProcessState.Stopped && !IsStopForTracer && !Process.MustLeave(this) && (Pending.Set & Signal.Bit(Signal.Kill)) == 0
            && (Process.Pending.Set & Signal.Bit(Signal.Kill)) == 0)
            Monitor.Wait(Process.Kernel.Gate, 100);
    }

    // Job control stops do nothing in a group that no shell of the session watches.
    internal bool IsOrphanedGroup()
    {
        foreach (var member in Process.Kernel.Processes)
        {
            if (member.GroupId != Process.GroupId || member.State == ProcessState.Zombie)
                continue;
            if (member.Parent is { } parent && parent.SessionId == member.SessionId && parent.GroupId != member.GroupId)
                return false;
            if (member.Parent == null && member.SessionId == Process.Kernel.HostSession)
                return false;
        }

        return true;
    }

    private void RunHandler(in SignalInfo info, in SignalAction action)
    {
        if (_restarts.IsPending)
        {
            if (_restarts.Decide((action.Flags & SignalFlags.Restart) != 0))
                RestartCall();
            else
                State->Slots[Slot.Rax] = unchecked(Process.Is32 ? (uint)-Errno.EINTR : (ulong)-Errno.EINTR);
        }

        // The frame holds the mask of before the call that brought a temporary one; the handler's is added to the temporary one.
        if (!SignalFrames.TryBuild(this, info, action, _maskAfterwards ?? Blocked))
        {
            // No room for the frame: the signal cannot be delivered, SIGSEGV takes its place. Its own handler cannot run either.
            lock (Process.Kernel.Gate)
            {
                if (info.Number == Signal.Segv)
                    Process.Actions[Signal.Segv] = default;
                Process.Force(this, SignalInfo.Fault(Signal.Segv, SignalInfo.FromKernel, 0));
            }

            return;
        }

        lock (Process.Kernel.Gate)
        {
            _maskAfterwards = null;
            ChangeBlocked(Blocked | action.Mask | ((action.Flags & SignalFlags.NoDefer) == 0 ? Signal.Bit(info.Number) : 0));
        }
    }

    // The call is made again: the instruction (int 0x80 or syscall, two bytes) is executed once more with the same registers.
    private void RestartCall()
    {
        if (!_restarts.IsPending)
            return;
        State->Slots[Slot.Rax] = _restarts.Again();
        State->Slots[Slot.Rip] -= 2;
    }
}
