using System.Buffers.Binary;
using System.Text;
using DynaTrans.Devices.Pci;

namespace DynaTrans.Devices.Acpi;

/// <summary>An address in the tables that depends on where they are: so far it is an offset in <see cref="AcpiTables.Tables"/>.</summary>
/// <param name="InRsdp">Whether it is in the RSDP, not in the tables.</param>
/// <param name="Offset">Where it is.</param>
/// <param name="Size">Its size, 4 or 8 bytes.</param>
public readonly record struct AcpiPointer(bool InRsdp, int Offset, int Size);

/// <summary>A checksum that has to be worked out when the pointers are in.</summary>
/// <param name="InRsdp">Whether it is in the RSDP, not in the tables.</param>
/// <param name="Offset">Where it is.</param>
/// <param name="Start">The first byte that it is about.</param>
/// <param name="Length">The number of bytes.</param>
public readonly record struct AcpiChecksum(bool InRsdp, int Offset, int Start, int Length);

/// <summary>
/// The ACPI tables of the machine (ACPI specification 6.4, chapter 5): FACS, DSDT, FADT, MADT, RSDT, XSDT and the RSDP. They can be placed by the
/// host (<see cref="Place"/>) or by firmware (<see cref="TableLoader"/>).
/// </summary>
public sealed class AcpiTables
{
    /// <summary>Where the local APIC is after reset.</summary>
    public const uint LocalApicAddress = 0xFEE0_0000;

    /// <summary>Where the I/O APIC is.</summary>
    public const uint IoApicAddress = 0xFEC0_0000;

    /// <summary>The interrupt of the power-management block, of the 8259 pair and of the I/O APIC.</summary>
    public const byte SystemControlInterrupt = 9;

    /// <summary>What the tables must be aligned to, in bytes: the FACS, which is the first, asks for it.</summary>
    public const int Alignment = 64;

    private const int RsdpSize = 36;

    private readonly List<byte> _tables = [];
    private readonly List<AcpiPointer> _pointers = [];
    private readonly List<AcpiChecksum> _checksums = [];

    /// <summary>Builds the tables.</summary>
    public AcpiTables(AcpiConfiguration configuration)
    {
        var facs = Append(Facs());
        var dsdt = Append(Dsdt.Build(configuration));
        var fadt = AppendFadt(configuration, facs, dsdt);
        int[] tables = configuration.HasApic ? [fadt, Append(Madt())] : [fadt];
        var rsdt = AppendRoot("RSDT", 4, tables);
        var xsdt = AppendRoot("XSDT", 8, tables);
        Rsdp = BuildRsdp(rsdt, xsdt);
        Tables = [.. _tables];
        foreach (var checksum in _checksums)
            (checksum.InRsdp ? Rsdp : Tables)[checksum.Offset] = 0;
    }

    /// <summary>All tables but the RSDP, one after the other, as if they were at address 0. The checksums that depend on the place are 0.</summary>
    public byte[] Tables { get; }

    /// <summary>The root system description pointer (revision 2), for tables at address 0, its checksums 0.</summary>
    public byte[] Rsdp { get; }

    /// <summary>Where addresses are.</summary>
    public IReadOnlyList<AcpiPointer> Pointers => _pointers;

    /// <summary>Where checksums are that depend on addresses.</summary>
    public IReadOnlyList<AcpiChecksum> Checksums => _checksums;

    /// <summary>The tables and the RSDP for tables that are put at an address.</summary>
    /// <param name="address">A multiple of <see cref="Alignment"/> below 4 GiB. The RSDP itself may be anywhere; guests without other means look
    /// for it at multiples of 16 from E0000h to FFFFFh.</param>
    public (byte[] Tables, byte[] Rsdp) Place(uint address)
    {
        byte[] tables = [.. Tables];
        byte[] rsdp = [.. Rsdp];
        foreach (var pointer in _pointers)
        {
            var field = (pointer.InRsdp ? rsdp : tables).AsSpan(pointer.Offset, pointer.Size);
            if (pointer.Size == 4)
                BinaryPrimitives.WriteUInt32LittleEndian(field, BinaryPrimitives.ReadUInt32LittleEndian(field) + address);
            else
                BinaryPrimitives.WriteUInt64LittleEndian(field, BinaryPrimitives.ReadUInt64LittleEndian(field) + address);
        }

        foreach (var checksum in _checksums)
        {
            var bytes = checksum.InRsdp ? rsdp : tables;
            bytes[checksum.Offset] = 0;
            bytes[checksum.Offset] = AcpiTable.Checksum(bytes.AsSpan(checksum.Start, checksum.Length));
        }

        return (tables, rsdp);
    }

    // Puts a table at the next multiple of 16 (a FACS, at the start, is at one of 64).
    private int Append(byte[] table)
    {
        while (_tables.Count % 16 != 0)
            _tables.Add(0);
        var offset = _tables.Count;
        _tables.AddRange(table);
        return offset;
    }

    // A table with addresses at these places.
    private int Append(AcpiTable table, params (int Offset, int Size)[] pointers)
    {
        var bytes = table.ToBytes();
        var offset = Append(bytes);
        foreach (var (field, size) in pointers)
            _pointers.Add(new AcpiPointer(false, offset + field, size));
        _checksums.Add(new AcpiChecksum(false, offset + AcpiTable.ChecksumOffset, offset, bytes.Length));
        return offset;
    }

    private int AppendRoot(string signature, int size, params int[] tables)
    {
        var root = new AcpiTable(signature, 1);
        var pointers = new List<(int, int)>();
        foreach (var table in tables)
        {
            pointers.Add((root.Length, size));
            if (size == 4)
                root.Dword((uint)table);
            else
                root.Qword((ulong)table);
        }

        return Append(root, [.. pointers]);
    }

    // 5.2.10: no global lock, no waking vector.
    private static byte[] Facs()
    {
        var facs = new byte[64];
        Encoding.ASCII.GetBytes("FACS", facs);
        facs[4] = (byte)facs.Length;
        facs[32] = 1;
        return facs;
    }

    // 5.2.9, the table as of ACPI 2.0 (revision 3).
    private int AppendFadt(AcpiConfiguration configuration, int facs, int dsdt)
    {
        const byte desktop = 1;
        const ushort noSleepingState = 0xFFF;
        const byte rtcCentury = 0x32;
        const uint flushesCaches = 1 << 0;
        const uint haltsProcessor = 1 << 2;
        const uint noSleepButton = 1 << 5;
        const uint noRtcWake = 1 << 6;
        const uint widePmTimer = 1 << 8;
        const uint resetRegister = 1 << 10;
        const ushort legacyDevices = 1 << 0;
        const ushort keyboardController = 1 << 1;
        const ushort noVga = 1 << 2;
        var flags = flushesCaches | haltsProcessor | noSleepButton | noRtcWake | resetRegister | (configuration.HasWidePmTimer ? widePmTimer : 0);
        var architecture = legacyDevices | (configuration.HasKeyboardController ? keyboardController : 0) | (configuration.HasVga ? 0 : noVga);
        var events = configuration.PowerManagementBase;
        var control = (ushort)(events + 4);
        var timer = (ushort)(events + 8);
        var general = (ushort)(events + 12);

        var fadt = new AcpiTable("FACP", 3);
        fadt.Dword((uint)facs).Dword((uint)dsdt)
            .Byte(0).Byte(desktop).Word(SystemControlInterrupt)
            .Dword(SmiCommandPort.CommandPort).Byte(SmiCommandPort.EnableAcpi).Byte(SmiCommandPort.DisableAcpi).Byte(0).Byte(0)
            .Dword(events).Dword(0).Dword(control).Dword(0).Dword(0).Dword(timer).Dword(general).Dword(0)
            .Byte(4).Byte(2).Byte(0).Byte(4).Byte(4).Byte(0).Byte(0).Byte(0)
            .Word(noSleepingState).Word(noSleepingState).Word(0).Word(0).Byte(0).Byte(0).Byte(0).Byte(0).Byte(rtcCentury)
            .Word((ushort)architecture).Byte(0).Dword(flags)
            .PortAddress(ResetControl.Port, 8, 1).Byte(ResetControl.HardReset).Byte(0).Word(0);
        var wide = fadt.Length;

        // The FACS is given once, or guests see two.
        fadt.Qword(0).Qword((ulong)dsdt)
            .PortAddress(events, 32, 2).PortAddress(0, 0, 0)
            .PortAddress(control, 16, 2).PortAddress(0, 0, 0)
            .PortAddress(0, 0, 0)
            .PortAddress(timer, 32, 3)
            .PortAddress(general, 32, 1).PortAddress(0, 0, 0);
        return Append(fadt, (AcpiTable.HeaderSize, 4), (AcpiTable.HeaderSize + 4, 4), (wide + 8, 8));
    }

    // 5.2.12: one processor, one I/O APIC that has the timer at input 2, the SCI level-triggered, and NMI at LINT1.
    private static byte[] Madt()
    {
        const byte enabled = 1;
        const byte allProcessors = 0xFF;
        const ushort asTheBusHasIt = 0;
        const ushort levelActiveHigh = 0b1101;
        const uint hasPicPair = 1;
        return new AcpiTable("APIC", 1)
            .Dword(LocalApicAddress).Dword(hasPicPair)
            .Byte(0).Byte(8).Byte(0).Byte(0).Dword(enabled)
            .Byte(1).Byte(12).Byte(0).Byte(0).Dword(IoApicAddress).Dword(0)
            .Byte(2).Byte(10).Byte(0).Byte(0).Dword(IoApic.TimerInput).Word(asTheBusHasIt)
            .Byte(2).Byte(10).Byte(0).Byte(SystemControlInterrupt).Dword(SystemControlInterrupt).Word(levelActiveHigh)
            .Byte(4).Byte(6).Byte(allProcessors).Word(asTheBusHasIt).Byte(1)
            .ToBytes();
    }

    // 5.2.5.3: the first checksum is about what ACPI 1.0 had, the second about all.
    private byte[] BuildRsdp(int rsdt, int xsdt)
    {
        var rsdp = new byte[RsdpSize];
        Encoding.ASCII.GetBytes("RSD PTR ", rsdp);
        Encoding.ASCII.GetBytes("DYNATR", rsdp.AsSpan(9));
        rsdp[15] = 2;
        BinaryPrimitives.WriteInt32LittleEndian(rsdp.AsSpan(16), rsdt);
        rsdp[20] = RsdpSize;
        BinaryPrimitives.WriteInt32LittleEndian(rsdp.AsSpan(24), xsdt);
        _pointers.Add(new AcpiPointer(true, 16, 4));
        _pointers.Add(new AcpiPointer(true, 24, 8));
        _checksums.Add(new AcpiChecksum(true, 8, 0, 20));
        _checksums.Add(new AcpiChecksum(true, 32, 0, RsdpSize));
        return rsdp;
    }
}
