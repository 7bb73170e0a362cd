namespace DynaTrans.Runtime.Memory;

/// <summary>
/// Unmanaged memory that is given out piece by piece and given back all at once. Its chunks are mappings of their own: what is given back
/// is the host's again at once, whatever the allocator of the C library would keep. Not thread-safe.
/// </summary>
/// <param name="chunkSize">Bytes of a chunk, a multiple of the host's page size; no piece is larger.</param>
public sealed unsafe class NativeArena(int chunkSize)
{
    private const int Alignment = 16;

    private readonly List<nint> _chunks = [];
    private byte* _next;
    private byte* _end;

    /// <summary>Bytes of all chunks.</summary>
    public long Size => (long)_chunks.Count * chunkSize;

    /// <summary>A piece of memory, aligned to 16 bytes. It was zero when its chunk was new.</summary>
    /// <param name="size">Bytes, up to the size of a chunk.</param>
    /// <exception cref="OutOfMemoryException">The host refused another chunk.</exception>
    public nint Allocate(int size)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, chunkSize);
        size = (size + Alignment - 1) & -Alignment;
        if (_end - _next < size)
        {
            var chunk = HostMemory.Reserve((nuint)chunkSize);
            _chunks.Add((nint)chunk);
            _next = chunk;
            _end = chunk + chunkSize;
        }

        var piece = _next;
        _next += size;
        return (nint)piece;
    }

    /// <summary>Gives everything back; the arena can be used again.</summary>
    public void Clear()
    {
        for (var i = 0; i < _chunks.Count; i++)
            HostMemory.Release((byte*)_chunks[i], (nuint)chunkSize);
        _chunks.Clear();
        _next = _end = null;
    }
}
