using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;
using Iced.Intel;
using Xunit;
using Xunit.Abstractions;

namespace DynaTrans.Conformance.Running;

/// <summary>Encodings that mean nothing, or an instruction that CPUID does not advertise, raise #UD.</summary>
public unsafe class UndefinedEncodingTests(ITestOutputHelper output)
{
    private const int Candidates = 30_000;
    private const int InvalidOpcode = 6;

    // VEX and EVEX instructions beyond BMI, and other extensions that the host may have and the modelled CPU does not.
    private static readonly string[] s_notAdvertised =
    [
        "C5F858C1", "C5FC58C1", "C4E2719AC2", "62F1745858C1", "0FC7F0", "0FC7F8", "0F38C8C1", "66450F38F6C1", "F30F38F6C1", "0FAEF5660FAEF0",
        "0F01D0", "0FAE20", "0FC720", "0F01D5", "C7F800000000", "0F01FC", "660F38CFC1", "0F01CA",
    ];

    [SkippableTheory]
    [InlineData(32, "interp")]
    [InlineData(32, "jit")]
    [InlineData(64, "interp")]
    [InlineData(64, "jit")]
    public void EncodingsThatIcedRejectsBehaveAsOnTheHost(int bitness, string engine)
    {
        var cpu = NativeCpu.TryGet(out var reason);
        Skip.If(cpu is null, reason);
        var rng = new Rng((ulong)bitness);
        using var runner = new ExecProcess(engine);
        var native = new NativeRunner(cpu!);
        CaseData start = new(), expected = new(), actual = new();
        var problems = new List<string>();
        var compared = 0;
        for (var i = 0; i < Candidates; i++)
        {
            if (Invalid(rng, bitness) is not { } encoding) continue;
            if ((engine == "jit" && i % 16 != 0) || (AmdHost.IsHost && AmdHost.Defines(encoding.Bytes))) continue;
            compared++;
            Fill(start, encoding);
            lock (cpu!.Gate)
            {
                native.Load(encoding);
                native.Run(start, expected);
            }
            runner.Run(encoding, [start], [actual], 1);
            if (actual.State.Vector != expected.State.Vector) problems.Add($"{encoding}: host {expected.State.Vector}, here {actual.State.Vector}");
        }
        output.WriteLine($"{compared} encodings");
        Assert.True(problems.Count == 0, string.Join("\n", problems.Take(40)));
    }

    [Theory]
    [InlineData("interp")]
    [InlineData("jit")]
    public void InstructionsThatAreNotAdvertisedAreUndefined(string engine)
    {
        using var runner = new ExecProcess(engine);
        CaseData start = new(), end = new();
        foreach (var text in s_notAdvertised)
        {
            foreach (var bitness in new[] { 32, 64 })
            {
                var bytes = Convert.FromHexString(text);
                var decoder = Decoder.Create(bitness, new ByteArrayCodeReader(bytes));
                decoder.IP = TestMemory.CodeStart;
                decoder.Decode(out var instruction);
                var encoding = new Encoding(bytes, instruction, TestMemory.CodeStart);
                Fill(start, encoding);
                runner.Run(encoding, [start], [end], 1);
                Assert.True(end.State.Vector == InvalidOpcode, $"{bitness}-bit {encoding}: vector {end.State.Vector}");
            }
        }
    }

    // All registers point into the data, so that whatever the host makes of the bytes stays there.
    private static void Fill(CaseData data, Encoding encoding)
    {
        data.State = new MachineState { Rip = encoding.Address, Rflags = 0x202, Fcw = 0x37F, Mxcsr = 0x1F80 };
        for (var i = 0; i < (encoding.Is32 ? 8 : 16); i++) data.State.Gpr[i] = TestMemory.Data + TestMemory.PageSize;
        data.State.Gpr[4] = TestMemory.Stack + TestMemory.PageSize;
    }

    private static Encoding? Invalid(Rng rng, int bitness)
    {
        var bytes = new byte[16];
        rng.Fill(bytes);
        var at = 0;
        if (rng.OneIn(3)) bytes[at++] = rng.Below(4) switch { 0 => 0x66, 1 => 0xF2, 2 => 0xF3, _ => 0xF0 };
        if (bitness == 64 && rng.OneIn(4)) bytes[at++] = (byte)(0x40 + rng.Below(16));
        if (!rng.OneIn(4)) bytes[at++] = 0x0F;
        if (bytes[at - (at > 0 ? 1 : 0)] == 0x0F && rng.OneIn(3)) bytes[at] = rng.OneIn(2) ? (byte)0x38 : (byte)0x3A;
        var decoder = Decoder.Create(bitness, new ByteArrayCodeReader(bytes));
        decoder.IP = TestMemory.CodeStart;
        decoder.Decode(out var instruction);
        return instruction.IsInvalid && instruction.Length < 15 ? new Encoding(bytes[..instruction.Length], instruction, TestMemory.CodeStart) : null;
    }
}
