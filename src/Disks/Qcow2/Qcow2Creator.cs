using DynaTrans.Disks.Host;

namespace DynaTrans.Disks.Qcow2;

/// <summary>Makes qcow2 images.</summary>
internal static class Qcow2Creator
{
    /// <summary>Makes an image whose disk has no bytes: header, refcount table, one refcount block. Its L1 table comes with its length.</summary>
    public static Qcow2Image Create(string path, long length, Qcow2CreateOptions options, DiskOpenOptions backingOptions)
    {
        const int TableCluster = 1, BlockCluster = 2, Clusters = 3;
        options.Validate();
        var bits = options.ClusterSize.Log2();
        if (Qcow2Header.L1EntriesFor(length, bits) > Qcow2Header.LargestL1 / 8)
            throw new DiskImageException($"{path}: {length} bytes are too many for clusters of {options.ClusterSize} bytes");
        var start = Qcow2Header.Make(options, TableCluster << bits, 0);
        var backing = options.BackingName is { } name ? BackingChain.OpenBacking(path, name, options.BackingFormat, backingOptions) : null;
        HostFile? file = null;
        try
        {
            file = HostFile.Create(path, options.Replaces);
            var block = new byte[options.ClusterSize];
            for (var i = 0; i < Clusters; i++)
                RefcountEntry.Set(block, i, options.RefcountBits.Log2(), 1);
            var table = new ulong[options.ClusterSize / 8];
            table[0] = (ulong)BlockCluster << bits;
            file.Write(BlockCluster << bits, block);
            BigEndianTable.WriteEntries(file, TableCluster << bits, table, 0, table.Length);

            // The magic comes last: until then it is no image.
            file.Write(0, start);
            file.Flush();
            var image = new Qcow2Image(file, Qcow2Header.Read(file), backing);
            image.PrepareForWriting();
            image.SetFirstLength(length);
            return image;
        }
        catch
        {
            file?.Dispose();
            backing?.Dispose();
            throw;
        }
    }
}
