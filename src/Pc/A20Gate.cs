using DynaTrans.Devices;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Pc;

/// <summary>
/// The gate of address line 20, as software can tell it: while it is closed the second mebibyte shows the first. Other odd mebibytes, which real-mode
/// code cannot reach, keep their own contents.
/// </summary>
/// <param name="space">The physical memory.</param>
/// <param name="bus">Where accesses to the second mebibyte go while the gate is closed.</param>
internal sealed class A20Gate(AddressSpace space, MemoryBus bus) : IMemoryDevice
{
    private const ulong Line = 1 << 20;

    /// <summary>True while the line follows the processor's.</summary>
    public bool IsOpen { get; private set; } = true;

    /// <summary>Opens or closes the gate.</summary>
    public void Set(bool isOpen)
    {
        if (isOpen == IsOpen)
            return;
        IsOpen = isOpen;
        if (isOpen)
            bus.Unmap(Line, Line, this);
        else
            bus.Map(Line, Line, this);
        space.Protect(Line, Line, isOpen ? PagePermission.Read | PagePermission.Write | PagePermission.Execute : PagePermission.None);
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, int size)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        bytes.Fill(0xFF);
        space.Read(offset, bytes[..size]);
        return BitConverter.ToUInt64(bytes);
    }

    /// <inheritdoc/>
    public void Write(ulong offset, int size, ulong value)
    {
        space.PrepareWrite(offset, (ulong)size);
        space.Write(offset, BitConverter.GetBytes(value).AsSpan(0, size));
    }
}
