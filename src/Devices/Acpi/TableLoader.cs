using System.Buffers.Binary;
using System.Text;

namespace DynaTrans.Devices.Acpi;

/// <summary>
/// The ACPI tables as files of the firmware configuration, with the script by which firmware places them: where to allocate memory, which fields get
/// addresses, which checksums to make (the table-loader interface of QEMU, SeaBIOS and OVMF).
/// </summary>
public static class TableLoader
{
    private const string TablesFile = "etc/acpi/tables";
    private const string RsdpFile = "etc/acpi/rsdp";
    private const string ScriptFile = "etc/table-loader";

    private const int CommandSize = 128;
    private const int FileNameSize = 56;

    private const uint Allocate = 1;
    private const uint AddPointer = 2;
    private const uint AddChecksum = 3;

    private const byte HighMemory = 1;
    private const byte FSegment = 2;
    private const int RsdpAlignment = 16;

    /// <summary>Adds the three files.</summary>
    public static void AddTo(FwCfg configuration, AcpiTables tables)
    {
        configuration.AddFile(TablesFile, [.. tables.Tables]);
        configuration.AddFile(RsdpFile, [.. tables.Rsdp]);
        configuration.AddFile(ScriptFile, BuildScript(tables));
    }

    /// <summary>The script: commands of 128 bytes, integers little-endian.</summary>
    public static byte[] BuildScript(AcpiTables tables)
    {
        var script = new List<byte>();
        script.AddRange(Command(Allocate, RsdpFile, null, RsdpAlignment, null, null, FSegment));
        script.AddRange(Command(Allocate, TablesFile, null, AcpiTables.Alignment, null, null, HighMemory));
        foreach (var (inRsdp, offset, size) in tables.Pointers)
            script.AddRange(Command(AddPointer, FileOf(inRsdp), TablesFile, offset, null, null, (byte)size));
        foreach (var (inRsdp, offset, start, length) in tables.Checksums)
            script.AddRange(Command(AddChecksum, FileOf(inRsdp), null, offset, start, length, null));
        return [.. script];
    }

    private static string FileOf(bool inRsdp) => inRsdp ? RsdpFile : TablesFile;

    // The fields that a command has, in the order in which all commands have them.
    private static byte[] Command(uint number, string file, string? source, int first, int? second, int? third, byte? last)
    {
        var command = new byte[CommandSize];
        BinaryPrimitives.WriteUInt32LittleEndian(command, number);
        var at = 4;
        foreach (var name in (string?[])[file, source])
        {
            if (name is null)
                continue;
            Encoding.ASCII.GetBytes(name, command.AsSpan(at));
            at += FileNameSize;
        }

        foreach (var value in (int?[])[first, second, third])
        {
            if (value is null)
                continue;
            BinaryPrimitives.WriteInt32LittleEndian(command.AsSpan(at), value.Value);
            at += 4;
        }

        if (last is { } b)
            command[at] = b;
        return command;
    }
}
