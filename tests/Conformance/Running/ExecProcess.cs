using System.Diagnostics;
using System.Text.Json;
using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;

namespace DynaTrans.Conformance.Running;

/// <summary>
/// Runs cases in the command that is shipped: <c>dynatrans exec</c> in a process of its own, which is compiled ahead of time and so is not
/// the code that a copy in this process would be. Cases go in, and results come back, as a stream of lines.
/// </summary>
internal sealed class ExecProcess : IBatchRunner
{
    private const int BreakpointVector = 3;

    // Vectors of ends that are no exception.
    private const int OtherEnd = 1000;

    private readonly Process _process;
    private readonly Stream _input;
    private readonly StreamReader _output;
    private readonly CaseWriter _writer = new();

    /// <summary>Starts the command.</summary>
    /// <param name="engine">interp, jit, regions or lookaside.</param>
    internal ExecProcess(string engine)
    {
        Engine = engine;
        var start = new ProcessStartInfo
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        // As in eng/real-programs, DYNATRANS may hold arguments.
        string[] command = Command.EndsWith(".dll", StringComparison.Ordinal) && !Command.Contains(' ', StringComparison.Ordinal) ? ["dotnet", Command] : Command.Split(' ');
        start.FileName = command[0];
        foreach (var argument in command[1..]) start.ArgumentList.Add(argument);
        foreach (var argument in (string[])["exec", "--engine", engine]) start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
        _input = _process.StandardInput.BaseStream;
        _output = _process.StandardOutput;
    }

    /// <summary>What `dotnet build src/Cli` has made in this tree.</summary>
    /// <exception cref="FileNotFoundException">Nothing.</exception>
    internal static string Built => Find();

    /// <summary>The command: what DYNATRANS names, or <see cref="Built"/>.</summary>
    internal static string Command { get; } = Environment.GetEnvironmentVariable("DYNATRANS") is { Length: > 0 } named ? named : Built;

    /// <inheritdoc/>
    public string Engine { get; }

    /// <inheritdoc/>
    public void Run(Encoding encoding, IReadOnlyList<CaseData> starts, IReadOnlyList<CaseData> ends, int count)
    {
        // Written on a thread of its own: results may fill their pipe before all cases are in theirs.
        var writing = Task.Run(() =>
        {
            for (var i = 0; i < count; i++) _writer.Write(_input, encoding, starts[i]);
            _input.Flush();
        });
        for (var i = 0; i < count; i++) Read(encoding, starts[i], ends[i]);
        writing.GetAwaiter().GetResult();
    }

    /// <summary>Runs one case that is given as a line, and returns its result.</summary>
    internal JsonDocument RunLine(ReadOnlySpan<byte> line)
    {
        _input.Write(line);
        _input.Flush();
        return ReadLine();
    }

    /// <summary>Writes lines without waiting, for a caller that reads their results by <see cref="ReadLine"/>.</summary>
    internal void WriteLines(ReadOnlySpan<byte> lines)
    {
        _input.Write(lines);
        _input.Flush();
    }

    /// <summary>The next result.</summary>
    /// <exception cref="InvalidDataException">The command refused the case, or ended.</exception>
    internal JsonDocument ReadLine()
    {
        var line = _output.ReadLine() ?? throw new InvalidDataException($"{Command} exec --engine {Engine} ended");
        var document = JsonDocument.Parse(line);
        if (document.RootElement.TryGetProperty("error", out var error)) throw new InvalidDataException($"dynatrans exec: {error}");
        return document;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _input.Dispose();
        if (!_process.WaitForExit(5000)) _process.Kill();
        _process.Dispose();
    }

    private void Read(Encoding encoding, CaseData start, CaseData end)
    {
        using var document = ReadLine();
        var root = document.RootElement;
        ReadState(root, ref end.State);
        start.Data.CopyTo(end.Data, 0);
        start.Stack.CopyTo(end.Stack, 0);
        foreach (var change in root.GetProperty("changes").EnumerateArray())
        {
            var bytes = Convert.FromHexString(change.GetProperty("hex").GetString()!);
            // The code pages are not compared.
            if (end.At(change.GetProperty("at").GetUInt64(), bytes.Length) is { IsEmpty: false } at) bytes.CopyTo(at);
        }
        var next = encoding.Address + (ulong)encoding.Bytes.Length;
        if (end.State.Vector != BreakpointVector || end.State.Rip != next + 1) return;
        end.State.Vector = -1;
        end.State.Rip = next;
    }

    private static unsafe void ReadState(JsonElement root, ref MachineState to)
    {
        to = default;
        to.Vector = OtherEnd;
        switch (root.GetProperty("stop").GetString())
        {
            case "exception":
                var exception = root.GetProperty("exception");
                (to.Vector, to.ErrorCode) = (exception.GetProperty("vector").GetInt32(), exception.GetProperty("error").GetUInt32());
                if (exception.GetProperty("address") is { ValueKind: JsonValueKind.Number } address) to.FaultAddress = address.GetUInt64();
                break;
            case "interrupt":
                to.Vector = root.GetProperty("interrupt").GetInt32();
                break;
            default: break;
        }
        foreach (var register in root.GetProperty("registers").EnumerateObject())
            CaseWriter.SetRegister(ref to, register.Name, register.Value);
    }

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "src", "Cli", "bin", "Release", "net10.0", "dynatrans.dll");
            if (File.Exists(candidate)) return candidate;
        }
        throw new FileNotFoundException("dynatrans.dll: dotnet build src/Cli makes it; or DYNATRANS may name it");
    }
}
