using System.Text.Json;
using DynaTrans.IlBackend.Compilation;

namespace DynaTrans.Cli.Bare;

/// <summary>Reads cases, runs them, writes results: the whole of <c>dynatrans exec</c> but its command line.</summary>
internal sealed class ExecSession : IDisposable
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    private readonly Func<Translator?> _makeTranslator;
    private readonly bool _regions;
    private readonly BareMachine?[] _machines = new BareMachine?[Enum.GetValues<BareMode>().Length];

    /// <summary>Makes a session.</summary>
    /// <param name="makeTranslator">Makes the translator of one machine; null interprets.</param>
    /// <param name="regions">Translate blocks together, without counting instructions.</param>
    public ExecSession(Func<Translator?> makeTranslator, bool regions = false) => (_makeTranslator, _regions) = (makeTranslator, regions);

    /// <summary>Lines that gave an error.</summary>
    public int Errors { get; private set; }

    /// <summary>Runs all cases of <paramref name="input"/>, one a line. Empty lines are passed over.</summary>
    public void Run(Stream input, Stream output)
    {
        using var writer = new ResultWriter(output);
        var reader = new LineReader(input);
        while (Next(reader, writer, out var line))
            if (line.Span.IndexOfAnyExcept(" \t\r"u8) >= 0)
                RunLine(line, writer);
        writer.Flush();
    }

    // Results go out before the session waits for another case.
    private static bool Next(LineReader reader, ResultWriter writer, out ReadOnlyMemory<byte> line)
    {
        if (!reader.HasLine)
            writer.Flush();
        return reader.TryRead(out line);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var machine in _machines)
            machine?.Dispose();
    }

    private void RunLine(ReadOnlyMemory<byte> line, ResultWriter writer)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(line, Options);
        }
        catch (JsonException e)
        {
            Fail(writer, null, $"not JSON: {e.Message}");
            return;
        }

        using (document)
        {
            var root = document.RootElement;
            JsonElement? id = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("id", out var value) ? value : null;
            ExecCase? c = null;
            try
            {
                c = CaseReader.Read(root);
                writer.Write(id, Machine(c.Mode).Run(c));
            }
            catch (CaseException e)
            {
                Fail(writer, id, e.Message);
            }
            catch (Exception e) when (e is not IOException)
            {
                // The machine is in an unknown state: the next case gets a new one.
                if (c != null)
                    _machines[(int)c.Mode] = null;
                Fail(writer, id, c == null ? e.Message : $"internal error: {e.Message}");
            }
        }
    }

    private void Fail(ResultWriter writer, JsonElement? id, string message)
    {
        Errors++;
        writer.WriteError(id, message);
    }

    private BareMachine Machine(BareMode mode) => _machines[(int)mode] ??= new BareMachine(mode, _makeTranslator(), _regions);
}
