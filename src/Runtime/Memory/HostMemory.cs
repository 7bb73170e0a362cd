using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.Memory;

/// <summary>Reservations of host memory: zeroed, readable and writable, committed by the host page by page on first touch.</summary>
internal static unsafe partial class HostMemory
{
    private const int ProtRead = 1;
    private const int ProtWrite = 2;
    private const int MapPrivate = 2;
    private const int MapFixed = 0x10;
    private const int MapAnonymous = 0x20;
    private const int MapNoReserve = 0x4000;

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

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Mmap(void* address, nuint length, int protection, int flags, int fd, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Munmap(void* address, nuint length);
}
