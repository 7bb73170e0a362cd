using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using DynaTrans.Devices.Acpi;
using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>The ACPI tables against the specification's rules, and against ACPICA's compiler where it is installed.</summary>
public sealed class AcpiTablesTests
{
    private const uint Address = 0x7FE_0000;

    private static readonly AcpiConfiguration[] Configurations =
    [
        new(),
        new() { HasKeyboardController = false, HasVga = true, HasWidePmTimer = true, SerialPorts = 4, HasFirmwareConfiguration = false },
        new() { PowerManagementBase = 0xB000, PciMemoryStart = 0x8000_0000, WidePciMemory = (0x10_0000_0000, 0x10_0000_0000) },
    ];

    [Fact]
    public void EveryChecksumIsRight()
    {
        foreach (var configuration in Configurations)
        {
            var (tables, rsdp) = new AcpiTables(configuration).Place(Address);
            Assert.Equal(0, Sum(rsdp.AsSpan(0, 20)));
            Assert.Equal(0, Sum(rsdp));
            foreach (var (signature, bytes) in Walk(tables, rsdp))
                Assert.True(signature == "FACS" || Sum(bytes) == 0, signature);
        }
    }

    [Fact]
    public void BothRootsNameTheSameTables()
    {
        var (tables, rsdp) = new AcpiTables(new AcpiConfiguration()).Place(Address);
        Assert.Equal("RSD PTR DYNATR", Encoding.ASCII.GetString(rsdp, 0, 8) + Encoding.ASCII.GetString(rsdp, 9, 6));
        Assert.Equal(2, rsdp[15]);
        Assert.Equal(["RSDT", "XSDT", "FACP", "DSDT", "FACS", "APIC", "FACP", "APIC"], Walk(tables, rsdp).Select(t => t.Signature));
        var rsdt = At(tables, BinaryPrimitives.ReadUInt32LittleEndian(rsdp.AsSpan(16)));
        var xsdt = At(tables, BinaryPrimitives.ReadUInt64LittleEndian(rsdp.AsSpan(24)));
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(
                BinaryPrimitives.ReadUInt32LittleEndian(rsdt.AsSpan(36 + 4 * i)),
                BinaryPrimitives.ReadUInt64LittleEndian(xsdt.AsSpan(36 + 8 * i)));
        }
    }

    [Fact]
    public void ProcessorsWithoutApicHaveNoMadt()
    {
        var (tables, rsdp) = new AcpiTables(new AcpiConfiguration { HasApic = false }).Place(Address);
        Assert.Equal(["RSDT", "XSDT", "FACP", "DSDT", "FACS", "FACP"], Walk(tables, rsdp).Select(t => t.Signature));
    }

    [Fact]
    public void FadtHasTheBlocksInBothForms()
    {
        var (tables, rsdp) = new AcpiTables(new AcpiConfiguration()).Place(Address);
        var fadt = Walk(tables, rsdp).First(t => t.Signature == "FACP").Bytes;
        Assert.Equal(244, fadt.Length);
        uint Dword(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(fadt.AsSpan(offset));
        Assert.Equal(0xB2u, Dword(48));
        Assert.Equal([0xF1, 0xF0], fadt.AsSpan(52, 2).ToArray());
        foreach (var (narrow, wide, port, bits) in new[] { (56, 148, 0x600u, 32), (64, 172, 0x604u, 16), (76, 208, 0x608u, 32), (80, 220, 0x60Cu, 32) })
        {
            Assert.Equal(port, Dword(narrow));
            Assert.Equal([1, (byte)bits], fadt.AsSpan(wide, 2).ToArray());
            Assert.Equal(port, Dword(wide + 4));
        }

        Assert.Equal(0x32, fadt[108]);
        Assert.Equal(0b111, fadt[109]);
        Assert.Equal([1, 8, 0, 1, 0xF9, 0x0C], fadt.AsSpan(116, 6).ToArray());
        Assert.Equal(6, fadt[128]);
        Assert.Equal(0u, Dword(132));
        Assert.Equal(Dword(40), Dword(140));
    }

    [Fact]
    public void FirmwareCanPlaceTheTables()
    {
        var tables = new AcpiTables(new AcpiConfiguration());
        var configuration = new FwCfg(null);
        TableLoader.AddTo(configuration, tables);
        Assert.Equal(["etc/acpi/tables", "etc/acpi/rsdp", "etc/table-loader"], configuration.Files);

        var files = new Dictionary<string, byte[]> { ["etc/acpi/tables"] = [.. tables.Tables], ["etc/acpi/rsdp"] = [.. tables.Rsdp] };
        Execute(TableLoader.BuildScript(tables), files, Address);
        var (placed, rsdp) = tables.Place(Address);
        Assert.Equal(placed, files["etc/acpi/tables"]);
        Assert.Equal(rsdp, files["etc/acpi/rsdp"]);
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void AcpicaReadsAndCompilesThemAgain(int configuration)
    {
        Skip.IfNot(File.Exists("/usr/bin/iasl"), "iasl (acpica-tools) is not installed");
        var (tables, rsdp) = new AcpiTables(Configurations[configuration]).Place(Address);
        var folder = Directory.CreateTempSubdirectory("dynatrans-acpi-");
        try
        {
            foreach (var (signature, bytes) in Walk(tables, rsdp).DistinctBy(t => t.Signature))
                File.WriteAllBytes(Path.Combine(folder.FullName, signature + ".aml"), bytes);
            foreach (var signature in (string[])["DSDT", "FACP", "APIC", "FACS", "RSDT", "XSDT"])
            {
                var read = Iasl(folder.FullName, "-d", signature + ".aml");
                Assert.DoesNotContain("Error", read);
                Assert.DoesNotContain("Incorrect checksum", read);
                var source = File.ReadAllText(Path.Combine(folder.FullName, signature + ".dsl"));
                Assert.DoesNotContain("External (", source);
                if (signature is "RSDT" or "XSDT" or "FACS")
                    continue;
                var compiled = Iasl(folder.FullName, "-oa", "-p", signature + "-again", signature + ".dsl");
                Assert.Contains("Compilation successful. 0 Errors, 0 Warnings", compiled);

                // Only the number of the compiler differs, and with it the checksum.
                var again = File.ReadAllBytes(Path.Combine(folder.FullName, signature + "-again.aml"));
                var first = File.ReadAllBytes(Path.Combine(folder.FullName, signature + ".aml"));
                Assert.Equal(first.Length, again.Length);
                Assert.Equal(first[36..], again[36..]);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void NamesAndIdentifiersAreChecked()
    {
        Assert.Throws<ArgumentException>(() => Aml.EisaId("PNP0A0"));
        Assert.Throws<ArgumentException>(() => Aml.EisaId("pnp0A03"));
        Assert.Throws<ArgumentException>(() => Aml.Path("TOOLONG"));
        Assert.Equal([0x0C, 0x41, 0xD0, 0x0A, 0x03], Aml.EisaId("PNP0A03"));
        Assert.Equal([0x5C, 0x2E, .. "_SB_PCI0"u8], Aml.Path("\\_SB.PCI0"));
    }

    [Theory]
    [InlineData(0x3E, 1)]
    [InlineData(0x3F, 2)]
    [InlineData(0xFFD, 2)]
    [InlineData(0xFFE, 3)]
    [InlineData(0xF_FFFC, 3)]
    [InlineData(0xF_FFFD, 4)]
    public void LengthsOfPackagesCountThemselves(int content, int expectedSize)
    {
        var term = Aml.Else(new byte[content]);
        var size = (term[1] >> 6) + 1;
        Assert.Equal(expectedSize, size);
        var length = size == 1 ? term[1] : term[1] & 15;
        for (var i = 1; i < size; i++)
            length |= term[1 + i] << (4 + 8 * (i - 1));
        Assert.Equal(content + size, length);
        Assert.Equal(1 + length, term.Length);
    }

    private static byte Sum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (var b in bytes)
            sum += b;
        return sum;
    }

    private static byte[] At(byte[] tables, ulong address)
    {
        var table = tables.AsSpan((int)(address - Address));
        return table[..BinaryPrimitives.ReadInt32LittleEndian(table[4..])].ToArray();
    }

    // From the RSDP by both roots to all tables.
    private static List<(string Signature, byte[] Bytes)> Walk(byte[] tables, byte[] rsdp)
    {
        var found = new List<(string, byte[])>();
        void Add(byte[] table) => found.Add((Encoding.ASCII.GetString(table, 0, 4), table));
        var rsdt = At(tables, BinaryPrimitives.ReadUInt32LittleEndian(rsdp.AsSpan(16)));
        var xsdt = At(tables, BinaryPrimitives.ReadUInt64LittleEndian(rsdp.AsSpan(24)));
        Add(rsdt);
        Add(xsdt);
        for (var i = 36; i < rsdt.Length; i += 4)
        {
            var table = At(tables, BinaryPrimitives.ReadUInt32LittleEndian(rsdt.AsSpan(i)));
            Add(table);
            if (!table.AsSpan(0, 4).SequenceEqual("FACP"u8))
                continue;
            Add(At(tables, BinaryPrimitives.ReadUInt32LittleEndian(table.AsSpan(40))));
            Add(At(tables, BinaryPrimitives.ReadUInt32LittleEndian(table.AsSpan(36))));
        }

        for (var i = 36; i < xsdt.Length; i += 8)
            Add(At(tables, BinaryPrimitives.ReadUInt64LittleEndian(xsdt.AsSpan(i))));
        return found;
    }

    // What firmware does with the script.
    private static void Execute(byte[] script, Dictionary<string, byte[]> files, uint address)
    {
        Assert.Equal(0, script.Length % 128);
        var allocated = new HashSet<string>();
        for (var at = 0; at < script.Length; at += 128)
        {
            var command = script.AsSpan(at, 128);
            var file = Text(command[4..]);
            switch (BinaryPrimitives.ReadUInt32LittleEndian(command))
            {
                case 1:
                    Assert.True(allocated.Add(file));
                    Assert.Equal(file == "etc/acpi/rsdp" ? 2 : 1, command[64]);
                    Assert.Equal(file == "etc/acpi/rsdp" ? 16 : 64, BinaryPrimitives.ReadInt32LittleEndian(command[60..]));
                    break;
                case 2:
                    Assert.Equal("etc/acpi/tables", Text(command[60..]));
                    Assert.Contains(file, allocated);
                    var offset = BinaryPrimitives.ReadInt32LittleEndian(command[116..]);
                    var carry = (ulong)address;
                    for (var i = 0; i < command[120]; i++, carry >>= 8)
                    {
                        carry += files[file][offset + i];
                        files[file][offset + i] = (byte)carry;
                    }

                    break;
                case 3:
                    var place = BinaryPrimitives.ReadInt32LittleEndian(command[60..]);
                    var start = BinaryPrimitives.ReadInt32LittleEndian(command[64..]);
                    var length = BinaryPrimitives.ReadInt32LittleEndian(command[68..]);
                    Assert.Equal(0, files[file][place]);
                    files[file][place] = (byte)-Sum(files[file].AsSpan(start, length));
                    break;
                default:
                    Assert.Fail("unknown command");
                    break;
            }
        }
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.ASCII.GetString(bytes[..bytes.IndexOf((byte)0)]);

    private static string Iasl(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("/usr/bin/iasl", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        return process.StandardOutput.ReadToEnd() + error.Result;
    }
}
