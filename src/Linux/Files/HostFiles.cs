using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files;

/// <summary>Questions about files of the host.</summary>
internal static unsafe class HostFiles
{
    private const int TypeMask = 0xf000;
    private const int AtEmptyPath = 0x1000;
    private const int AtSymlinkNoFollow = 0x100;

    private const long ProcMagic = 0x9FA0, BinfmtMagic = 0x42494E4D;

    private static ulong[] s_ordinaryDevices = [];

    // Decided by OpenRoot, before the first guest path.
    private static bool s_lacksOpenat2;

    /// <summary>RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH and RESOLVE_IN_ROOT of openat2(2).</summary>
    public const ulong NoCrossing = 1, NoMagicLinks = 2, NoSymlinks = 4, Beneath = 8, InRoot = 16;

    /// <summary>
    /// openat2(2). The guest's paths are given to the host by this call only, with <see cref="NoMagicLinks"/>: a magic link of /proc is the
    /// host process's.
    /// </summary>
    /// <returns>A descriptor or a negative error number.</returns>
    public static long Open(int directory, string path, int flags, int mode, ulong resolve)
    {
        const int Size = 24;
        if (s_lacksOpenat2)
            return (resolve & ~NoSymlinks) == 0 ? HostCalls.OpenAt(directory, path, flags, mode) : -Errno.ENOSYS;
        var how = stackalloc ulong[3] { (uint)flags, (uint)mode, resolve };
        fixed (byte* p = HostCalls.Path(path))
            return HostCalls.Call(HostSys.Openat2, directory, (nint)p, (nint)how, Size);
    }

    /// <summary>See <see cref="OpenRoot"/>.</summary>
    public static bool HasOpenat2 => !s_lacksOpenat2;

    /// <summary>
    /// Opens the host's root directory, and finds out whether the host has openat2 (Linux 5.6; some containers deny it). Without it every
    /// path is walked part by part, and a root prefix does not serve.
    /// </summary>
    public static int OpenRoot()
    {
        const int Flags = OpenFlags.PathOnly | OpenFlags.Directory | OpenFlags.CloseOnExec;
        var fd = Open(PathResolver.AtWorkingDirectory, "/", Flags, 0, NoMagicLinks);
        if (fd >= 0)
            return (int)fd;
        s_lacksOpenat2 = true;
        return HostCalls.OpenAt(PathResolver.AtWorkingDirectory, "/", Flags);
    }

    /// <summary>True when an open file lies in a procfs (or where one is mounted inside of it): guests get none but through <see cref="Proc"/>.</summary>
    public static bool IsProc(int hostFd)
    {
        var status = stackalloc long[StatLayouts.HostFileSystemSize / sizeof(long)];
        return HostCalls.Call(HostSys.Fstatfs, hostFd, (nint)status) != 0 || status[0] is ProcMagic or BinfmtMagic;
    }

    /// <summary>
    /// As <see cref="IsProc(int)"/>, by the device of a file whose status is known already: asked once for each device. A device number may be
    /// used again after an unmount, so this is for calls that only give a file's status.
    /// </summary>
    public static bool IsProc(int hostFd, ulong device)
    {
        var known = Volatile.Read(ref s_ordinaryDevices);
        if (Array.IndexOf(known, device) >= 0)
            return false;
        if (IsProc(hostFd))
            return true;
        Volatile.Write(ref s_ordinaryDevices, [.. known, device]);
        return false;
    }

    /// <summary>The name by which the host finds an open file again, whatever its path is now.</summary>
    public static string Reopening(int hostFd) => $"/proc/self/fd/{hostFd}";

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

    /// <summary>True when a path of the host's leads to a FIFO.</summary>
    public static bool NamesFifo(int directory, string path)
    {
        HostStat status;
        fixed (byte* name = HostCalls.Path(path))
            return HostCalls.Call(HostSys.Newfstatat, directory, (nint)name, (nint)(&status), 0) == 0 && IsFifo(status);
    }

    /// <summary>True for a regular file or a directory.</summary>
    public static bool IsRegular(int hostFd) => Status(hostFd, out var status) == 0 && (status.Mode & TypeMask) is 0x8000 or 0x4000;

    /// <summary>True for a regular file.</summary>
    public static bool IsPlain(in HostStat status) => (status.Mode & TypeMask) == 0x8000;

    /// <summary>True for /dev/zero.</summary>
    public static bool IsZeroDevice(in HostStat status) => (status.Mode & TypeMask) == 0x2000 && status.SpecialDevice == 0x105;

    /// <summary>True for a directory.</summary>
    public static bool IsDirectory(in HostStat status) => (status.Mode & TypeMask) == 0x4000;

    /// <summary>True for a symbolic link.</summary>
    public static bool IsLink(in HostStat status) => (status.Mode & TypeMask) == 0xa000;

    /// <summary>True for a FIFO.</summary>
    public static bool IsFifo(in HostStat status) => (status.Mode & TypeMask) == 0x1000;

    /// <summary>The host's path of an open file, from /proc/self/fd; null when there is none.</summary>
    public static string? PathOf(int hostFd) => HostCalls.ReadLinkAt(PathResolver.AtWorkingDirectory, Reopening(hostFd));
}
