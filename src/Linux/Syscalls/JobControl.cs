using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// A guest process in the background that reads from the terminal of its session, or changes it, is stopped. The host's kernel knows only
/// the group of the host process, which is in the foreground for all guests alike.
/// </summary>
internal static unsafe class JobControl
{
    private const int GetSession = 0x5429;

    /// <summary>Checks a read from, or a change of, what may be the terminal. Costs nothing for a process in the foreground.</summary>
    /// <param name="c">The call.</param>
    /// <param name="hostFd">The file.</param>
    /// <param name="signal">SIGTTIN for a read, SIGTTOU for a change.</param>
    /// <returns>0; -EIO; or -ERESTARTSYS after the signal was sent to the group.</returns>
    public static long Check(in SyscallContext c, int hostFd, int signal)
    {
        var kernel = c.Process.Kernel;
        if (c.Process.GroupId == kernel.ForegroundGroup || c.Process.SessionId != kernel.HostSession)
            return 0;
        int session;

        // Only of the caller's own terminal does the host tell the session.
        if (HostCalls.Call(HostSys.Ioctl, hostFd, GetSession, (nint)(&session)) < 0)
            return 0;
        lock (kernel.Gate)
        {
            if ((c.Thread.Blocked & Signal.Bit(signal)) != 0 || c.Process.Actions[signal].Handler == SignalAction.Ignore)
                return signal == Signal.Ttin ? -Errno.EIO : 0;
            if (c.Thread.IsOrphanedGroup())
                return -Errno.EIO;
            foreach (var process in kernel.Processes.ToArray())
                if (process.GroupId == c.Process.GroupId)
                    process.Send(SignalInfo.Sent(signal, SignalInfo.FromKernel, 0, 0));
            return -Errno.ERESTARTSYS;
        }
    }

    /// <summary>True for the requests of ioctl that change a terminal.</summary>
    public static bool Changes(uint request) => request is (>= 0x5402 and <= 0x5404) or (>= 0x5406 and <= 0x540B) or 0x5410 or 0x5423 or 0x5425
        or 0x5427 or 0x5428 or (>= 0x402C542B and <= 0x402C542D);
}
