using System.Runtime.CompilerServices;
using System.Text;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>
/// Guest memory as system calls see it: every access is checked, and false (or a negative number) means EFAULT. Writes through this type
/// drop the code that was made from the bytes, once before and once after them: it may be made in between.
/// </summary>
public readonly unsafe struct UserMemory(AddressSpace space)
{
    /// <summary>Longest path, its terminating zero included.</summary>
    public const int PathMax = 4096;

    /// <summary>The address space.</summary>
    public AddressSpace Space => space;

    /// <summary>Reads a value. False: EFAULT.</summary>
    public bool TryRead<T>(ulong address, out T value)
        where T : unmanaged
    {
        if (space.TryGetPointer(address, (ulong)sizeof(T), PagePermission.Read, out var p))
        {
            value = Unsafe.ReadUnaligned<T>(p);
            return true;
        }

        Unsafe.SkipInit(out value);
        return TryRead(address, new Span<byte>(Unsafe.AsPointer(ref value), sizeof(T)));
    }

    /// <summary>Writes a value, all or nothing. False: EFAULT.</summary>
    public bool TryWrite<T>(ulong address, T value)
        where T : unmanaged
    {
        if (!space.TryGetPointer(address, (ulong)sizeof(T), PagePermission.Write, out var p))
            return TryWrite(address, new ReadOnlySpan<byte>(&value, sizeof(T)));
        Unsafe.WriteUnaligned(p, value);
        space.PrepareWrite(address, (ulong)sizeof(T));
        return true;
    }

    /// <summary>Reads bytes, all or nothing. False: EFAULT.</summary>
    public bool TryRead(ulong address, Span<byte> destination)
    {
        if (!space.TryGetPointer(address, (uint)destination.Length, PagePermission.Read, out var p))
            return space.Allows(address, (uint)destination.Length, PagePermission.Read) && space.Read(address, destination) == destination.Length;
        new ReadOnlySpan<byte>(p, destination.Length).CopyTo(destination);
        return true;
    }

    /// <summary>Writes bytes, all or nothing. False: EFAULT.</summary>
    public bool TryWrite(ulong address, ReadOnlySpan<byte> source)
    {
        if (!space.TryGetPointer(address, (uint)source.Length, PagePermission.Write, out var p))
            return space.Allows(address, (uint)source.Length, PagePermission.Write) && space.Write(address, source) == source.Length;
        source.CopyTo(new Span<byte>(p, source.Length));
        space.PrepareWrite(address, (uint)source.Length);
        return true;
    }

    /// <summary>
    /// Host pointer to a whole buffer that the host will fill, for zero copy. False: EFAULT. Length 0 gives true and a null pointer.
    /// </summary>
    public bool TryGetWritable(ulong address, ulong length, out byte* pointer) => TryGet(address, length, PagePermission.Write, out pointer);

    /// <summary>Host pointer to a whole buffer that the host will read. False: EFAULT.</summary>
    public bool TryGetReadable(ulong address, ulong length, out byte* pointer) => TryGet(address, length, PagePermission.Read, out pointer);

    /// <summary>
    /// As <see cref="TryGetWritable"/> and <see cref="TryGetReadable"/>, but gives the accessible beginning of the buffer when its end is
    /// not accessible, as the kernel's partial reads and writes do.
    /// </summary>
    /// <param name="address">Guest address.</param>
    /// <param name="length">Bytes wanted.</param>
    /// <param name="write">True when the host will write.</param>
    /// <param name="pointer">Host address.</param>
    /// <param name="usable">Bytes that may be used, at least 1 unless <paramref name="length"/> is 0.</param>
    /// <returns>False: EFAULT, not even the first byte is accessible.</returns>
    public bool TryGetPrefix(ulong address, ulong length, bool write, out byte* pointer, out ulong usable)
    {
        var access = write ? PagePermission.Write : PagePermission.Read;
        if (TryGet(address, length, access, out pointer))
        {
            usable = length;
            return true;
        }

        usable = AddressSpace.PageSize - (address % AddressSpace.PageSize);
        while (usable < length && space.Allows(address + usable, 1, access))
            usable += AddressSpace.PageSize;
        usable = space.ContiguousAt(address, Math.Min(usable, length));
        return TryGet(address, usable, access, out pointer);
    }

    /// <summary>
    /// Reads a string that ends with a zero byte, one char per byte.
    /// </summary>
    /// <returns>0, -EFAULT, or -ENAMETOOLONG when there is no zero within <paramref name="max"/> bytes.</returns>
    public int TryReadString(ulong address, out string text, int max = PathMax)
    {
        text = string.Empty;
        var length = StringLength(address, max);
        if (length < 0)
            return length;
        if (!space.TryGetPointer(address, (uint)length, PagePermission.Read, out var p))
            return -Errno.EFAULT;
        text = Encoding.Latin1.GetString(new ReadOnlySpan<byte>(p, length));
        return 0;
    }

    /// <summary>Length of a string that ends with a zero byte, or -EFAULT, or -ENAMETOOLONG.</summary>
    public int StringLength(ulong address, int max)
    {
        var length = 0;
        while (length < max)
        {
            var at = address + (uint)length;
            var chunk = (int)Math.Min((ulong)(max - length), AddressSpace.PageSize - (at % AddressSpace.PageSize));
            if (!space.TryGetPointer(at, (uint)chunk, PagePermission.Read, out var p))
                return -Errno.EFAULT;
            var zero = new ReadOnlySpan<byte>(p, chunk).IndexOf((byte)0);
            if (zero >= 0)
                return length + zero;
            length += chunk;
        }

        return -Errno.ENAMETOOLONG;
    }

    private bool TryGet(ulong address, ulong length, PagePermission access, out byte* pointer)
    {
        pointer = null;
        return length == 0 || space.TryGetPointer(address, length, access, out pointer);
    }
}
