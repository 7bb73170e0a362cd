using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.Memory;

/// <summary>Reservations of host memory: zeroed, readable and writable, committed by the host page by page on first touch.</summary>
internal static unsafe partial class HostMemory
{
    private const int ProtRead = 1;
    private const int ProtWrite = 2;
    private const int MapShared = 1;
    private const int MapPrivate = 2;
    private const int MapFixed = 0x10;
    private const int MapAnonymous = 0x20;
    private const int MapNoReserve = 0x4000;
    private const int MapFixedNoReplace = 0x100000;
    private const uint CloseOnExec = 1;
    private const nuint PatternSize = 2 << 20;

    private static readonly int[] s_patterns = new int[256];

    /// <summary>Reserves <paramref name="size"/> bytes.</summary>
    /// <exception cref="OutOfMemoryException">The host refused.</exception>
    public static byte* Reserve(nuint size)
    {
        var p = TryReserve(size);
        return p == null ? throw new OutOfMemoryException($"the host refused to reserve {size} bytes of address space") : p;
    }

    /// <summary>Reserves <paramref name="size"/> bytes; null when the host refuses.</summary>
    public static byte* TryReserve(nuint size)
    {
        var p = Mmap(null, size, ProtRead | ProtWrite, MapPrivate | MapAnonymous | MapNoReserve, -1, 0);
        return (nint)p == -1 ? null : (byte*)p;
    }

    /// <summary>Reserves <paramref name="size"/> bytes at an address; null when something else is there.</summary>
    public static byte* TryReserveAt(byte* address, nuint size)
    {
        var p = Mmap(address, size, ProtRead | ProtWrite, MapPrivate | MapAnonymous | MapNoReserve | MapFixedNoReplace, -1, 0);
        if ((nint)p == -1 || p == address)
            return (nint)p == -1 ? null : (byte*)p;

        // A kernel without MAP_FIXED_NOREPLACE takes the address as a hint.
        Release((byte*)p, size);
        return null;
    }

    /// <summary>
    /// Replaces whole pages by pages of one value that cost no memory until they are written to: copies of one file are mapped there.
    /// </summary>
    /// <returns>Bytes done, from the beginning: none when a file cannot be had.</returns>
    public static nuint Fill(byte* address, nuint size, byte value)
    {
        var fd = Pattern(value);
        nuint done = 0;
        while (fd >= 0 && done < size)
        {
            var piece = Math.Min(size - done, PatternSize);
            if ((nint)Mmap(address + done, piece, ProtRead | ProtWrite, MapPrivate | MapNoReserve | MapFixed, fd, 0) == -1)
                break;
            done += piece;
        }

        return done;
    }

    /// <summary>Replaces whole pages by fresh zero pages (also over a file mapping).</summary>
    public static void MakeZero(byte* address, nuint size)
    {
        if (size == 0)
            return;
        var p = Mmap(address, size, ProtRead | ProtWrite, MapPrivate | MapAnonymous | MapNoReserve | MapFixed, -1, 0);
        if ((nint)p == -1)
            throw new OutOfMemoryException("the host refused to renew pages of a reservation");
    }

    /// <summary>Gives a reservation back.</summary>
    public static void Release(byte* address, nuint size) => _ = Munmap(address, size);

    // A file of one value, made when it is first needed; -1 when it cannot be had.
    private static int Pattern(byte value)
    {
        lock (s_patterns)
        {
            if (s_patterns[value] != 0)
                return s_patterns[value];
            fixed (byte* name = "permissions"u8)
            {
                var fd = MemfdCreate(name, CloseOnExec);
                if (fd < 0)
                    return -1;
                void* p = (void*)-1;
                if (Ftruncate(fd, (nint)PatternSize) == 0)
                    p = Mmap(null, PatternSize, ProtRead | ProtWrite, MapShared, fd, 0);
                if ((nint)p == -1)
                {
                    _ = Close(fd);
                    return -1;
                }

                NativeMemory.Fill(p, PatternSize, value);
                Release((byte*)p, PatternSize);
                return s_patterns[value] = fd;
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "memfd_create")]
    private static partial int MemfdCreate(byte* name, uint flags);

    [LibraryImport("libc", EntryPoint = "ftruncate")]
    private static partial int Ftruncate(int fd, nint length);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Mmap(void* address, nuint length, int protection, int flags, int fd, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Munmap(void* address, nuint length);
}
