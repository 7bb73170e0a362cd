using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Signal actions, masks, sending, waiting, and the return from handlers.</summary>
internal static class SignalSyscalls
{
    private const int Block = 0, Unblock = 1, SetMask = 2;

    public static unsafe void Register(SyscallTable table)
    {
        table.Add("signal", &SignalOld, "np", i386: 48);
        table.Add("sigaction", &SigactionOld, "npp", i386: 67);
        table.Add("rt_sigaction", &Sigaction, "nppu", i386: 174, x64: 13);
        table.Add("sgetmask", &GetMaskOld, "", i386: 68);
        table.Add("ssetmask", &SetMaskOld, "x", i386: 69);
        table.Add("sigprocmask", &SigprocmaskOld, "dpp", i386: 126);
        table.Add("rt_sigprocmask", &Sigprocmask, "dppu", i386: 175, x64: 14);
        table.Add("sigpending", &SigpendingOld, "p", i386: 73);
        table.Add("rt_sigpending", &Sigpending, "pu", i386: 176, x64: 127);
        table.Add("sigsuspend", &SigsuspendOld, "xxx", i386: 72);
        table.Add("rt_sigsuspend", &Sigsuspend, "pu", i386: 179, x64: 130);
        table.Add("rt_sigtimedwait", &Sigtimedwait, "pppu", i386: 177, x64: 128);
        table.Add("rt_sigtimedwait_time64", &Sigtimedwait64, "pppu", i386: 421);
        table.Add("sigaltstack", &Sigaltstack, "pp", i386: 186, x64: 131);
        table.Add("sigreturn", &SigreturnOld, "", i386: 119);
        table.Add("rt_sigreturn", &Sigreturn, "", i386: 173, x64: 15);
        table.Add("restart_syscall", &RestartSyscall, "", i386: 0, x64: 219);
        table.Add("pause", &Pause, "", i386: 29, x64: 34);
        table.Add("kill", &Kill, "dn", i386: 37, x64: 62);
        table.Add("tkill", &Tkill, "dn", i386: 238, x64: 200);
        table.Add("tgkill", &Tgkill, "ddn", i386: 270, x64: 234);
        table.Add("rt_sigqueueinfo", &Sigqueueinfo, "dnp", i386: 178, x64: 129);
        table.Add("rt_tgsigqueueinfo", &Tgsigqueueinfo, "ddnp", i386: 335, x64: 297);
    }

    private static long SignalOld(in SyscallContext c)
    {
        if (!CanAct(c.I0))
            return -Errno.EINVAL;
        var old = c.Process.Exchange(c.I0, new SignalAction(c.A1, SignalFlags.ResetHandler | SignalFlags.NoDefer, 0, 0, Is32: true));
        return (long)old.Handler;
    }

    // struct old_sigaction: handler, mask (32 bits), flags, restorer.
    private static long SigactionOld(in SyscallContext c)
    {
        if (!CanAct(c.I0, c.A1))
            return -Errno.EINVAL;
        var old = c.Process.Actions[c.I0];
        if (c.A1 != 0)
        {
            if (!c.Memory.TryRead(c.A1, out OldAction a))
                return -Errno.EFAULT;
            old = c.Process.Exchange(c.I0, new SignalAction(a.Handler, a.Flags, a.Restorer, a.Mask, Is32: true));
        }

        if (c.A2 != 0 && !c.Memory.TryWrite(c.A2, new OldAction((uint)old.Handler, (uint)old.Mask, old.Flags, (uint)old.Restorer)))
            return -Errno.EFAULT;
        return 0;
    }

    private static long Sigaction(in SyscallContext c)
    {
        if (c.A3 != 8 || !CanAct(c.I0, c.A1))
            return -Errno.EINVAL;
        var old = c.Process.Actions[c.I0];
        if (c.A1 != 0)
        {
            SignalAction action;
            if (c.Is32)
            {
                if (!c.Memory.TryRead(c.A1, out Action32 a))
                    return -Errno.EFAULT;
                action = new SignalAction(a.Handler, a.Flags, a.Restorer, a.MaskLow | ((ulong)a.MaskHigh << 32), Is32: true);
            }
            else
            {
                if (!c.Memory.TryRead(c.A1, out Action64 a))
                    return -Errno.EFAULT;
                action = new SignalAction(a.Handler, (uint)a.Flags, a.Restorer, a.Mask);
            }

            old = c.Process.Exchange(c.I0, action);
        }

        if (c.A2 == 0)
            return 0;
        var written = c.Is32
            ? c.Memory.TryWrite(
                c.A2, new Action32((uint)old.Handler, old.Flags, (uint)old.Restorer, (uint)old.Mask, (uint)(old.Mask >> 32)))
            : c.Memory.TryWrite(c.A2, new Action64(old.Handler, old.Flags, old.Restorer, old.Mask));
        return written ? 0 : -Errno.EFAULT;
    }

    private static long GetMaskOld(in SyscallContext c) => (uint)c.Thread.Blocked;

    private static long SetMaskOld(in SyscallContext c)
    {
        var old = (uint)c.Thread.Blocked;
        c.Thread.SetMask((uint)c.A0);
        return old;
    }

    private static long SigprocmaskOld(in SyscallContext c)
    {
        var old = c.Thread.Blocked;
        if (c.A1 != 0)
        {
            if (!c.Memory.TryRead(c.A1, out uint set))
                return -Errno.EFAULT;
            var result = ChangeMask(c.Thread, c.I0, set, (old & ~(ulong)uint.MaxValue) | set);
            if (result < 0)
                return result;
        }

        return c.A2 == 0 || c.Memory.TryWrite(c.A2, (uint)old) ? 0 : -Errno.EFAULT;
    }

    private static long Sigprocmask(in SyscallContext c)
    {
        if (c.A3 != 8)
            return -Errno.EINVAL;
        var old = c.Thread.Blocked;
        if (c.A1 != 0)
        {
            if (!c.Memory.TryRead(c.A1, out ulong set))
                return -Errno.EFAULT;
            var result = ChangeMask(c.Thread, c.I0, set, set);
            if (result < 0)
                return result;
        }

        return c.A2 == 0 || c.Memory.TryWrite(c.A2, old) ? 0 : -Errno.EFAULT;
    }

    private static long ChangeMask(GuestThread thread, int how, ulong set, ulong whole)
    {
        switch (how)
        {
            case Block:
                thread.SetMask(thread.Blocked | set);
                return 0;
            case Unblock:
                thread.SetMask(thread.Blocked & ~set);
                return 0;
            case SetMask:
                thread.SetMask(whole);
                return 0;
            default:
                return -Errno.EINVAL;
        }
    }

    private static ulong PendingSet(GuestThread thread)
    {
        lock (thread.Process.Kernel.Gate)
            return (thread.Pending.Set | thread.Process.Pending.Set) & thread.Blocked;
    }

    private static long SigpendingOld(in SyscallContext c) => c.Memory.TryWrite(c.A0, (uint)PendingSet(c.Thread)) ? 0 : -Errno.EFAULT;

    private static long Sigpending(in SyscallContext c)
    {
        if (c.A1 > 8)
            return -Errno.EINVAL;
        var set = PendingSet(c.Thread);
        Span<byte> bytes = stackalloc byte[8];
        BitConverter.TryWriteBytes(bytes, set);
        return c.Memory.TryWrite(c.A0, bytes[..(int)c.A1]) ? 0 : -Errno.EFAULT;
    }

    private static long SigsuspendOld(in SyscallContext c) => Suspend(c, (uint)c.A2);

    private static long Sigsuspend(in SyscallContext c)
    {
        if (c.A1 != 8)
            return -Errno.EINVAL;
        return c.Memory.TryRead(c.A0, out ulong mask) ? Suspend(c, mask) : -Errno.EFAULT;
    }

    private static long Suspend(in SyscallContext c, ulong mask)
    {
        c.Thread.SetTemporaryMask(mask);
        return Pause(c);
    }

    private static long Pause(in SyscallContext c)
    {
        while (!c.Thread.IsInterrupted)
            c.Thread.WaitEvent(c.Thread.EventCount);
        return -Errno.ERESTARTNOHAND;
    }

    private static long Sigtimedwait(in SyscallContext c)
    {
        TimeSpec time = default;
        if (c.A2 != 0 && !TimeLayouts.TryReadTimeSpec(c, c.A2, out time))
            return -Errno.EFAULT;
        return TimedWait(c, time);
    }

    private static long Sigtimedwait64(in SyscallContext c)
    {
        TimeSpec time = default;
        if (c.A2 != 0 && !TimeLayouts.TryReadTimeSpec64(c, c.A2, out time))
            return -Errno.EFAULT;
        return TimedWait(c, time);
    }

    private static long TimedWait(in SyscallContext c, TimeSpec time)
    {
        if (c.A3 != 8 || !time.IsValid)
            return -Errno.EINVAL;
        if (!c.Memory.TryRead(c.A0, out ulong set))
            return -Errno.EFAULT;
        set &= ~Signal.Unblockable;
        var thread = c.Thread;
        var now = HostClock.Monotonic();
        var deadline = c.A2 == 0 || time.ToNanoseconds() > long.MaxValue - now ? long.MaxValue : now + time.ToNanoseconds();
        try
        {
            while (true)
            {
                SignalInfo info;
                var seen = thread.EventCount;
                lock (c.Process.Kernel.Gate)
                {
                    thread.WaitedFor = set;
                    if (c.Process.TryTake(thread, set, out info))
                    {
                        if (c.A1 == 0)
                            return info.Number;
                        Span<byte> bytes = stackalloc byte[SignalInfo.Size];
                        info.Write(bytes, c.Is32);
                        return c.Memory.TryWrite(c.A1, bytes) ? info.Number : -Errno.EFAULT;
                    }

                    if (thread.IsInterrupted && IsDisturbed(thread))
                        return -Errno.EINTR;
                    thread.ClearInterrupt();
                }

                if (HostClock.Monotonic() >= deadline)
                    return -Errno.EAGAIN;
                thread.WaitEvent(seen, deadline);
            }
        }
        finally
        {
            lock (c.Process.Kernel.Gate)
            {
                thread.WaitedFor = 0;
                c.Process.Retarget(thread, set & thread.Blocked);
            }
        }
    }

    // Something else than an awaited signal wants the thread.
    private static bool IsDisturbed(GuestThread thread) =>
        thread.Process.MustLeave(thread) || thread.Process.State == ProcessState.Stopped
        || ((thread.Pending.Set | thread.Process.Pending.Set) & ~thread.Blocked) != 0;

    private static long Sigaltstack(in SyscallContext c)
    {
        var thread = c.Thread;
        var old = thread.AlternateStack;
        var sp = StackPointer(thread);
        if (c.A0 != 0)
        {
            ulong address, size;
            uint flags;
            if (c.Is32)
            {
                if (!c.Memory.TryRead(c.A0, out Stack32 s))
                    return -Errno.EFAULT;
                (address, flags, size) = (s.Address, s.Flags, s.Size);
            }
            else
            {
                if (!c.Memory.TryRead(c.A0, out Stack64 s))
                    return -Errno.EFAULT;
                (address, flags, size) = (s.Address, (uint)s.Flags, s.Size);
            }

            var stack = old;
            var error = AlternateStack.TryChange(ref stack, new AlternateStack(address, size, flags), sp);
            if (error < 0)
                return error;
            thread.AlternateStack = stack;
        }

        if (c.A1 == 0)
            return 0;
        var report = old.Report(sp);
        var written = c.Is32
            ? c.Memory.TryWrite(c.A1, new Stack32((uint)old.Address, report, (uint)old.Size))
            : c.Memory.TryWrite(c.A1, new Stack64(old.Address, report, old.Size));
        return written ? 0 : -Errno.EFAULT;
    }

    private static unsafe ulong StackPointer(GuestThread thread) => thread.State->Slots[Slot.Rsp];

    private static long SigreturnOld(in SyscallContext c) => Return(c, SignalFrames.Restore32(c.Thread));

    private static long Sigreturn(in SyscallContext c) =>
        Return(c, c.Is32 ? SignalFrames.Restore32Info(c.Thread) : SignalFrames.Restore64(c.Thread));

    private static long RestartSyscall(in SyscallContext c) => -Errno.EINTR;

    private static unsafe long Return(in SyscallContext c, SigreturnResult result)
    {
        c.Thread.ForgetRestart();
        if (!result.IsRestored)
        {
            c.Thread.State->Slots[Slot.Rax] = 0;
            c.Process.Force(c.Thread, SignalInfo.Fault(Signal.Segv, SignalInfo.FromKernel, 0));
        }
        else if (result.Fault is { } fault)
        {
            c.Thread.RaiseSegmentFault(fault.Vector, fault.Error);
        }

        c.Thread.KeepRegisters();
        return 0;
    }

    private static long Kill(in SyscallContext c)
    {
        // Numbers are those of guests. The host's processes and threads, its own ones among them, do not exist for a guest.
        var kernel = c.Process.Kernel;
        var pid = c.I0;
        var info = SignalInfo.Sent(c.I1, SignalInfo.FromUser, c.Process.Pid, c.Process.Credentials.User);
        lock (kernel.Gate)
        {
            if (pid > 0)
                return kernel.FindAnyProcess(pid) is { } one ? Send(c, one, null, info) : -Errno.ESRCH;
            if (pid == int.MinValue)
                return -Errno.ESRCH;
            long result = -Errno.ESRCH;
            var succeeded = false;
            foreach (var target in kernel.Processes.ToArray())
            {
                if (pid == -1 ? target == c.Process : target.GroupId != (pid == 0 ? c.Process.GroupId : -pid))
                    continue;
                result = Send(c, target, null, info);

                // Of all processes, those that may not be signalled do not count.
                succeeded |= result == 0 || (pid == -1 && result == -Errno.EPERM);
            }

            return succeeded ? 0 : result;
        }
    }

    /// <summary>Sends, or with signal 0 tries. The order of the errors is that of the kernel.</summary>
    internal static long Send(in SyscallContext c, GuestProcess target, GuestThread? thread, in SignalInfo info)
    {
        if (info.Number != 0 && !Signal.IsValid(info.Number))
            return -Errno.EINVAL;
        if (!c.Process.MaySignal(target, info.Number))
            return -Errno.EPERM;
        if (info.Number == 0)
            return 0;
        return (thread == null ? target.Send(info) : target.Send(thread, info)) ? 0 : -Errno.EAGAIN;
    }

    private static long Tkill(in SyscallContext c) => ToThread(c, c.I0, c.I1, -1);

    private static long Tgkill(in SyscallContext c) => c.I0 <= 0 ? -Errno.EINVAL : ToThread(c, c.I1, c.I2, c.I0);

    private static long ToThread(in SyscallContext c, int tid, int signal, int pid)
    {
        if (tid <= 0)
            return -Errno.EINVAL;
        lock (c.Process.Kernel.Gate)
        {
            var target = c.Process.Kernel.FindThread(tid);
            if (target == null || (pid >= 0 && target.Process.Pid != pid))
                return -Errno.ESRCH;
            return Send(c, target.Process, target, SignalInfo.Sent(signal, SignalInfo.FromThread, c.Process.Pid, c.Process.Credentials.User));
        }
    }

    private static long Sigqueueinfo(in SyscallContext c)
    {
        var error = ReadInfo(c, c.I1, c.A2, out var info);
        if (error < 0)
            return error;
        if (Impersonates(info) && c.I0 != c.Thread.Tid)
            return -Errno.EPERM;
        lock (c.Process.Kernel.Gate)
            return c.Process.Kernel.FindAnyProcess(c.I0) is { } target ? Send(c, target, null, info) : -Errno.ESRCH;
    }

    private static long Tgsigqueueinfo(in SyscallContext c)
    {
        var error = ReadInfo(c, c.I2, c.A3, out var info);
        if (error < 0)
            return error;
        if (c.I0 <= 0 || c.I1 <= 0)
            return -Errno.EINVAL;
        if (Impersonates(info) && c.I1 != c.Thread.Tid)
            return -Errno.EPERM;
        lock (c.Process.Kernel.Gate)
        {
            var target = c.Process.Kernel.FindThread(c.I1);
            return target != null && target.Process.Pid == c.I0 ? Send(c, target.Process, target, info) : -Errno.ESRCH;
        }
    }

    /// <summary>Looks like a signal of the kernel or of kill: only to oneself.</summary>
    internal static bool Impersonates(in SignalInfo info) => info.Code is >= 0 or SignalInfo.FromThread;

    /// <summary>Reads the siginfo_t that a sender gives. 0 or -EFAULT.</summary>
    internal static int ReadInfo(in SyscallContext c, int signal, ulong address, out SignalInfo info)
    {
        info = default;
        Span<byte> bytes = stackalloc byte[SignalInfo.Size];
        if (!c.Memory.TryRead(address, bytes))
            return -Errno.EFAULT;
        info = SignalInfo.Read(bytes, signal, c.Is32);
        return 0;
    }

    private static bool CanAct(int signal, ulong action = 1) =>
        Signal.IsValid(signal) && (action == 0 || signal is not (Signal.Kill or Signal.Stop));

    private readonly record struct OldAction(uint Handler, uint Mask, uint Flags, uint Restorer);

    private readonly record struct Action32(uint Handler, uint Flags, uint Restorer, uint MaskLow, uint MaskHigh);

    private readonly record struct Action64(ulong Handler, ulong Flags, ulong Restorer, ulong Mask);

    private readonly record struct Stack32(uint Address, uint Flags, uint Size);

    private readonly record struct Stack64(ulong Address, ulong Flags, ulong Size);
}
