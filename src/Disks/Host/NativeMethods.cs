using System.Runtime.InteropServices;

namespace DynaTrans.Disks.Host;

/// <summary>What the C library has for files and .NET does not. Values are those of x86-64 Linux (open(2), fcntl(2), lseek(2), fallocate(2)).</summary>
internal static partial class NativeMethods
{
    public const int ReadOnly = 0, ReadWrite = 2, CreateFile = 0x40, Exclusive = 0x80, NoControllingTerminal = 0x100, NonBlocking = 0x800, CloseOnExec = 0x80000;
    public const int SeekEnd = 2, SeekData = 3, SeekHole = 4;
    public const int KeepSize = 1, PunchHole = 2;
    public const int GetLock = 36, SetLock = 37;
    public const short SharedLock = 0, ExclusiveLock = 1, Unlocked = 2;
    public const int Again = 11, AccessDenied = 13, Exists = 17, NoSuchDevice = 6, Invalid = 22, NoLocks = 37, NotImplemented = 38, NotSupported = 95;

    /// <summary>struct flock.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct FileLock
    {
        public short Type;
        public short Whence;
        public long Start;
        public long Length;
        public int Process;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long Seek(int descriptor, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    public static partial int DataSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    public static partial int Allocate(int descriptor, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int Control(int descriptor, int command, ref FileLock argument);

    [LibraryImport("libc", EntryPoint = "realpath", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint RealPath(string path, nint buffer);

    /// <summary>The path without symbolic links, <c>.</c> and <c>..</c>; null when it leads nowhere.</summary>
    public static string? Resolve(string path)
    {
        var text = RealPath(path, 0);
        if (text == 0)
            return null;
        try
        {
            return Marshal.PtrToStringUTF8(text);
        }
        finally
        {
            unsafe
            {
                NativeMemory.Free((void*)text);
            }
        }
    }
}
