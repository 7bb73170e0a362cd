using System.Text;
using System.Text.Json;
using DynaTrans.Conformance.Running;

namespace DynaTrans.Conformance.Vectors;

/// <summary>What a vector must come to.</summary>
/// <param name="Vector">The vector.</param>
/// <param name="Instead">The exception that it must raise instead of what was captured, <see cref="Differences286.Completes"/>, or null.</param>
/// <param name="Flags">The flags that are compared.</param>
/// <param name="MovedOn">CX, SI and DI are not compared.</param>
internal sealed record Expectation(RealModeVector Vector, int? Instead, ushort Flags, bool MovedOn);

/// <summary>
/// Runs real-mode vectors in the shipped command: memory is zero except for what the vector puts there. With regions every vector runs several
/// times, each from its start, until its code has been translated; each time must come to the same. Regions do not count instructions: there
/// a vector ends at a HLT in every case.
/// </summary>
internal sealed class RealModeRunner(string engine) : IDisposable
{
    private const int ArithmeticAndControl = 0xFD5;
    private const int InterruptAndTrap = 0x300;
    private const int Budget = 70_000;
    private const int Cx = 1, Sp = 4, Si = 6, Di = 7, Es = 8, Cs = 9, Ss = 10, Ip = 12, FlagsIndex = 13;
    private const int StackFault = 12, GeneralProtection = 13;

    // More than the entries after which a block is translated.
    private const int RunsInRegions = 7;

    private const byte Hlt = 0xF4;

    // Where an exception goes that the vector did not raise.
    private const int HandlerSegment = 0xE000, HandlerOffset = 0x1234;

    private static readonly string[] s_names = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "es", "cs", "ss", "ds", "rip", "rflags"];

    private readonly ExecProcess _process = new(engine);
    private readonly bool _inRegions = engine is "regions" or "lookaside";

    private int Runs => _inRegions ? RunsInRegions : 1;

    /// <summary>Its name in tables.</summary>
    internal string Engine => _process.Engine;

    /// <summary>Runs vectors; gives the first difference of each from what it must come to, or null.</summary>
    internal List<string?> Run(IReadOnlyList<Expectation> expectations)
    {
        var writing = Task.Run(() =>
        {
            foreach (var expectation in expectations)
            {
                var line = Encoding.UTF8.GetBytes(Line(expectation));
                for (var i = 0; i < Runs; i++) _process.WriteLines(line);
            }
        });
        var differences = new List<string?>(expectations.Count);
        foreach (var expectation in expectations)
        {
            string? first = null;
            for (var i = 1; i <= Runs; i++)
            {
                using var result = _process.ReadLine();
                var difference = expectation.Instead is { } exception
                    ? Exception(expectation.Vector, result.RootElement, exception)
                    : Captured(expectation, result.RootElement);
                first ??= difference == null || !_inRegions ? difference : $"run {i}: {difference}";
            }
            differences.Add(first);
        }
        writing.GetAwaiter().GetResult();
        return differences;
    }

    public void Dispose() => _process.Dispose();

    private string Line(Expectation expectation)
    {
        var (vector, instead) = (expectation.Vector, expectation.Instead);
        var text = new StringBuilder("{\"id\":0,\"mode\":\"real\",\"report\":\"changes\",\"instructions\":").Append(instead is null ? Budget : 1).Append(",\"registers\":{");
        for (var i = 0; i < s_names.Length; i++)
        {
            var value = i == FlagsIndex ? vector.Initial[i] & ArithmeticAndControl | 2 : vector.Initial[i];
            text.Append('"').Append(s_names[i]).Append("\":").Append(value).Append(',');
        }
        text.Length--;
        text.Append("},\"memory\":[");
        foreach (var (address, value) in Initial(vector, instead, _inRegions)) text.Append("{\"at\":").Append(address).Append(",\"hex\":\"").Append(value.ToString("x2", null)).Append("\"},");
        text.Length--;
        return text.Append("]}\n").ToString();
    }

    private static Dictionary<int, byte> Initial(RealModeVector vector, int? instead, bool handlerHalts)
    {
        var memory = vector.InitialMemory.ToDictionary(p => p.Address, p => p.Value);
        // The 80286 raised interrupt 13 where later CPUs raise 12.
        for (var i = 0; i < 4; i++)
            if (memory.TryGetValue((4 * GeneralProtection) + i, out var entry)) memory.TryAdd((4 * StackFault) + i, entry);
        if (instead is not >= 0) return memory;
        if (handlerHalts) memory[(HandlerSegment << 4) + HandlerOffset] = Hlt;
        for (var i = 0; i < 4; i++) memory[(4 * instead.Value) + i] = (byte)((HandlerSegment << 16 | HandlerOffset) >> (8 * i));
        return memory;
    }

    private static string? Captured(Expectation expectation, JsonElement result)
    {
        var registers = result.GetProperty("registers");
        if (result.GetProperty("stop").GetString() is not "hlt" and var stop) return $"stopped with {stop} at {registers.GetProperty("rip").GetUInt64():x}";
        return Registers(expectation.Vector.Final, registers, expectation.Flags, expectation.MovedOn) ?? Memory(expectation.Vector, result, expectation.Flags);
    }

    // Raised before anything else has happened: delivered to the handler with the state of before on the stack.
    private string? Exception(RealModeVector vector, JsonElement result, int exception)
    {
        var stop = result.GetProperty("stop").GetString();
        if (_inRegions && stop is not "hlt") return $"stopped with {stop}";
        if (exception == Differences286.Completes && _inRegions) return null;
        if (exception == Differences286.Completes)
            return stop == "instructions" && result.TryGetProperty("instructions", out var count) && count.GetInt32() == 1 ? null : $"stopped with {stop}";
        ushort[] expected = [.. vector.Initial];
        expected[Sp] -= 6;
        (expected[Cs], expected[Ip]) = (HandlerSegment, (ushort)(HandlerOffset + (_inRegions ? 1 : 0)));
        expected[FlagsIndex] &= unchecked((ushort)~InterruptAndTrap);
        if (Registers(expected, result.GetProperty("registers"), ArithmeticAndControl, false) is { } difference) return $"exception {exception} expected: {difference}";
        var memory = Changes(result);
        ushort[] frame = [vector.Initial[Ip], vector.Initial[Cs], vector.Initial[FlagsIndex]];
        for (var i = 0; i < frame.Length; i++)
        {
            var at = (vector.Initial[Ss] << 4) + (ushort)(expected[Sp] + (2 * i));
            var word = Byte(vector, memory, at) | Byte(vector, memory, at + 1) << 8;
            if (((word ^ frame[i]) & (i == 2 ? ArithmeticAndControl : 0xFFFF)) != 0) return $"frame of exception {exception}: {frame[i]:x} expected, here {word:x}";
        }
        return null;
    }

    private static string? Registers(ushort[] expected, JsonElement registers, ushort flagsMask, bool movedOn)
    {
        for (var i = 0; i < s_names.Length; i++)
        {
            var actual = (ushort)registers.GetProperty(s_names[i]).GetUInt64();
            var mask = i == FlagsIndex ? flagsMask & ArithmeticAndControl : movedOn && i is Cx or Si or Di ? 0 : 0xFFFF;
            if (((actual ^ expected[i]) & mask) != 0)
                return $"{RealModeVector.RegisterNames[i]}: hardware {expected[i] & mask:x}, here {actual & mask:x}";
        }
        return null;
    }

    private static string? Memory(RealModeVector vector, JsonElement result, ushort flagsMask)
    {
        var memory = Changes(result);
        var final = vector.FinalMemory.ToDictionary(p => p.Address, p => p.Value);
        foreach (var (address, value) in vector.InitialMemory) final.TryAdd(address, value);
        var flags = vector.ExceptionVector < 0 ? -1 : (vector.Initial[Ss] << 4) + (ushort)(vector.Initial[Sp] - 2);
        foreach (var (address, value) in final)
        {
            // The pushed FLAGS hold undefined bits too. (The address in the file is that of the bus cycle, even where the stack is odd.)
            var mask = (byte)(address == flags ? flagsMask & ArithmeticAndControl : address == flags + 1 ? (flagsMask & ArithmeticAndControl) >> 8 : 0xFF);
            var actual = Byte(vector, memory, address);
            if (((actual ^ value) & mask) != 0) return $"memory at {address:x}: hardware {value & mask:x}, here {actual & mask:x}";
        }
        foreach (var (address, value) in memory)
            if (!final.ContainsKey(address) && value != 0) return $"stray write at {address:x}: {value:x}";
        return null;
    }

    private static byte Byte(RealModeVector vector, Dictionary<int, byte> changes, int address)
    {
        if (changes.TryGetValue(address, out var changed)) return changed;
        foreach (var (at, value) in vector.InitialMemory)
            if (at == address) return value;
        return 0;
    }

    private static Dictionary<int, byte> Changes(JsonElement result)
    {
        var bytes = new Dictionary<int, byte>();
        foreach (var change in result.GetProperty("changes").EnumerateArray())
        {
            var at = change.GetProperty("at").GetInt32();
            foreach (var value in Convert.FromHexString(change.GetProperty("hex").GetString()!)) bytes[at++] = value;
        }
        return bytes;
    }
}
