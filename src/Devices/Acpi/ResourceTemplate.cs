using System.Buffers.Binary;

namespace DynaTrans.Devices.Acpi;

/// <summary>
/// The resources of a device as <c>_CRS</c> and <c>_PRS</c> give them (ACPI specification 6.4, 6.4: resource data types). The methods append one
/// descriptor each and give the template back.
/// </summary>
public sealed class ResourceTemplate
{
    // A range whose ends do not move and that is passed on to the devices below a bridge.
    private const byte FixedProducer = 0b1100;

    private readonly List<byte> _bytes = [];

    /// <summary>I/O ports that are decoded with 16 bits.</summary>
    public ResourceTemplate Io(ushort first, byte count) =>
        Add(0x47, 1, (byte)first, (byte)(first >> 8), (byte)first, (byte)(first >> 8), 1, count);

    /// <summary>An edge-triggered interrupt of the ISA bus, not shared.</summary>
    public ResourceTemplate Irq(int number) => Add(0x22, (byte)(1 << number), (byte)((1 << number) >> 8));

    /// <summary>Level-triggered, active low, shared interrupts of which the device uses one.</summary>
    public ResourceTemplate SharedInterrupts(params uint[] numbers)
    {
        const byte consumerLowShared = 0b1101;
        AddLarge(0x89, [consumerLowShared, (byte)numbers.Length, .. numbers.SelectMany(n => Bytes(n, 4))]);
        return this;
    }

    /// <summary>Memory below 4 GiB at a fixed place.</summary>
    public ResourceTemplate Memory(uint first, uint length)
    {
        AddLarge(0x86, [1, .. Bytes(first, 4), .. Bytes(length, 4)]);
        return this;
    }

    /// <summary>The buses behind a host bridge.</summary>
    public ResourceTemplate BusNumbers(byte first, byte last) => Range(0x88, 2, 2, 0, first, last);

    /// <summary>Ports that a host bridge passes on.</summary>
    public ResourceTemplate PortWindow(ushort first, ushort last) => Range(0x88, 2, 1, 3, first, last);

    /// <summary>Memory below 4 GiB that a host bridge passes on.</summary>
    /// <param name="first">The first address.</param>
    /// <param name="last">The last one.</param>
    /// <param name="cacheable">Whether reads have no effects and may be cached (a frame buffer's).</param>
    public ResourceTemplate MemoryWindow(uint first, uint last, bool cacheable) => Range(0x87, 4, 0, (byte)(cacheable ? 3 : 1), first, last);

    /// <summary>Memory at any address that a host bridge passes on; reads have no effects.</summary>
    public ResourceTemplate WideMemoryWindow(ulong first, ulong last) => Range(0x8A, 8, 0, 3, first, last);

    /// <summary>The template with its end tag (whose checksum of 0 stands for none), as AML has it.</summary>
    public byte[] ToAml() => Aml.Buffer([.. _bytes, 0x79, 0]);

    private ResourceTemplate Add(params byte[] descriptor)
    {
        _bytes.AddRange(descriptor);
        return this;
    }

    // An address space descriptor: type (0 memory, 1 I/O, 2 buses), flags of the type, then granularity, minimum, maximum, translation and length.
    private ResourceTemplate Range(byte tag, int size, byte type, byte typeFlags, ulong first, ulong last)
    {
        AddLarge(tag, [
            type, FixedProducer, typeFlags,
            .. Bytes(0, size), .. Bytes(first, size), .. Bytes(last, size), .. Bytes(0, size), .. Bytes(last - first + 1, size),
        ]);
        return this;
    }

    private void AddLarge(byte tag, byte[] contents) => Add([tag, (byte)contents.Length, (byte)(contents.Length >> 8), .. contents]);

    private static byte[] Bytes(ulong value, int size)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes[..size];
    }
}
