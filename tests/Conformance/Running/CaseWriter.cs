using System.Buffers;
using System.Globalization;
using System.Text.Json;
using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;

namespace DynaTrans.Conformance.Running;

/// <summary>Writes cases as lines of <c>dynatrans exec</c> (docs/exec.md), with the test memory at the host's addresses, and reads registers back.</summary>
internal sealed class CaseWriter
{
    private const int Empty = 3;

    private static readonly string[] s_gpr = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];
    private static readonly string[] s_st = [.. Enumerable.Range(0, 8).Select(i => $"st{i}")];
    private static readonly string[] s_xmm = [.. Enumerable.Range(0, 16).Select(i => $"xmm{i}")];

    private readonly ArrayBufferWriter<byte> _buffer = new();
    private readonly Utf8JsonWriter _json;
    private readonly string _readOnly = Convert.ToHexStringLower(TestMemory.ReadOnlyContent);

    internal CaseWriter() => _json = new Utf8JsonWriter(_buffer);

    /// <summary>Writes one case: the code of <paramref name="encoding"/> between INT3, and the state and memory of <paramref name="start"/>.</summary>
    internal void Write(Stream to, Encoding encoding, CaseData start)
    {
        _buffer.ResetWrittenCount();
        _json.Reset();
        _json.WriteStartObject();
        _json.WriteNumber("id", 0);
        _json.WriteString("mode", encoding.Is32 ? "protected32" : "long64");
        _json.WriteString("selectors", "linux");
        _json.WriteString("report", "changes");
        _json.WriteStartArray("memory");
        WriteRegion(TestMemory.Data, start.Data, "rw");
        WriteRegion(TestMemory.ReadOnly, _readOnly, "r");
        WriteRegion(TestMemory.Stack, start.Stack, "rw");
        WriteRegion(encoding.Address, encoding.Bytes, "rwx", TestMemory.Code, TestMemory.CodeSize, 0xCC);
        _json.WriteEndArray();
        WriteRegisters(ref start.State, encoding.Is32);
        _json.WriteEndObject();
        _json.Flush();
        _buffer.Write("\n"u8);
        to.Write(_buffer.WrittenSpan);
    }

    /// <summary>Puts a register of a result into a state; names that a state does not have are passed over.</summary>
    internal static unsafe void SetRegister(ref MachineState to, string name, JsonElement value)
    {
        var index = Array.IndexOf(s_gpr, name);
        if (index >= 0)
        {
            to.Gpr[index] = value.GetUInt64();
            return;
        }
        if (name.StartsWith("xmm", StringComparison.Ordinal))
        {
            var bits = Hex(value);
            index = Array.IndexOf(s_xmm, name);
            (to.Xmm(index, 0), to.Xmm(index, 1)) = ((ulong)bits, (ulong)(bits >> 64));
            return;
        }
        if (name.StartsWith("st", StringComparison.Ordinal))
        {
            var bits = Hex(value);
            index = Array.IndexOf(s_st, name);
            (to.StSignificand(index), to.StExponent(index)) = ((ulong)bits, (ushort)(bits >> 64));
            return;
        }
        switch (name)
        {
            case "rip": to.Rip = value.GetUInt64(); break;
            case "rflags": to.Rflags = value.GetUInt64(); break;
            case "fs_base": to.FsBase = value.GetUInt64(); break;
            case "gs_base": to.GsBase = value.GetUInt64(); break;
            case "fcw": to.Fcw = value.GetUInt16(); break;
            case "fsw": to.Fsw = value.GetUInt16(); break;
            case "mxcsr": to.Mxcsr = value.GetUInt32(); break;
            case "ftw":
                var tags = value.GetUInt16();
                for (var i = 0; i < 8; i++)
                    if ((tags >> (2 * i) & Empty) != Empty) to.Ftw |= (byte)(1 << i);
                break;
            default: break;
        }
    }

    private static UInt128 Hex(JsonElement value) => UInt128.Parse(value.GetString()!, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private void WriteRegion(uint address, byte[] bytes, string access) => WriteRegion(address, Convert.ToHexStringLower(bytes), access);

    private void WriteRegion(uint address, string hex, string access)
    {
        _json.WriteStartObject();
        _json.WriteNumber("at", address);
        _json.WriteString("hex", hex);
        _json.WriteString("access", access);
        _json.WriteEndObject();
    }

    // Bytes in the midst of pages that are filled.
    private void WriteRegion(uint address, byte[] bytes, string access, uint pages, int size, byte fill)
    {
        _json.WriteStartObject();
        _json.WriteNumber("at", pages);
        _json.WriteNumber("size", size);
        _json.WriteNumber("fill", fill);
        _json.WriteString("access", access);
        _json.WriteEndObject();
        WriteRegion(address, bytes, access);
    }

    private unsafe void WriteRegisters(ref MachineState s, bool is32)
    {
        _json.WriteStartObject("registers");
        for (var i = 0; i < (is32 ? 8 : 16); i++)
        {
            _json.WriteNumber(s_gpr[i], s.Gpr[i]);
            _json.WriteString(s_xmm[i], $"{s.Xmm(i, 1):x16}{s.Xmm(i, 0):x16}");
        }
        for (var i = 0; i < 8; i++) _json.WriteString(s_st[i], $"{s.StExponent(i):x4}{s.StSignificand(i):x16}");
        _json.WriteNumber("rip", s.Rip);
        _json.WriteNumber("rflags", s.Rflags);
        _json.WriteNumber("cs", is32 ? NativeCpu.Code32Selector : NativeCpu.Code64Selector);
        _json.WriteNumber("ss", NativeCpu.DataSelector);
        _json.WriteNumber("ds", NativeCpu.DataSelector);
        _json.WriteNumber("es", NativeCpu.DataSelector);
        _json.WriteNumber("fs", is32 && s.FsBase != 0 ? NativeCpu.FsSelector : 0);
        _json.WriteNumber("gs", is32 && s.GsBase != 0 ? NativeCpu.GsSelector : 0);
        _json.WriteNumber("fs_base", s.FsBase);
        _json.WriteNumber("gs_base", s.GsBase);
        _json.WriteNumber("fcw", s.Fcw);
        _json.WriteNumber("fsw", s.Fsw);
        _json.WriteNumber("mxcsr", s.Mxcsr);
        var tags = 0;
        for (var i = 0; i < 8; i++) tags |= (s.Ftw >> i & 1) != 0 ? 0 : Empty << (2 * i);
        _json.WriteNumber("ftw", tags);
        _json.WriteEndObject();
    }
}
