using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Threads, processes and programs begin and end.</summary>
internal static unsafe class CloneSyscalls
{
    public static void Register(SyscallTable table)
    {
        table.Add("exit", &Exit, "d", i386: 1, x64: 60);
        table.Add("exit_group", &ExitGroup, "d", i386: 252, x64: 231);
        table.Add("fork", &Fork, "", i386: 2, x64: 57);
        table.Add("vfork", &Vfork, "", i386: 190, x64: 58);
        table.Add("clone", &Clone32, "xpppp", i386: 120);
        table.Add("clone", &Clone64, "xpppp", x64: 56);
        table.Add("clone3", &Clone3, "pu", i386: 435, x64: 435);
        table.Add("execve", &Execve, "spp", i386: 11, x64: 59);
        table.Add("execveat", &ExecveAt, "fsppx", i386: 358, x64: 322);
        table.Add("set_tid_address", &SetTidAddress, "p", i386: 258, x64: 218);
        table.Add("unshare", &Unshare, "x", i386: 310, x64: 272);
    }

    private static long Exit(in SyscallContext c)
    {
        c.Thread.ExitThread(c.I0);
        c.Thread.KeepRegisters();
        return 0;
    }

    private static long ExitGroup(in SyscallContext c)
    {
        c.Process.BeginExit((c.I0 & 0xFF) << 8);
        c.Thread.ExitThread(c.I0);
        c.Thread.KeepRegisters();
        return 0;
    }

    private static long Fork(in SyscallContext c) => Start(c, new CloneArguments { ExitSignal = Signal.Chld });

    private static long Vfork(in SyscallContext c) =>
        Start(c, new CloneArguments { Flags = CloneFlags.Vfork | CloneFlags.Memory, ExitSignal = Signal.Chld });

    private static long Clone32(in SyscallContext c) => Clone(c, CloneArguments.Old(c.A0, c.A1, c.A2, tls: c.A3, childTid: c.A4));

    private static long Clone64(in SyscallContext c) => Clone(c, CloneArguments.Old(c.A0, c.A1, c.A2, tls: c.A4, childTid: c.A3));

    // The pidfd goes where the parent's copy of the number would.
    private static long Clone(in SyscallContext c, in CloneArguments a) =>
        (a.Flags & CloneFlags.PidFd) != 0 && (a.Flags & CloneFlags.ParentSetTid) != 0 ? -Errno.EINVAL : Start(c, a);

    private static long Clone3(in SyscallContext c)
    {
        // Flags, five addresses and numbers, two for the stack, one for TLS; set_tid and its count; a control group. Nothing behind.
        const int Smallest = 64, Largest = 88, Page = 4096;
        const CloneFlags Unknown = CloneFlags.Detached | (CloneFlags)0x7F, NewTime = (CloneFlags)0x80, IntoControlGroup = (CloneFlags)0x2_0000_0000;
        const CloneFlags Handlers = CloneFlags.SignalActions | CloneFlags.ClearActions;
        if (c.A1 is < Smallest or > Page)
            return c.A1 < Smallest ? -Errno.EINVAL : -Errno.E2BIG;
        Span<ulong> fields = stackalloc ulong[Page / 8];
        fields.Clear();
        var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(fields);
        if (!c.Memory.TryRead(c.A0, bytes[..(int)c.A1]))
            return -Errno.EFAULT;
        if (bytes[Largest..].IndexOfAnyExcept((byte)0) >= 0)
            return -Errno.E2BIG;
        var flags = (CloneFlags)fields[0];
        if ((fields[8] == 0) != (fields[9] == 0) || fields[9] > 32 || fields[4] > Signal.Count || (fields[5] == 0) != (fields[6] == 0)
            || (flags & Unknown) != 0 || (ulong)flags > (ulong)IntoControlGroup * 2 - 1 || (flags & Handlers) == Handlers
            || ((flags & (CloneFlags.Thread | CloneFlags.Parent)) != 0 && fields[4] != 0)
            || ((flags & CloneFlags.PidFd) != 0 && (flags & CloneFlags.ParentSetTid) != 0 && fields[1] == fields[3]))
            return -Errno.EINVAL;

        // Numbers of one's own choice, control groups and namespaces of time are not for guests.
        if (fields[9] != 0 || (flags & (IntoControlGroup | NewTime)) != 0)
            return -Errno.EPERM;
        return Start(c, new CloneArguments
        {
            Flags = flags,
            PidFd = fields[1],
            ChildTid = fields[2],
            ParentTid = fields[3],
            ExitSignal = (int)fields[4],
            Stack = fields[5] + fields[6],
            Tls = fields[7],
        });
    }

    private static long Start(in SyscallContext c, in CloneArguments a)
    {
        const CloneFlags ThreadNeeds = CloneFlags.Memory | CloneFlags.SignalActions;
        if ((a.Flags & CloneFlags.PidFd) != 0 && (a.Flags & (CloneFlags.Thread | CloneFlags.Detached)) != 0)
            return -Errno.EINVAL;
        if (((a.Flags & CloneFlags.Thread) != 0 && (a.Flags & ThreadNeeds) != ThreadNeeds)
            || ((a.Flags & CloneFlags.SignalActions) != 0 && (a.Flags & CloneFlags.Memory) == 0))
            return -Errno.EINVAL;
        if ((a.Flags & (CloneFlags.Namespaces | CloneFlags.NewNamespace)) != 0)
            return -Errno.EPERM;
        GuestThread? child;
        if ((a.Flags & CloneFlags.Thread) != 0)
        {
            child = c.Process.AddThread(c.Thread);
            if (child == null)
                return -Errno.EAGAIN;
        }
        else
        {
            var result = c.Process.Fork(c.Thread, a.Flags, a.ExitSignal, out child);
            if (child == null)
                return result;
        }

        var tid = child.Tid;
        if (a.Stack != 0)
            child.State->Slots[Slot.Rsp] = a.Stack;
        if ((a.Flags & CloneFlags.SetTls) != 0 && !TrySetTls(c, child, a.Tls))
        {
            Abandon(child);
            return -Errno.EINVAL;
        }

        if ((a.Flags & CloneFlags.PidFd) != 0)
        {
            var fd = PidfdSyscalls.Install(c, child.Process, false);
            if (fd < 0 || !c.Memory.TryWrite(a.PidFd, (int)fd))
            {
                if (fd >= 0)
                    c.Files.Remove((int)fd)?.Release();
                Abandon(child);
                return fd < 0 ? fd : -Errno.EFAULT;
            }
        }

        if ((a.Flags & CloneFlags.ParentSetTid) != 0)
            c.Memory.TryWrite(a.ParentTid, tid);
        if ((a.Flags & CloneFlags.ChildSetTid) != 0)
            child.Process.Memory.User.TryWrite(a.ChildTid, tid);
        if ((a.Flags & CloneFlags.ChildClearTid) != 0)
            child.ClearChildTid = a.ChildTid;
        if ((a.Flags & CloneFlags.ClearActions) != 0)
            child.Process.Actions = child.Process.Actions.AfterExecve();
        var process = child.Process;
        if (!child.Start())
        {
            Abandon(child);
            return -Errno.EAGAIN;
        }

        if ((a.Flags & CloneFlags.Vfork) != 0)
            WaitForVfork(c.Thread, process);
        return tid;
    }

    // Takes back a thread that never ran, and its process, of which nobody learns.
    private static void Abandon(GuestThread child)
    {
        if (child.Process.Threads.Count == 1)
            child.Process.ExitSignal = 0;
        child.Process.Leave(child, 0);
        lock (child.Process.Kernel.Gate)
            if (child.Process.HasEnded)
                child.Process.Reap();
    }

    // The parent sleeps until the child has left its memory; signals wait, but for an end of the parent.
    private static void WaitForVfork(GuestThread parent, GuestProcess child)
    {
        while (true)
        {
            var seen = parent.EventCount;
            lock (child.Kernel.Gate)
                if (!child.HoldsParent || parent.Process.MustLeave(parent))
                    return;
            parent.WaitEvent(seen, HostClock.Monotonic() + 50_000_000, interruptible: false);
        }
    }

    private static bool TrySetTls(in SyscallContext c, GuestThread child, ulong tls)
    {
        if (c.Is32)
            return SegmentSyscalls.SetThreadArea(child, tls, allocate: false) == 0;
        child.State->Slots[Slot.FsBase] = tls;
        return true;
    }

    private static long Execve(in SyscallContext c) => Execute(c, PathResolver.AtWorkingDirectory, c.A0, c.A1, c.A2);

    private static long ExecveAt(in SyscallContext c)
    {
        const int EmptyPath = 0x1000;
        var error = c.TryReadPath(c.A1, out var path);
        if (error < 0)
            return error;
        if (path.Length > 0 || (c.I4 & EmptyPath) == 0)
            return Execute(c, c.I0, c.A1, c.A2, c.A3);
        error = ExecStrings.Read(c, path, c.A2, c.A3, out var arguments, out var environment);
        if (error < 0)
            return error;
        return Execute(c, PathResolver.AtWorkingDirectory, $"/proc/self/fd/{c.I0}", arguments, environment);
    }

    private static long Execute(in SyscallContext c, int directory, ulong pathAddress, ulong argv, ulong envp)
    {
        var error = c.TryReadPath(pathAddress, out var path);
        if (error < 0)
            return error;
        if (path.Length == 0)
            return -Errno.ENOENT;
        error = ExecStrings.Read(c, path, argv, envp, out var arguments, out var environment);
        if (error < 0)
            return error;
        return Execute(c, directory, path, arguments, environment);
    }

    private static long Execute(in SyscallContext c, int directory, string path, List<string> arguments, List<string> environment)
    {
        var result = c.Process.Execute(c.Thread, directory, path, arguments, environment);
        if (result == 0)
            c.Thread.KeepRegisters();
        return result;
    }

    private static long SetTidAddress(in SyscallContext c)
    {
        c.Thread.ClearChildTid = c.A0;
        return c.Thread.Tid;
    }

    private static long Unshare(in SyscallContext c)
    {
        var flags = (CloneFlags)c.A0;
        if ((flags & ~(CloneFlags.Files | CloneFlags.FileSystem)) != 0)
            return (flags & CloneFlags.Namespaces) != 0 ? -Errno.EPERM : -Errno.EINVAL;
        var process = c.Process;
        if ((flags & CloneFlags.Files) != 0 && process.Files.IsShared)
        {
            var own = process.Files.Copy();
            process.Files.RemoveUser();
            process.Files = own;
        }

        if ((flags & CloneFlags.FileSystem) != 0 && process.FileSystem.IsShared)
        {
            var own = process.FileSystem.Copy();
            process.FileSystem.RemoveUser();
            process.FileSystem = own;
        }

        return 0;
    }

    private readonly struct CloneArguments
    {
        public CloneFlags Flags { get; init; }

        public int ExitSignal { get; init; }

        public ulong Stack { get; init; }

        public ulong ParentTid { get; init; }

        public ulong ChildTid { get; init; }

        public ulong Tls { get; init; }

        public ulong PidFd { get; init; }

        public static CloneArguments Old(ulong flags, ulong stack, ulong parentTid, ulong tls, ulong childTid) => new()
        {
            Flags = (CloneFlags)((uint)flags & ~0xFFu),
            ExitSignal = (int)(flags & 0xFF),
            Stack = stack,
            ParentTid = parentTid,
            PidFd = parentTid,
            ChildTid = childTid,
            Tls = tls,
        };
    }
}
