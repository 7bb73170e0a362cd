using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace DynaTrans.Cli.Bare;

/// <summary>Writes one JSON result a line.</summary>
internal sealed class ResultWriter : IDisposable
{
    private static readonly string[] GprNames =
        ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    private static readonly string[] SegmentNames = ["es", "cs", "ss", "ds", "fs", "gs"];

    private const int FlushBytes = 1 << 16;

    private readonly Stream _output;
    private readonly ArrayBufferWriter<byte> _buffer = new();
    private readonly Utf8JsonWriter _json;

    /// <summary>Makes a writer to a stream, which it does not own.</summary>
    public ResultWriter(Stream output)
    {
        _output = output;
        _json = new Utf8JsonWriter(_buffer);
    }

    /// <summary>Writes the result of a case. <paramref name="id"/> is its id as it stood in the case.</summary>
    public void Write(JsonElement? id, ExecResult result)
    {
        Begin(id);
        _json.WriteString("stop", result.Stop);
        if (result.Exception is { } exception)
        {
            _json.WriteStartObject("exception");
            _json.WriteNumber("vector", exception.Vector);
            _json.WriteNumber("error", exception.Error);
            if (exception.Address is { } address)
                _json.WriteNumber("address", address);
            else
                _json.WriteNull("address");
            _json.WriteEndObject();
        }

        if (result.Interrupt is { } interrupt)
            _json.WriteNumber("interrupt", interrupt);
        if (result.Instructions is { } instructions)
            _json.WriteNumber("instructions", instructions);
        WriteRegisters(result.Registers);
        WriteMemory("memory", result.Memory);
        if (result.Changes != null)
            WriteMemory("changes", result.Changes);
        End();
    }

    private void WriteMemory(string name, IEnumerable<(ulong Address, byte[] Bytes)> pieces)
    {
        _json.WriteStartArray(name);
        foreach (var (address, bytes) in pieces)
        {
            _json.WriteStartObject();
            _json.WriteNumber("at", address);
            _json.WriteString("hex", Convert.ToHexStringLower(bytes));
            _json.WriteEndObject();
        }

        _json.WriteEndArray();
    }

    /// <summary>Writes why there is no result.</summary>
    public void WriteError(JsonElement? id, string message)
    {
        Begin(id);
        _json.WriteString("error", message);
        End();
    }

    /// <summary>Passes on what has been written so far.</summary>
    public void Flush()
    {
        _output.Write(_buffer.WrittenSpan);
        _output.Flush();
        _buffer.ResetWrittenCount();
    }

    /// <inheritdoc/>
    public void Dispose() => _json.Dispose();

    private void Begin(JsonElement? id)
    {
        _json.Reset();
        _json.WriteStartObject();
        _json.WritePropertyName("id");
        if (id is { } value)
            _json.WriteRawValue(value.GetRawText(), skipInputValidation: true);
        else
            _json.WriteNullValue();
    }

    private void End()
    {
        _json.WriteEndObject();
        _json.Flush();
        _buffer.Write("\n"u8);
        if (_buffer.WrittenCount > FlushBytes)
            Flush();
    }

    private void WriteRegisters(RegisterFile registers)
    {
        _json.WriteStartObject("registers");
        for (var i = 0; i < 16; i++)
            _json.WriteNumber(GprNames[i], registers.Gpr[i]);
        _json.WriteNumber("rip", registers.Rip);
        _json.WriteNumber("rflags", registers.Rflags);
        for (var i = 0; i < 6; i++)
            _json.WriteNumber(SegmentNames[i], registers.Selectors[i]);
        _json.WriteNumber("fs_base", registers.FsBase ?? 0);
        _json.WriteNumber("gs_base", registers.GsBase ?? 0);
        for (var i = 0; i < 8; i++)
            _json.WriteString($"st{i}", registers.St[i].ToString("x20", CultureInfo.InvariantCulture));
        for (var i = 0; i < 16; i++)
            _json.WriteString($"xmm{i}", registers.Xmm[i].ToString("x32", CultureInfo.InvariantCulture));
        _json.WriteNumber("fcw", registers.Fcw);
        _json.WriteNumber("fsw", registers.Fsw);
        _json.WriteNumber("ftw", registers.Ftw ?? ushort.MaxValue);
        _json.WriteNumber("mxcsr", registers.Mxcsr);
        _json.WriteEndObject();
    }
}
