using System.IO.Compression;
using DynaTrans.Disks.Host;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace DynaTrans.Disks.Qcow2;

/// <summary>Reads compressed clusters: raw deflate data (RFC 1951) or a zstd frame (RFC 8878), with anything behind them.</summary>
internal sealed class CompressedCluster(HostFile file, Qcow2Header header)
{
    // No frame of one cluster needs a larger window.
    private const int LargestWindowLog = Qcow2Header.LargestClusterBits + 1;
    private readonly byte[] _cluster = new byte[header.ClusterSize];
    private ulong _entry;

    /// <summary>The cluster that an L2 entry names; valid until the next call.</summary>
    public ReadOnlySpan<byte> Read(ulong entry)
    {
        if (entry == _entry)
            return _cluster;
        _entry = 0;
        var (offset, length) = L2Entry.Compressed(entry, header.ClusterBits);

        // The last sector need not be there wholly.
        length = (int)Math.Min(length, Math.Max(0, file.Length - offset));
        var packed = new byte[length];
        file.Read(offset, packed);
        try
        {
            using var source = new MemoryStream(packed);
            using var stream = Open(source);
            stream.ReadExactly(_cluster);
        }
        catch (Exception e) when (e is not DiskImageException)
        {
            // What the libraries throw on damaged data is not written down.
            throw file.Failure($"corrupt: the compressed cluster at 0x{offset:x} is damaged");
        }

        _entry = entry;
        return _cluster;
    }

    /// <summary>Forgets what was read: the file has changed.</summary>
    public void Forget() => _entry = 0;

    private Stream Open(MemoryStream source)
    {
        if (!header.IsZstd)
            return new DeflateStream(source, CompressionMode.Decompress);
        var stream = new DecompressionStream(source);
        stream.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, LargestWindowLog);
        return stream;
    }
}
