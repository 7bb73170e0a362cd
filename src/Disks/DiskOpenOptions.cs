namespace DynaTrans.Disks;

/// <summary>The format of an image file.</summary>
public enum DiskFormat
{
    /// <summary>The bytes of the disk and nothing else.</summary>
    Raw,

    /// <summary>QEMU's copy-on-write format, versions 2 and 3.</summary>
    Qcow2,
}

/// <summary>How an image is opened.</summary>
public sealed record DiskOpenOptions
{
    /// <summary>The format; null: what the file begins with decides.</summary>
    public DiskFormat? Format { get; init; }

    /// <summary>Nothing is written.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>
    /// Files, and directories with all that is in them, that backing files may be. An image is untrusted: a name in it is opened only if, free of
    /// symbolic links, it is one of these or lies in one. Empty: no backing file is opened.
    /// </summary>
    public IReadOnlyList<string> AllowedBacking { get; init; } = [];

    /// <summary>Backing files are not opened; reading what the image does not have itself is an error. For tools that look at the image only.</summary>
    public bool LeavesOutBacking { get; init; }

    /// <summary>Neither takes nor respects locks. Only with <see cref="IsReadOnly"/>; what is read may be inconsistent.</summary>
    public bool IgnoresLocks { get; init; }
}
