using DynaTrans.Linux.Memory;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// A guest's <c>struct iovec</c> array, checked and turned into the host's, for one system call. The pieces point straight into guest
/// memory; what the host writes there is told to the block cache by <see cref="Changed"/>.
/// </summary>
internal readonly unsafe struct Vectors
{
    /// <summary>Most elements of an array (UIO_MAXIOV).</summary>
    public const int MaxCount = 1024;

    /// <summary>Most bytes that one call moves, as in the kernel.</summary>
    public const ulong MaxBytes = 0x7ffff000;

    private readonly ulong[] _guest;

    private Vectors(ulong[] host, ulong[] guest, ulong total)
    {
        Host = host;
        _guest = guest;
        Total = total;
    }

    /// <summary>Pairs of address and length, the host's layout.</summary>
    public ulong[] Host { get; }

    /// <summary>Pairs in <see cref="Host"/>.</summary>
    public int Count => Host.Length / 2;

    /// <summary>Guest address of the first piece; there is one.</summary>
    public ulong GuestStart => _guest[0];

    /// <summary>Bytes in all pieces.</summary>
    public ulong Total { get; }

    /// <summary>Reads and checks an array.</summary>
    /// <param name="memory">Guest memory.</param>
    /// <param name="is32">True for 32-bit pairs.</param>
    /// <param name="address">Where the array is.</param>
    /// <param name="count">Elements, as the guest passed them.</param>
    /// <param name="write">True when the host will write to the pieces.</param>
    /// <param name="vectors">The result. A piece of which only the beginning is accessible ends it, as the kernel's partial transfers do.</param>
    /// <returns>0 or a negative error number.</returns>
    public static long Read(UserMemory memory, bool is32, ulong address, ulong count, bool write, out Vectors vectors)
    {
        vectors = new Vectors([], [], 0);
        if (count > MaxCount)
            return -Errno.EINVAL;
        var pieces = new List<(ulong Guest, ulong Host, ulong Length)>((int)count);
        ulong total = 0;
        for (ulong i = 0; i < count; i++)
        {
            if (!TryReadPair(memory, is32, address, i, out var start, out var length))
                return -Errno.EFAULT;
            if (length > (is32 ? int.MaxValue : (ulong)long.MaxValue))
                return -Errno.EINVAL;
            length = Math.Min(length, MaxBytes - total);
            var added = Add(pieces, memory, start, length, write);
            if (added == 0 && length != 0 && total == 0)
                return -Errno.EFAULT;
            total += added;
            if (added < length)
                break;
        }

        vectors = Of(pieces, total);
        return 0;
    }

    /// <summary>The pieces of one buffer: more than one where it is not contiguous in the host.</summary>
    /// <param name="memory">Guest memory.</param>
    /// <param name="address">Where the buffer is.</param>
    /// <param name="length">Its bytes, up to <see cref="MaxBytes"/>.</param>
    /// <param name="write">True when the host will write to it.</param>
    /// <returns>What is accessible of it, from its beginning.</returns>
    public static Vectors OfBuffer(UserMemory memory, ulong address, ulong length, bool write)
    {
        var pieces = new List<(ulong Guest, ulong Host, ulong Length)>(2);
        return Of(pieces, Add(pieces, memory, address, length, write));
    }

    /// <summary>Cuts the pieces so that all together have no more than so many bytes.</summary>
    public void Shorten(ulong bytes)
    {
        for (var i = 0; i < Count; i++)
        {
            ref var length = ref Host[(i * 2) + 1];
            length = Math.Min(length, bytes);
            bytes -= length;
        }
    }

    /// <summary>Reads an array of addresses of another process: nothing is checked but the lengths.</summary>
    /// <returns>0 or a negative error number.</returns>
    public static long ReadPairs(UserMemory memory, bool is32, ulong address, ulong count, out (ulong Start, ulong Length)[] pairs)
    {
        pairs = [];
        if (count > MaxCount)
            return -Errno.EINVAL;
        pairs = new (ulong, ulong)[count];
        for (ulong i = 0; i < count; i++)
        {
            if (!TryReadPair(memory, is32, address, i, out var start, out var length))
                return -Errno.EFAULT;
            if (length > (is32 ? int.MaxValue : (ulong)long.MaxValue))
                return -Errno.EINVAL;
            pairs[i] = (start, length);
        }

        return 0;
    }

    /// <summary>Tells the block cache that the host wrote the first <paramref name="bytes"/> bytes.</summary>
    public void Changed(UserMemory memory, long bytes)
    {
        for (var i = 0; i < Count && bytes > 0; i++)
        {
            var piece = Math.Min((ulong)bytes, Host[(i * 2) + 1]);
            memory.Space.PrepareWrite(_guest[i], piece);
            bytes -= (long)piece;
        }
    }

    // Adds what is accessible of a buffer; returns its bytes.
    private static ulong Add(List<(ulong Guest, ulong Host, ulong Length)> pieces, UserMemory memory, ulong start, ulong length, bool write)
    {
        ulong done = 0;
        while (done < length && memory.TryGetPrefix(start + done, length - done, write, out var pointer, out var usable))
        {
            pieces.Add((start + done, (ulong)pointer, usable));
            done += usable;
        }

        return done;
    }

    private static Vectors Of(List<(ulong Guest, ulong Host, ulong Length)> pieces, ulong total)
    {
        var host = new ulong[pieces.Count * 2];
        var guest = new ulong[pieces.Count];
        for (var i = 0; i < pieces.Count; i++)
            (guest[i], host[i * 2], host[(i * 2) + 1]) = pieces[i];
        return new Vectors(host, guest, total);
    }

    private static bool TryReadPair(UserMemory memory, bool is32, ulong address, ulong index, out ulong start, out ulong length)
    {
        start = 0;
        length = 0;
        if (is32)
        {
            if (!memory.TryRead<ulong>(address + (index * 8), out var pair))
                return false;
            start = (uint)pair;
            length = pair >> 32;
            return true;
        }

        return memory.TryRead(address + (index * 16), out start) && memory.TryRead(address + (index * 16) + 8, out length);
    }
}
