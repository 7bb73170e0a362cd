using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// ptrace of x86-64, as far as a program needs it that stops others to look at them: attaching, stops at signals, memory, general and
/// floating-point registers. Stops at instructions, system calls and events, and being traced by one's parent are refused.
/// </summary>
internal static unsafe class PtraceSyscall
{
    private const int TraceMe = 0, PeekText = 1, PeekData = 2, PokeText = 4, PokeData = 5, Continue = 7, Kill = 8, GetRegisters = 12;
    private const int GetFloatRegisters = 14, Attach = 16, Detach = 17, GetRegisterSet = 0x4204;
    private const ulong GeneralSet = 1, FloatSet = 2;

    public static void Register(SyscallTable table) => table.Add("ptrace", &Ptrace, "ddpp", x64: 101);

    private static long Ptrace(in SyscallContext c)
    {
        var kernel = c.Process.Kernel;
        var request = c.I0;
        if (request == TraceMe)
            return -Errno.EPERM;
        GuestThread? target;
        lock (kernel.Gate)
        {
            target = kernel.FindThread(c.I1);
            if (target == null)
                return -Errno.ESRCH;
            if (request == Attach)
                return Begin(c, target);
            if (target.Tracer != c.Process || (target.TraceStop == 0 && request != Kill))
                return -Errno.ESRCH;
            switch (request)
            {
                case Continue or Detach when c.A3 > Signal.Count:
                    return -Errno.EIO;
                case Continue:
                    target.GoOn((int)c.A3);
                    return 0;
                case Detach:
                    target.EndTracing((int)c.A3);
                    return 0;
                case Kill:
                    target.Process.Send(SignalInfo.Sent(Signal.Kill, SignalInfo.FromUser, 0, 0));
                    return 0;
            }
        }

        return Inspect(c, target, request);
    }

    private static long Begin(in SyscallContext c, GuestThread target)
    {
        if (target.Process == c.Process || target.Tracer != null || !ProcSubject.MayInspect(c.Process, target.Process))
            return -Errno.EPERM;
        target.BeginTracing(c.Process);
        return 0;
    }

    // Of a thread that is stopped.
    private static long Inspect(in SyscallContext c, GuestThread target, int request)
    {
        var memory = target.Process.Memory;
        ulong word = c.A3;
        Span<byte> registers = stackalloc byte[GuestThread.TracedRegisters * sizeof(ulong)];
        Span<byte> image = stackalloc byte[FpuImage.Size];
        switch (request)
        {
            case PeekText or PeekData:
                if (memory.Transfer(c.A2, (byte*)&word, sizeof(ulong), write: false) != sizeof(ulong))
                    return -Errno.EIO;
                return c.Memory.TryWrite(c.A3, word) ? 0 : -Errno.EFAULT;
            case PokeText or PokeData:
                return memory.Transfer(c.A2, (byte*)&word, sizeof(ulong), write: true) == sizeof(ulong) ? 0 : -Errno.EIO;
            case GetRegisters:
                target.WriteRegisters(registers);
                return c.Memory.TryWrite(c.A3, registers) ? 0 : -Errno.EFAULT;
            case GetFloatRegisters:
                FpuImage.Write(target.State, image, wide: true);
                return c.Memory.TryWrite(c.A3, image) ? 0 : -Errno.EFAULT;
            case GetRegisterSet when c.A2 == GeneralSet:
                target.WriteRegisters(registers);
                return WriteSet(c, registers);
            case GetRegisterSet when c.A2 == FloatSet:
                FpuImage.Write(target.State, image, wide: true);
                return WriteSet(c, image);
            case GetRegisterSet:
                return -Errno.EINVAL;
            default:
                return -Errno.EIO;
        }
    }

    // Into the buffer of an iovec, whose length becomes what was written.
    private static long WriteSet(in SyscallContext c, ReadOnlySpan<byte> set)
    {
        if (!c.Memory.TryRead(c.A3, out ulong buffer) || !c.Memory.TryRead(c.A3 + 8, out ulong length))
            return -Errno.EFAULT;
        if (length % sizeof(ulong) != 0)
            return -Errno.EINVAL;
        set = set[..(int)Math.Min(length, (ulong)set.Length)];
        return c.Memory.TryWrite(buffer, set) && c.Memory.TryWrite(c.A3 + 8, (ulong)set.Length) ? 0 : -Errno.EFAULT;
    }
}
