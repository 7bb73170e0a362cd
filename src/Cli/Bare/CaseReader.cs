using System.Globalization;
using System.Text.Json;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Cli.Bare;

/// <summary>A case that is not in the format; the message is for the user.</summary>
internal sealed class CaseException(string message) : Exception(message);

/// <summary>Reads one JSON case. The format is in docs/exec.md.</summary>
internal static class CaseReader
{
    // Of all memory of one case, and of all its dumps: a case is a small thing.
    private const ulong MaxBytes = 1UL << 30;
    private const ulong MaxDump = 1UL << 26;

    /// <summary>Reads a case.</summary>
    /// <exception cref="CaseException">A field is missing, unknown or out of range.</exception>
    public static ExecCase Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new CaseException("a case is a JSON object");
        var result = new ExecCase();
        result.Mode = ReadMode(root);
        if (result.Mode == BareMode.Real)
            result.Ring = 0;
        foreach (var property in root.EnumerateObject())
        {
            var value = property.Value;
            switch (property.Name)
            {
                case "id" or "mode":
                    break;
                case "ring":
                    result.Ring = ReadRing(value, result.Mode);
                    break;
                case "instructions":
                    result.Instructions = Number(value, "instructions", long.MaxValue);
                    break;
                case "memory":
                    ReadRegions(value, "memory", result.Mode, MaxBytes, result.Memory);
                    break;
                case "dump":
                    ReadRegions(value, "dump", result.Mode, MaxDump, result.Dump);
                    break;
                case "report":
                    Word(value, "report", "changes");
                    result.ReportsChanges = true;
                    break;
                case "selectors":
                    result.HasLinuxSelectors = Word(value, "selectors", "any", "linux") == "linux";
                    if (result.HasLinuxSelectors && result.Mode is not (BareMode.Protected32 or BareMode.Long64))
                        throw new CaseException("the selectors of Linux are those of protected32 and long64 code");
                    break;
                case "registers":
                    RegisterReader.Read(value, result.Mode, result.Registers);
                    break;
                default:
                    throw new CaseException($"unknown field \"{property.Name}\"");
            }
        }

        return result;
    }

    /// <summary>A number up to <paramref name="max"/>: a JSON integer, or a string with a decimal or 0x number.</summary>
    public static ulong Number(JsonElement value, string name, ulong max)
    {
        ulong number;
        var ok = value.ValueKind switch
        {
            JsonValueKind.Number => value.TryGetUInt64(out number),
            JsonValueKind.String => TryParse(value.GetString()!, out number),
            _ => TryParse(string.Empty, out number),
        };
        if (!ok)
            throw new CaseException($"\"{name}\" must be an unsigned number, decimal or \"0x...\"");
        return number <= max ? number : throw new CaseException($"\"{name}\" must not be above 0x{max:x}");
    }

    private static bool TryParse(string text, out ulong number) =>
        text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
            : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private static string Word(JsonElement value, string name, params ReadOnlySpan<string> allowed)
    {
        foreach (var word in allowed)
            if (value.ValueKind == JsonValueKind.String && value.ValueEquals(word))
                return word;
        throw new CaseException($"\"{name}\" must be \"{string.Join("\" or \"", allowed!)}\"");
    }

    private static BareMode ReadMode(JsonElement root)
    {
        if (!root.TryGetProperty("mode", out var mode))
            throw new CaseException("\"mode\" is missing");
        return (mode.ValueKind == JsonValueKind.String ? mode.GetString() : null) switch
        {
            "real" => BareMode.Real,
            "protected16" => BareMode.Protected16,
            "protected32" => BareMode.Protected32,
            "long64" => BareMode.Long64,
            _ => throw new CaseException("\"mode\" must be \"real\", \"protected16\", \"protected32\" or \"long64\""),
        };
    }

    private static int ReadRing(JsonElement value, BareMode mode)
    {
        var ring = Number(value, "ring", 3);
        if (ring is not (0 or 3) || (mode == BareMode.Real && ring != 0))
            throw new CaseException(mode == BareMode.Real ? "real mode has ring 0" : "\"ring\" must be 0 or 3");
        return (int)ring;
    }

    private static void ReadRegions(JsonElement value, string name, BareMode mode, ulong maxBytes, List<MemoryRegion> regions)
    {
        if (value.ValueKind != JsonValueKind.Array)
            throw new CaseException($"\"{name}\" must be an array");
        ulong total = 0;
        foreach (var element in value.EnumerateArray())
        {
            var region = ReadRegion(element, name, mode);
            total += region.Length;
            if (region.Length > maxBytes || total > maxBytes)
                throw new CaseException($"\"{name}\" is more than {maxBytes} bytes");
            regions.Add(region);
        }
    }

    private static MemoryRegion ReadRegion(JsonElement element, string name, BareMode mode)
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw new CaseException($"an element of \"{name}\" must be an object");
        ulong? at = null, size = null;
        byte[]? bytes = null;
        byte? fill = null;
        var access = MemoryRegion.All;
        var highest = mode == BareMode.Long64 ? ulong.MaxValue : uint.MaxValue;
        foreach (var property in element.EnumerateObject())
        {
            switch (property.Name)
            {
                case "at":
                    at = Number(property.Value, "at", highest);
                    break;
                case "size":
                    size = Number(property.Value, "size", ulong.MaxValue);
                    break;
                case "hex" when name == "memory":
                    bytes = ReadHex(property.Value);
                    break;
                case "fill" when name == "memory":
                    fill = (byte)Number(property.Value, "fill", byte.MaxValue);
                    break;
                case "access" when name == "memory":
                    access = ReadAccess(property.Value);
                    break;
                default:
                    throw new CaseException($"unknown field \"{property.Name}\" in \"{name}\"");
            }
        }

        if (at is not { } address)
            throw new CaseException($"\"at\" is missing in an element of \"{name}\"");
        if (size.HasValue == (bytes != null))
            throw new CaseException(name == "memory" ? "an element of \"memory\" has either \"size\" or \"hex\"" : "\"size\" is missing in an element of \"dump\"");
        if (fill.HasValue && bytes != null)
            throw new CaseException("\"fill\" goes with \"size\"");
        if (mode == BareMode.Real && access != MemoryRegion.All)
            throw new CaseException("real mode has no access rights");
        var length = size ?? (ulong)bytes!.Length;
        if (length != 0 && (length - 1 > highest - address || !IsCanonical(address, length)))
            throw new CaseException($"0x{address:x} and {length} bytes on is not a range of addresses in this mode");
        return new MemoryRegion(address, length, bytes, fill ?? 0, access);
    }

    private static PagePermission ReadAccess(JsonElement value) => Word(value, "access", "r", "rw", "rx", "rwx") switch
    {
        "r" => PagePermission.Read,
        "rw" => PagePermission.Read | PagePermission.Write,
        "rx" => PagePermission.Read | PagePermission.Execute,
        _ => MemoryRegion.All,
    };

    // Both ends in the same half of the 48-bit address space.
    private static bool IsCanonical(ulong address, ulong length) =>
        (long)(address << 16) >> 16 == (long)address && (address + (length - 1)) >> 47 == address >> 47;

    private static byte[] ReadHex(JsonElement value)
    {
        try
        {
            return Convert.FromHexString(value.ValueKind == JsonValueKind.String ? value.GetString()! : throw new FormatException());
        }
        catch (FormatException)
        {
            throw new CaseException("\"hex\" must be a string of hexadecimal digits, two a byte");
        }
    }
}
