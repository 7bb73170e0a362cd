using System.Buffers.Binary;
using System.Text;

namespace DynaTrans.Devices.Acpi;

/// <summary>Builds one table: the header that all system description tables share (ACPI specification 6.4, 5.2.6), and fields after it.</summary>
internal sealed class AcpiTable
{
    /// <summary>Bytes of the header.</summary>
    public const int HeaderSize = 36;

    /// <summary>Where in the header the checksum is.</summary>
    public const int ChecksumOffset = 9;

    private readonly List<byte> _bytes = [];

    /// <summary>Begins a table whose header is filled in by <see cref="ToBytes"/>.</summary>
    public AcpiTable(string signature, byte revision)
    {
        Ascii(signature).Dword(0).Byte(revision).Byte(0).Ascii("DYNATR").Ascii("DYNATRPC").Dword(1).Ascii("DYTR").Dword(1);
    }

    /// <summary>The number of bytes so far: where the next field is.</summary>
    public int Length => _bytes.Count;

    /// <summary>Appends a byte.</summary>
    public AcpiTable Byte(byte value)
    {
        _bytes.Add(value);
        return this;
    }

    /// <summary>Appends two bytes.</summary>
    public AcpiTable Word(ushort value) => Little(value, 2);

    /// <summary>Appends four bytes.</summary>
    public AcpiTable Dword(uint value) => Little(value, 4);

    /// <summary>Appends eight bytes.</summary>
    public AcpiTable Qword(ulong value) => Little(value, 8);

    /// <summary>Appends text without a terminator.</summary>
    public AcpiTable Ascii(string text) => Bytes(Encoding.ASCII.GetBytes(text));

    /// <summary>Appends bytes.</summary>
    public AcpiTable Bytes(ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    /// <summary>Appends the address of registers in I/O space as a generic address structure (5.2.3.2); a width of 0 says that there are none.</summary>
    public AcpiTable PortAddress(ushort port, byte bits, byte accessSize)
    {
        const byte systemIo = 1;
        return bits == 0 ? Dword(0).Qword(0) : Byte(systemIo).Byte(bits).Byte(0).Byte(accessSize).Qword(port);
    }

    /// <summary>The table with its length, and the checksum that makes the sum of its bytes 0.</summary>
    public byte[] ToBytes()
    {
        var bytes = _bytes.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), bytes.Length);
        bytes[ChecksumOffset] = 0;
        bytes[ChecksumOffset] = Checksum(bytes);
        return bytes;
    }

    /// <summary>The byte that makes a sum 0.</summary>
    public static byte Checksum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (var b in bytes)
            sum += b;
        return (byte)-sum;
    }

    private AcpiTable Little(ulong value, int size)
    {
        for (var i = 0; i < size; i++)
            _bytes.Add((byte)(value >> (8 * i)));
        return this;
    }
}
