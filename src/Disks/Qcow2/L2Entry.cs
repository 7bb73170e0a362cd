namespace DynaTrans.Disks.Qcow2;

/// <summary>What an L2 entry says about a cluster of the disk.</summary>
internal enum ClusterKind
{
    /// <summary>The backing file has it; without one, it is zero.</summary>
    Unallocated,

    /// <summary>It is zero.</summary>
    Zero,

    /// <summary>It is a cluster of the file.</summary>
    Data,

    /// <summary>It is somewhere in the file, compressed.</summary>
    Compressed,
}

/// <summary>Entries of L1 and L2 tables (docs/interop/qcow2, "Cluster mapping").</summary>
internal static class L2Entry
{
    /// <summary>Of both tables: the refcount is exactly one, so the cluster may be changed in its place.</summary>
    public const ulong Copied = 1ul << 63;

    /// <summary>Of both tables: the position in the file.</summary>
    public const ulong OffsetMask = 0x00FF_FFFF_FFFF_FE00;

    /// <summary>The cluster is zero (version 3).</summary>
    public const ulong Zero = 1;

    private const ulong CompressedFlag = 1ul << 62;
    private const int SectorBits = 9;

    /// <summary>What an entry says.</summary>
    public static ClusterKind KindOf(ulong entry, int version)
    {
        if ((entry & CompressedFlag) != 0)
            return ClusterKind.Compressed;
        if (version >= 3 && (entry & Zero) != 0)
            return ClusterKind.Zero;
        return (entry & OffsetMask) == 0 ? ClusterKind.Unallocated : ClusterKind.Data;
    }

    /// <summary>Where the data of a compressed cluster are, in bytes: whole sectors of 512, the first one possibly less.</summary>
    public static (long Offset, int Length) Compressed(ulong entry, int clusterBits)
    {
        var shift = 62 - (clusterBits - 8);
        var offset = (long)(entry & ((1ul << shift) - 1));
        var sectors = (int)((entry & ~(Copied | CompressedFlag)) >> shift) + 1;
        return (offset, (sectors << SectorBits) - (int)(offset & ((1 << SectorBits) - 1)));
    }

    /// <summary>The clusters of the file that an entry names, each of which counts it: the first one, and how many.</summary>
    public static (long First, int Count) Clusters(ulong entry, int clusterBits)
    {
        if ((entry & CompressedFlag) == 0)
            return ((long)(entry & OffsetMask) >> clusterBits, (entry & OffsetMask) == 0 ? 0 : 1);
        var (offset, length) = Compressed(entry, clusterBits);
        var first = offset >> clusterBits;
        return (first, (int)(((offset + length - 1) >> clusterBits) - first) + 1);
    }
}
