namespace DynaTrans.Linux.Files;

/// <summary>O_* flags; the kernel's values are the same for i386 and x86-64.</summary>
public static class OpenFlags
{
    /// <summary>O_WRONLY.</summary>
    public const int WriteOnly = 1;

    /// <summary>O_RDWR.</summary>
    public const int ReadWrite = 2;

    /// <summary>O_ACCMODE.</summary>
    public const int AccessMode = 3;

    /// <summary>O_CREAT.</summary>
    public const int Create = 0x40;

    /// <summary>O_EXCL.</summary>
    public const int Exclusive = 0x80;

    /// <summary>O_TRUNC.</summary>
    public const int Truncate = 0x200;

    /// <summary>O_APPEND.</summary>
    public const int Append = 0x400;

    /// <summary>O_NONBLOCK.</summary>
    public const int NonBlocking = 0x800;

    /// <summary>O_LARGEFILE: files of 2 GiB and more may be opened. Always on in the host.</summary>
    public const int LargeFile = 0x8000;

    /// <summary>O_DIRECTORY.</summary>
    public const int Directory = 0x10000;

    /// <summary>O_NOFOLLOW.</summary>
    public const int NoFollow = 0x20000;

    /// <summary>O_CLOEXEC.</summary>
    public const int CloseOnExec = 0x80000;

    /// <summary>O_PATH.</summary>
    public const int PathOnly = 0x200000;

    /// <summary>The bit of O_TMPFILE that it has beside O_DIRECTORY.</summary>
    public const int TemporaryFile = 0x400000;
}
