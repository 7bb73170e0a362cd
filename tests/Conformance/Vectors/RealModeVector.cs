using System.IO.Compression;
using System.Text.Json;

namespace DynaTrans.Conformance.Vectors;

/// <summary>Registers of a vector, in the order of <see cref="RealModeVector.RegisterNames"/>.</summary>
/// <param name="Name">Disassembly.</param>
/// <param name="Bytes">The instruction and the HLT that ends it.</param>
/// <param name="Initial">Registers before.</param>
/// <param name="InitialMemory">Physical addresses and bytes before; all other memory is 0.</param>
/// <param name="Final">Registers after.</param>
/// <param name="FinalMemory">Bytes that changed.</param>
/// <param name="ExceptionVector">Vector of the exception that was raised, or -1.</param>
/// <param name="FlagsAddress">Physical address at which the exception pushed FLAGS, or -1.</param>
public sealed record RealModeVector(
    string Name, string Bytes, ushort[] Initial, (int Address, byte Value)[] InitialMemory, ushort[] Final, (int Address, byte Value)[] FinalMemory,
    int ExceptionVector, int FlagsAddress)
{
    /// <summary>Register names, in the order of the arrays: general registers in encoding order, segment registers, IP, FLAGS.</summary>
    public static readonly string[] RegisterNames = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "es", "cs", "ss", "ds", "ip", "flags"];
}

/// <summary>All vectors of one instruction form, read from <c>FORM.jsonl.gz</c>.</summary>
public sealed class VectorFile
{
    private VectorFile(string form, ushort flagsMask, List<RealModeVector> vectors)
    {
        Form = form;
        FlagsMask = flagsMask;
        Vectors = vectors;
    }

    /// <summary>Opcode, and for opcode groups the reg field: "00", "80.3".</summary>
    public string Form { get; }

    /// <summary>The flags that the form defines.</summary>
    public ushort FlagsMask { get; }

    /// <summary>The vectors.</summary>
    public IReadOnlyList<RealModeVector> Vectors { get; }

    /// <summary>
    /// The folder with the vectors: <c>shared/vectors/i286-real-mode</c> beside the project's root folder, or what the environment variable
    /// DYNATRANS_VECTORS names. Null when there is none.
    /// </summary>
    public static string? FindFolder()
    {
        if (Environment.GetEnvironmentVariable("DYNATRANS_VECTORS") is { Length: > 0 } named) return Directory.Exists(named) ? named : null;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "shared", "vectors", "i286-real-mode");
            if (Directory.Exists(candidate)) return candidate;
        }
        return null;
    }

    /// <summary>Reads one file.</summary>
    /// <exception cref="InvalidDataException">The file is not in the format.</exception>
    public static VectorFile Read(string path)
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
        using var header = JsonDocument.Parse(reader.ReadLine() ?? throw new InvalidDataException($"{path} is empty"));
        var vectors = new List<RealModeVector>();
        while (reader.ReadLine() is { } line)
        {
            using var document = JsonDocument.Parse(line);
            vectors.Add(ReadVector(document.RootElement));
        }
        return new VectorFile(header.RootElement.GetProperty("form").GetString()!, header.RootElement.GetProperty("flags_mask").GetUInt16(), vectors);
    }

    private static RealModeVector ReadVector(JsonElement root)
    {
        var initial = root.GetProperty("initial");
        var final = root.GetProperty("final");
        var before = ReadRegisters(initial.GetProperty("regs"), new ushort[RealModeVector.RegisterNames.Length]);
        var after = ReadRegisters(final.GetProperty("regs"), [.. before]);
        int vector = -1, flagsAddress = -1;
        if (root.TryGetProperty("exception", out var exception))
        {
            vector = exception.GetProperty("vector").GetInt32();
            if (exception.TryGetProperty("flags_address", out var address)) flagsAddress = address.GetInt32();
        }
        return new RealModeVector(
            root.GetProperty("name").GetString()!, root.GetProperty("bytes").GetString()!, before, ReadMemory(initial), after, ReadMemory(final), vector, flagsAddress);
    }

    private static ushort[] ReadRegisters(JsonElement registers, ushort[] into)
    {
        foreach (var register in registers.EnumerateObject())
        {
            var index = Array.IndexOf(RealModeVector.RegisterNames, register.Name);
            if (index < 0) throw new InvalidDataException($"unknown register {register.Name}");
            into[index] = register.Value.GetUInt16();
        }
        return into;
    }

    private static (int, byte)[] ReadMemory(JsonElement state)
    {
        var ram = state.GetProperty("ram");
        var memory = new (int, byte)[ram.GetArrayLength()];
        var i = 0;
        foreach (var pair in ram.EnumerateArray()) memory[i++] = (pair[0].GetInt32(), pair[1].GetByte());
        return memory;
    }
}
