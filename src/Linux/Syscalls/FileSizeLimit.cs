using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// RLIMIT_FSIZE of a guest: a write that begins behind the limit is EFBIG with SIGXFSZ, one that crosses it is cut. The host's own limit is
/// the guest's first one, so the host never sends its signal.
/// </summary>
internal static class FileSizeLimit
{
    /// <summary>True when the process has a limit; all else here is for that rare case.</summary>
    public static bool Applies(in SyscallContext c) => c.Process.Limits[ResourceLimits.FileSize].Soft != ResourceLimits.Infinity;

    /// <summary>Cuts a write to what the limit allows.</summary>
    /// <param name="c">The call.</param>
    /// <param name="hostFd">The file.</param>
    /// <param name="offset">Where the write begins; -1: at the file's position.</param>
    /// <param name="length">Bytes wanted; at the return the bytes allowed.</param>
    /// <returns>0 or -EFBIG.</returns>
    public static long Cut(in SyscallContext c, int hostFd, long offset, ref ulong length)
    {
        const int SeekCurrent = 1, Append = 0x400;
        if (!Applies(c) || length == 0 || HostFiles.Status(hostFd, out var status) < 0 || (status.Mode & 0xF000) != 0x8000)
            return 0;
        if (offset < 0)
        {
            offset = (HostCalls.Call(HostSys.Fcntl, hostFd, DescriptorCalls.GetStatus) & Append) != 0
                ? status.Size
                : HostCalls.Call(HostSys.Lseek, hostFd, 0, SeekCurrent);
        }

        var limit = c.Process.Limits[ResourceLimits.FileSize].Soft;
        if ((ulong)offset >= limit)
            return Exceeded(c);
        length = Math.Min(length, limit - (ulong)offset);
        return 0;
    }

    /// <summary>Checks a new length of a file. 0 or -EFBIG.</summary>
    public static long Check(in SyscallContext c, long length) =>
        length > 0 && (ulong)length > c.Process.Limits[ResourceLimits.FileSize].Soft ? Exceeded(c) : 0;

    private static long Exceeded(in SyscallContext c)
    {
        c.Process.Send(c.Thread, SignalInfo.Sent(Signal.Xfsz, SignalInfo.FromUser, c.Process.Pid, c.Process.Credentials.User));
        return -Errno.EFBIG;
    }
}
