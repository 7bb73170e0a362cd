using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>Questions about files of the host.</summary>
internal static unsafe class HostFiles
{
    private const int TypeMask = 0xf000;
    private const int AtEmptyPath = 0x1000;
    private const int AtSymlinkNoFollow = 0x100;

    /// <summary>Status of an open file.</summary>
    /// <returns>0 or a negative error number.</returns>
    public static long Status(int hostFd, out HostStat status)
    {
        fixed (HostStat* p = &status)
            return HostCalls.Call(HostSys.Fstat, hostFd, (nint)p);
    }

    /// <summary>Status of a file by its path, of the link itself when it is one.</summary>
    /// <returns>0 or a negative error number.</returns>
    public static long LinkStatus(int directory, string path, out HostStat status)
    {
        fixed (HostStat* p = &status)
        fixed (byte* name = HostCalls.Path(path))
            return HostCalls.Call(HostSys.Newfstatat, directory, (nint)name, (nint)p, AtSymlinkNoFollow | (path.Length == 0 ? AtEmptyPath : 0));
    }

    /// <summary>True for a regular file or a directory.</summary>
    public static bool IsRegular(int hostFd) => Status(hostFd, out var status) == 0 && (status.Mode & TypeMask) is 0x8000 or 0x4000;

    /// <summary>True for a directory.</summary>
    public static bool IsDirectory(in HostStat status) => (status.Mode & TypeMask) == 0x4000;

    /// <summary>True for a symbolic link.</summary>
    public static bool IsLink(in HostStat status) => (status.Mode & TypeMask) == 0xa000;

    /// <summary>True for a FIFO.</summary>
    public static bool IsFifo(in HostStat status) => (status.Mode & TypeMask) == 0x1000;

    /// <summary>The host's path of an open file, from /proc/self/fd; null when there is none.</summary>
    public static string? PathOf(int hostFd) => HostCalls.ReadLinkAt(PathResolver.AtWorkingDirectory, $"/proc/self/fd/{hostFd}");
}
