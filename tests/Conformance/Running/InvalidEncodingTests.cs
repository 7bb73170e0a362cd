using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;
using DynaTrans.Frontend.Lifting;
using Iced.Intel;
using Xunit;

namespace DynaTrans.Conformance.Running;

/// <summary>
/// Every opcode of the four legacy maps with every prefix that can select another instruction: what is decoded as invalid here must be
/// invalid on the host CPU too. (Valid encodings are compared form by form elsewhere.)
/// </summary>
public class InvalidEncodingTests
{
    private const byte Filler = 0xCC;
    private const int Length = 14;
    private const int MaxReported = 40;

    // VEX, EVEX and XOP: instructions of these that the host has are not advertised by the guest CPU.
    private static readonly byte[] s_otherMaps = [0xC4, 0xC5, 0x62, 0x8F];

    [SkippableTheory]
    [InlineData(32)]
    [InlineData(64)]
    public void InvalidHereIsInvalidOnTheHost(int bitness)
    {
        var cpu = NativeCpu.TryGet(out var reason);
        Skip.If(cpu is null, reason);
        var native = new NativeRunner(cpu!);
        var operands = new OperandGenerator(new Rng(1));
        CaseData start = new(), end = new();
        operands.FillBackground(start);
        var different = new List<string>();
        var compared = 0;
        foreach (var bytes in Candidates(bitness))
        {
            var decoder = Decoder.Create(bitness, bytes);
            decoder.IP = TestMemory.CodeStart;
            decoder.Decode(out var instruction);
            if (!instruction.IsInvalid || IsHypervisorCall(bytes) || (AmdHost.IsHost && AmdHost.Defines(bytes))) continue;
            var encoding = new Encoding(bytes, instruction, TestMemory.CodeStart);
            SetRegisters(operands, encoding, start);
            lock (cpu!.Gate)
            {
                native.Load(encoding);
                native.Run(start, end);
            }
            compared++;
            if (end.State.Vector != ExceptionVector.InvalidOpcode && different.Count < MaxReported)
                different.Add($"{Convert.ToHexString(bytes)}: host {end.State.Vector}");
        }
        Assert.True(different.Count == 0, $"{bitness}-bit, {compared} encodings compared:\n{string.Join('\n', different)}");
        Assert.True(compared > 1000);
    }

    // vmcall with a prefix: the hypervisor below the host may answer it.
    private static bool IsHypervisorCall(byte[] bytes) => bytes.AsSpan().IndexOf<byte>([0x0F, 0x01, 0xC1]) >= 0;

    private static unsafe void SetRegisters(OperandGenerator operands, Encoding encoding, CaseData start)
    {
        operands.Generate(encoding, start);
        for (var i = 0; i < (encoding.Is32 ? 8 : 16); i++) start.State.Gpr[i] = TestMemory.Data + 0x400;
        start.State.Gpr[4] = TestMemory.Stack + 0x400;
        start.State.Rflags = 0x202;
    }

    private static IEnumerable<byte[]> Candidates(int bitness)
    {
        byte[][] prefixes = bitness == 64 ? [[], [0x66], [0xF2], [0xF3], [0xF0], [0x48], [0x66, 0x48]] : [[], [0x66], [0xF2], [0xF3], [0xF0]];
        byte[][] maps = [[], [0x0F], [0x0F, 0x38], [0x0F, 0x3A]];
        foreach (var map in maps)
            for (var opcode = 0; opcode < 256; opcode++)
            {
                if (map.Length == 0 && s_otherMaps.Contains((byte)opcode)) continue;
                var all = map.Length == 1 && opcode is 0x01 or 0xAE or 0xC7;
                for (var modRm = 0; modRm < 256; modRm++)
                {
                    // Of the ModRM bytes: the registers 0 and 1, and the memory operand [rax], with each value of the middle field.
                    if (!all && (modRm & 0xC7) is not (0 or 0xC0 or 0xC1)) continue;
                    foreach (var prefix in prefixes)
                    {
                        byte[] head = [.. prefix, .. map, (byte)opcode, (byte)modRm];
                        yield return [.. head, .. Enumerable.Repeat(Filler, Length - head.Length)];
                    }
                }
            }
    }
}
