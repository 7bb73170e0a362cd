using System.Numerics;

namespace DynaTrans.Disks.Qcow2;

/// <summary>What a new qcow2 image is like.</summary>
public sealed record Qcow2CreateOptions
{
    /// <summary>The cluster size in bytes: a power of two from 512 to 2 MiB.</summary>
    public int ClusterSize { get; init; } = 1 << 16;

    /// <summary>2 or 3 (as <c>qemu-img</c>'s compat=0.10 and 1.1).</summary>
    public int Version { get; init; } = 3;

    /// <summary>The width of a refcount in bits: a power of two from 1 to 64; 16 in version 2.</summary>
    public int RefcountBits { get; init; } = 16;

    /// <summary>Refcounts are written when the image is closed, and rebuilt when it was not. Version 3.</summary>
    public bool IsLazy { get; init; }

    /// <summary>Compressed clusters are those of zstd, not of zlib. Version 3.</summary>
    public bool IsZstd { get; init; }

    /// <summary>The name of the backing file as it is put into the image: absolute, or relative to the image's directory; null: none.</summary>
    public string? BackingName { get; init; }

    /// <summary>The backing file's format.</summary>
    public DiskFormat BackingFormat { get; init; }

    /// <summary>Whether the file may exist; what it has is lost then.</summary>
    public bool Replaces { get; init; }

    /// <summary>Throws when the options do not fit together.</summary>
    internal void Validate()
    {
        if (!BitOperations.IsPow2(ClusterSize) || ClusterSize.Log2() is < Qcow2Header.SmallestClusterBits or > Qcow2Header.LargestClusterBits)
            throw new DiskImageException($"a cluster size of {ClusterSize} bytes is no power of two from 512 to 2 MiB");
        if (Version is not (2 or 3))
            throw new DiskImageException($"qcow2 version {Version}: 2 or 3 expected");
        if (!BitOperations.IsPow2(RefcountBits) || RefcountBits is < 1 or > 64)
            throw new DiskImageException($"refcounts of {RefcountBits} bits: a power of two from 1 to 64 expected");
        if (Version == 2 && (RefcountBits != 16 || IsLazy || IsZstd))
            throw new DiskImageException("qcow2 version 2 has refcounts of 16 bits, no lazy refcounts and no zstd");
    }
}

/// <summary>Powers of two.</summary>
internal static class Powers
{
    /// <summary>The exponent of a positive power of two.</summary>
    public static int Log2(this int value) => BitOperations.Log2((uint)value);
}
