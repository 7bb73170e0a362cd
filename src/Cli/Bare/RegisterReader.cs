using System.Globalization;
using System.Text.Json;

namespace DynaTrans.Cli.Bare;

/// <summary>Reads the registers of a case, under any of their usual names.</summary>
internal static class RegisterReader
{
    private const uint MxcsrBits = 0xFFFF;

    // TF, IF, DF, IOPL, NT, RF, AC, ID and the six status flags; the others do not exist here or are fixed.
    private const uint FlagBits = 0x257FD5;

    private static readonly string[] LowNames = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
    private static readonly string[] SegmentNames = ["es", "cs", "ss", "ds", "fs", "gs"];
    private static readonly Dictionary<string, (int Index, int Bytes)> Gprs = MakeGprs();

    /// <summary>Reads the registers into <paramref name="to"/>, which keeps its defaults for those not given.</summary>
    /// <exception cref="CaseException">A register is unknown, given twice, or its value does not fit.</exception>
    public static void Read(JsonElement value, BareMode mode, RegisterFile to)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw new CaseException("\"registers\" must be an object");
        var seen = new HashSet<int>();
        foreach (var property in value.EnumerateObject())
            if (!seen.Add(ReadOne(property.Name, property.Value, mode, to)))
                throw new CaseException($"register \"{property.Name}\" is given twice");
        if (mode == BareMode.Real)
            CheckRealBases(to);
    }

    // Returns a number that is the same for all names of one register.
    private static int ReadOne(string name, JsonElement value, BareMode mode, RegisterFile to)
    {
        var widest = mode == BareMode.Long64 ? ulong.MaxValue : uint.MaxValue;
        if (Gprs.TryGetValue(name, out var gpr))
        {
            var max = gpr.Index >= 8 ? ulong.MaxValue : widest;
            to.Gpr[gpr.Index] = CaseReader.Number(value, name, Math.Min(max, ulong.MaxValue >> (64 - (gpr.Bytes * 8))));
            return gpr.Index;
        }

        var segment = Array.IndexOf(SegmentNames, name);
        if (segment >= 0)
        {
            to.Selectors[segment] = (ushort)CaseReader.Number(value, name, ushort.MaxValue);
            return 16 + segment;
        }

        if (name.StartsWith("st", StringComparison.Ordinal) && Index(name, 2, 8) is { } st)
        {
            to.St[st] = ReadHex(name, value, 20);
            to.StGiven |= 1 << st;
            return 32 + st;
        }

        if (name.StartsWith("xmm", StringComparison.Ordinal) && Index(name, 3, 16) is { } xmm)
        {
            to.Xmm[xmm] = ReadHex(name, value, 32);
            return 48 + xmm;
        }

        return ReadControl(name, value, mode, to);
    }

    private static int ReadControl(string name, JsonElement value, BareMode mode, RegisterFile to)
    {
        var widest = mode == BareMode.Long64 ? ulong.MaxValue : uint.MaxValue;
        switch (name)
        {
            case "rip" or "eip" or "ip":
                to.Rip = CaseReader.Number(value, name, mode is BareMode.Real or BareMode.Protected16 ? ushort.MaxValue : widest);
                return 64;
            case "rflags" or "eflags" or "flags":
                to.Rflags = (uint)CaseReader.Number(value, name, uint.MaxValue) & FlagBits | 2;
                return 65;
            case "fs_base":
                to.FsBase = CaseReader.Number(value, name, widest);
                return 66;
            case "gs_base":
                to.GsBase = CaseReader.Number(value, name, widest);
                return 67;
            case "fcw":
                to.Fcw = (ushort)CaseReader.Number(value, name, ushort.MaxValue);
                return 68;
            case "fsw":
                to.Fsw = (ushort)CaseReader.Number(value, name, ushort.MaxValue);
                return 69;
            case "ftw":
                to.Ftw = (ushort)CaseReader.Number(value, name, ushort.MaxValue);
                return 70;
            case "mxcsr":
                to.Mxcsr = (uint)CaseReader.Number(value, name, MxcsrBits);
                return 71;
            default:
                throw new CaseException($"unknown register \"{name}\"");
        }
    }

    private static void CheckRealBases(RegisterFile to)
    {
        if (to.FsBase is { } fs && fs != (ulong)to.Selectors[4] << 4)
            throw new CaseException("in real mode fs_base is fs * 16");
        if (to.GsBase is { } gs && gs != (ulong)to.Selectors[5] << 4)
            throw new CaseException("in real mode gs_base is gs * 16");
    }

    private static int? Index(string name, int prefix, int count) =>
        name.Length <= prefix + 2 && int.TryParse(name.AsSpan(prefix), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
        && index < count ? index : null;

    // A number in hexadecimal, the most significant digit first.
    private static UInt128 ReadHex(string name, JsonElement value, int digits)
    {
        var text = value.ValueKind == JsonValueKind.String ? value.GetString()! : string.Empty;
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            text = text[2..];
        if (text.Length != digits || !UInt128.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number))
            throw new CaseException($"\"{name}\" must be a string of {digits} hexadecimal digits");
        return number;
    }

    private static Dictionary<string, (int Index, int Bytes)> MakeGprs()
    {
        var names = new Dictionary<string, (int, int)>();
        for (var i = 0; i < 8; i++)
        {
            names[LowNames[i]] = (i, 2);
            names["e" + LowNames[i]] = (i, 4);
            names["r" + LowNames[i]] = (i, 8);
            names[$"r{i + 8}"] = (i + 8, 8);
            names[$"r{i + 8}d"] = (i + 8, 4);
        }

        return names;
    }
}
