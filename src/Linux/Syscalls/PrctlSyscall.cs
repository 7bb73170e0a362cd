using System.Text;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// prctl(2). What it sets belongs to the guest's thread or process and does there what the kernel would do; what is not known here is EINVAL,
/// as for a kernel without it.
/// </summary>
internal static unsafe class PrctlSyscall
{
    private const int SetDeathSignal = 1, GetDeathSignal = 2, GetDumpable = 3, SetDumpable = 4, GetKeepCaps = 7, SetKeepCaps = 8,
        GetTiming = 13, SetTiming = 14, SetName = 15, GetName = 16, GetSeccomp = 21, CapBoundRead = 23, GetSecureBits = 27,
        SetTimerSlack = 29, GetTimerSlack = 30, SetSubreaper = 36, GetSubreaper = 37, SetNoNewPrivileges = 38, GetNoNewPrivileges = 39,
        GetTidAddress = 40, SetPtracer = 0x59616D61;

    public static void Register(SyscallTable table) => table.Add("prctl", &Prctl, "dxxxx", i386: 172, x64: 157);

    private static long Prctl(in SyscallContext c)
    {
        switch (c.I0)
        {
            case SetName:
                return ChangeName(c);
            case GetName:
            {
                Span<byte> bytes = stackalloc byte[16];
                bytes.Clear();
                HostCalls.ToBytes(c.Thread.Name ?? c.Process.Name, bytes);
                return c.Memory.TryWrite(c.A1, bytes) ? 0 : -Errno.EFAULT;
            }

            case SetDeathSignal:
                if (c.A1 > Signals.Signal.Count)
                    return -Errno.EINVAL;
                c.Thread.DeathSignal = c.I1;
                return 0;
            case GetDeathSignal:
                return c.Memory.TryWrite(c.A1, c.Thread.DeathSignal) ? 0 : -Errno.EFAULT;
            case SetSubreaper:
                c.Process.IsSubreaper = c.A1 != 0;
                return 0;
            case GetSubreaper:
                return c.Memory.TryWrite(c.A1, c.Process.IsSubreaper ? 1 : 0) ? 0 : -Errno.EFAULT;
            case SetDumpable:
                if (c.A1 > 1)
                    return -Errno.EINVAL;
                c.Process.IsDumpable = c.A1 == 1;
                return 0;
            case GetDumpable:
                return c.Process.IsDumpable ? 1 : 0;
            case SetNoNewPrivileges:
                if (c.A1 != 1 || (c.A2 | c.A3 | c.A4) != 0)
                    return -Errno.EINVAL;
                c.Thread.NoNewPrivileges = true;
                return 0;
            case GetNoNewPrivileges:
                return (c.A1 | c.A2 | c.A3 | c.A4) != 0 ? -Errno.EINVAL : c.Thread.NoNewPrivileges ? 1 : 0;
            case SetKeepCaps:
                if (c.A1 > 1)
                    return -Errno.EINVAL;
                c.Thread.KeepsCapabilities = c.A1 == 1;
                return 0;
            case GetKeepCaps:
                return c.Thread.KeepsCapabilities ? 1 : 0;
            case CapBoundRead:
                return c.A1 <= 40 ? 1 : -Errno.EINVAL;

            // The only bit that can be set here is that of PR_SET_KEEPCAPS.
            case GetSecureBits:
                return c.Thread.KeepsCapabilities ? 1 << 4 : 0;
            case GetTimerSlack:
                return (long)c.Thread.TimerSlack;
            case SetTimerSlack:
                c.Thread.TimerSlack = c.A1 == 0 ? c.Thread.DefaultTimerSlack : c.A1;
                return 0;

            // PR_TIMING_STATISTICAL is the only one that any kernel has.
            case SetTiming:
                return c.A1 == 0 ? 0 : -Errno.EINVAL;
            case GetTiming or SetPtracer or GetSeccomp:
                return 0;
            case GetTidAddress:
                return c.TryWriteLong(c.A1, c.Thread.ClearChildTid) ? 0 : -Errno.EFAULT;
            default:
                return -Errno.EINVAL;
        }
    }

    private static long ChangeName(in SyscallContext c)
    {
        var error = c.Memory.TryReadString(c.A1, out var name, 16);
        if (error == -Errno.ENAMETOOLONG)
        {
            Span<byte> bytes = stackalloc byte[15];
            if (!c.Memory.TryRead(c.A1, bytes))
                return -Errno.EFAULT;
            name = Encoding.Latin1.GetString(bytes);
        }
        else if (error < 0)
        {
            return error;
        }

        c.Thread.Name = name;
        if (c.Thread.Tid == c.Process.Pid)
            c.Process.Name = name;
        return 0;
    }
}
