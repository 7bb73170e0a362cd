namespace DynaTrans.Disks.Qcow2;

/// <summary>How often each cluster of a file is used, in pieces: a file may be much longer than what is in it.</summary>
internal sealed class ClusterCounts
{
    /// <summary>Clusters of a piece; no refcount block describes fewer.</summary>
    public const int PieceClusters = 64;

    private const int PieceBits = 6, MostPieces = 1 << 22;
    private readonly Dictionary<long, uint[]> _pieces = [];

    /// <summary>The numbers of the pieces that are used, in order.</summary>
    public long[] Pieces => [.. _pieces.Keys.Order()];

    /// <summary>How often a cluster is used.</summary>
    public uint Get(long cluster) => _pieces.TryGetValue(cluster >> PieceBits, out var piece) ? piece[cluster & (PieceClusters - 1)] : 0;

    /// <summary>True when some cluster of a piece is used.</summary>
    public bool HasPiece(long piece) => _pieces.ContainsKey(piece);

    /// <summary>Counts further uses.</summary>
    /// <exception cref="DiskImageException">What is used is spread too widely.</exception>
    public void Add(long cluster, uint count = 1)
    {
        if (!_pieces.TryGetValue(cluster >> PieceBits, out var piece))
        {
            if (_pieces.Count == MostPieces)
                throw new DiskImageException("the image uses more clusters than can be counted");
            _pieces[cluster >> PieceBits] = piece = new uint[PieceClusters];
        }

        ref var value = ref piece[cluster & (PieceClusters - 1)];
        value = (uint)Math.Min(uint.MaxValue, (ulong)value + count);
    }
}
