using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using Iced.Intel;

namespace DynaTrans.Runtime.Tests.Helpers;

/// <summary>cpuid says what the lifter can do, and nothing else.</summary>
public sealed unsafe class ProcessorTests
{
    private const string Cpuid = "0FA2 CC";

    // Leaf, register (0 EAX .. 3 EDX as RAX RCX RDX RBX slots), bit, an instruction of the feature on [rsi] or registers.
    [Theory]
    [InlineData(1u, Slot.Rdx, 0, "D9E8")]
    [InlineData(1u, Slot.Rdx, 4, "0F31")]
    [InlineData(1u, Slot.Rdx, 8, "0FC70E")]
    [InlineData(1u, Slot.Rdx, 15, "0F44C1")]
    [InlineData(1u, Slot.Rdx, 19, "0FAE3E")]
    [InlineData(1u, Slot.Rdx, 23, "0FFCC1")]
    [InlineData(1u, Slot.Rdx, 24, "0FAE06")]
    [InlineData(1u, Slot.Rdx, 25, "0F58C1")]
    [InlineData(1u, Slot.Rdx, 26, "660F58C1")]
    [InlineData(1u, Slot.Rcx, 0, "F20FD0C1")]
    [InlineData(1u, Slot.Rcx, 1, "660F3A44C100")]
    [InlineData(1u, Slot.Rcx, 9, "660F3800C1")]
    [InlineData(1u, Slot.Rcx, 13, "480FC70E")]
    [InlineData(1u, Slot.Rcx, 19, "660F3A14C000")]
    [InlineData(1u, Slot.Rcx, 20, "F20F38F1C1")]
    [InlineData(1u, Slot.Rcx, 22, "0F38F006")]
    [InlineData(1u, Slot.Rcx, 23, "F30FB8C1")]
    [InlineData(1u, Slot.Rcx, 25, "660F38DCC1")]
    [InlineData(1u, Slot.Rcx, 12, "C4E2F198C1")]
    [InlineData(1u, Slot.Rcx, 27, "0F01D0")]
    [InlineData(1u, Slot.Rcx, 28, "C5F058C1")]
    [InlineData(1u, Slot.Rcx, 29, "C4E27913C1")]
    [InlineData(1u, Slot.Rcx, 30, "0FC7F0")]
    [InlineData(7u, Slot.Rbx, 0, "F3480FAEC0")]
    [InlineData(7u, Slot.Rbx, 3, "C4E270F2C1")]
    [InlineData(7u, Slot.Rbx, 5, "C5F5FEC1")]
    [InlineData(7u, Slot.Rbx, 8, "C4E273F5C1")]
    [InlineData(7u, Slot.Rbx, 11, "C7F80000")]
    [InlineData(7u, Slot.Rbx, 18, "0FC7F8")]
    [InlineData(7u, Slot.Rbx, 19, "66480F38F6C1")]
    [InlineData(7u, Slot.Rbx, 23, "660FAE3E")]
    [InlineData(7u, Slot.Rbx, 24, "660FAE36")]
    [InlineData(7u, Slot.Rbx, 29, "0F38C8C1")]
    [InlineData(7u, Slot.Rcx, 22, "F30FC7F8")]
    [InlineData(0x80000001u, Slot.Rcx, 0, "9F")]
    [InlineData(0x80000001u, Slot.Rcx, 5, "F30FBDC1")]
    [InlineData(0x80000001u, Slot.Rcx, 6, "F20F79C1")]
    [InlineData(0x80000001u, Slot.Rcx, 8, "0F0D0E")]
    [InlineData(0x80000001u, Slot.Rdx, 11, "0F05")]
    [InlineData(0x80000001u, Slot.Rdx, 27, "0F01F9")]
    [InlineData(0x80000001u, Slot.Rdx, 31, "0F0FC19E")]
    public void FeatureBitMeansThatTheInstructionRuns(uint leaf, ushort register, int bit, string instruction)
    {
        using var asking = new TestMachine(Cpuid, GuestMode.Linux64);
        asking[Slot.Rax] = leaf;
        Assert.Equal(ExitCause.SoftwareInterrupt, asking.Vcpu.Run(10));
        var advertised = (asking[register] >> bit & 1) != 0;

        using var machine = new TestMachine(instruction + "CC", GuestMode.Linux64);
        machine[Slot.Rsi] = TestMachine.Data;
        var cause = machine.Vcpu.Run(1);
        var runs = cause != ExitCause.Exception;
        if (!runs)
            Assert.Equal(ExceptionVector.InvalidOpcode, machine.State->Execution.ExceptionVector);
        Assert.Equal(runs, advertised);
    }

    // Every instruction that Iced knows, in 64- and 32-bit code: it is accepted when all its features are advertised, and not otherwise.
    [Theory]
    [InlineData(64)]
    [InlineData(32)]
    public void AcceptedIsWhatIsAdvertised(int bitness)
    {
        var mode = bitness == 64 ? GuestMode.Linux64 : GuestMode.Linux32;
        var lifter = new Lifter();
        var block = new IrBlock();
        var wrong = new List<string>();
        var compared = 0;
        foreach (var code in Enum.GetValues<Code>())
        {
            var info = code.ToOpCode();
            if (!info.IsInstruction || (bitness == 64 ? !info.Mode64 : !info.Mode32) || code.CpuidFeatures().Any(s_notOfUserCode.Contains) || s_hints.Contains(code.Mnemonic()))
                continue;
            if (Encode(code, bitness) is not { } bytes)
                continue;
            compared++;
            fixed (byte* p = bytes)
                Assert.True(lifter.Lift(block, p, bytes.Length, 0x1000, mode, 1));
            var accepted = !(block.Ops[0].Op == IrOpcode.Raise && block.Ops[0].Sub == ExceptionVector.InvalidOpcode);
            var advertised = code.CpuidFeatures().All(f => s_always.Contains(f) || (s_names.TryGetValue(f, out var name) && IsPresent(name, bitness)));
            if (accepted != advertised)
                wrong.Add($"{code}: accepted {accepted}, advertised {advertised}");
        }

        Assert.True(wrong.Count == 0, $"{compared} compared\n" + string.Join('\n', wrong));
        Assert.True(compared > 1500);
    }

    private static readonly HashSet<CpuidFeature> s_always =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.X64,
        CpuidFeature.FPU387, CpuidFeature.FPU287, CpuidFeature.CPUID, CpuidFeature.MULTIBYTENOP, CpuidFeature.PAUSE,
    ];

    // At ring 3 they raise #GP or #UD whether or not they exist, or are left to the kernel.
    private static readonly HashSet<CpuidFeature> s_notOfUserCode =
    [
        CpuidFeature.INTEL8086_ONLY, CpuidFeature.INTEL286_ONLY, CpuidFeature.INTEL386_ONLY, CpuidFeature.INTEL386_A0_ONLY,
        CpuidFeature.INTEL486_A_ONLY, CpuidFeature.INTEL486, CpuidFeature.INTEL386, CpuidFeature.SMM, CpuidFeature.MSR, CpuidFeature.RDPMC, CpuidFeature.WBNOINVD,
    ];

    // In the hint space, or prefetches of either vendor: they do nothing where they do not exist.
    private static readonly HashSet<Mnemonic> s_hints =
    [
        Mnemonic.Cldemote, Mnemonic.Rdsspd, Mnemonic.Rdsspq, Mnemonic.Prefetchit0, Mnemonic.Prefetchit1, Mnemonic.Prefetch, Mnemonic.Prefetchwt1,
        Mnemonic.Prefetchw, Mnemonic.Bndmk, Mnemonic.Bndcl, Mnemonic.Bndcu, Mnemonic.Bndcn, Mnemonic.Bndmov, Mnemonic.Bndldx, Mnemonic.Bndstx,
        Mnemonic.Endbr32, Mnemonic.Endbr64, Mnemonic.Reservednop, Mnemonic.Ud0, Mnemonic.Ud1, Mnemonic.Ud2,
    ];

    private static readonly Dictionary<CpuidFeature, string> s_names = new()
    {
        [CpuidFeature.FPU] = "fpu", [CpuidFeature.TSC] = "tsc", [CpuidFeature.CX8] = "cx8", [CpuidFeature.SEP] = "sep", [CpuidFeature.CMOV] = "cmov",
        [CpuidFeature.CLFSH] = "clflush", [CpuidFeature.MMX] = "mmx", [CpuidFeature.FXSR] = "fxsr", [CpuidFeature.SSE] = "sse", [CpuidFeature.SSE2] = "sse2",
        [CpuidFeature.SYSCALL] = "syscall", [CpuidFeature.RDTSCP] = "rdtscp", [CpuidFeature.SSE3] = "pni", [CpuidFeature.PCLMULQDQ] = "pclmulqdq",
        [CpuidFeature.SSSE3] = "ssse3", [CpuidFeature.CMPXCHG16B] = "cx16", [CpuidFeature.SSE4_1] = "sse4_1", [CpuidFeature.SSE4_2] = "sse4_2",
        [CpuidFeature.MOVBE] = "movbe", [CpuidFeature.POPCNT] = "popcnt", [CpuidFeature.AES] = "aes", [CpuidFeature.LZCNT] = "abm",
        [CpuidFeature.FSGSBASE] = "fsgsbase", [CpuidFeature.BMI1] = "bmi1", [CpuidFeature.BMI2] = "bmi2",
    };

    private static bool IsPresent(string name, int bitness) =>
        CpuModel.Process.Features.Where(f => f.Name == name).Any(f => (CpuModel.Process.Word(f.Leaf, f.Register, bitness == 64) >> f.Bit & 1) != 0);

    // An encoding of the form, found by trying ModRM bytes around its opcode.
    private static byte[]? Encode(Code code, int bitness)
    {
        var info = code.ToOpCode();
        foreach (var operandPrefix in new[] { false, true })
            foreach (var modRm in new byte[] { 0xC0, 0x00 })
                foreach (var rex in new byte[] { 0, 0x48 })
                {
                    var bytes = Write(info, operandPrefix, modRm, rex);
                    var decoder = Decoder.Create(bitness, new ByteArrayCodeReader(bytes));
                    decoder.Decode(out var instruction);
                    if (instruction.Code == code)
                        return bytes;
                }

        return null;
    }

    private static byte[] Write(OpCodeInfo info, bool operandPrefix, byte modRm, byte rex)
    {
        if (info.IsGroup)
            modRm = (byte)((modRm & 0xC7) | (info.GroupIndex << 3));
        if (info.IsRmGroup)
            modRm = (byte)((modRm & 0xF8) | info.RmGroupIndex);
        List<byte> bytes = operandPrefix ? [0x66] : [];
        var prefix = info.MandatoryPrefix switch { MandatoryPrefix.P66 => 1, MandatoryPrefix.PF3 => 2, MandatoryPrefix.PF2 => 3, _ => 0 };
        var map = info.Table switch { OpCodeTableKind.T0F => 1, OpCodeTableKind.T0F38 => 2, OpCodeTableKind.T0F3A => 3, _ => 0 };
        if (info.Encoding == EncodingKind.VEX)
        {
            bytes.AddRange([0xC4, (byte)(0xE0 | map), (byte)((info.W << 7) | 0x78 | (info.L << 2) | (uint)prefix), (byte)info.OpCode]);
        }
        else
        {
            if (prefix != 0)
                bytes.Add((byte)(prefix == 1 ? 0x66 : prefix == 2 ? 0xF3 : 0xF2));
            if (rex != 0)
                bytes.Add(rex);
            if (map != 0)
                bytes.Add(0x0F);
            if (map > 1)
                bytes.Add((byte)(map == 2 ? 0x38 : 0x3A));
            if (info.OpCodeLength == 2)
                bytes.Add((byte)(info.OpCode >> 8));
            bytes.Add((byte)info.OpCode);
        }

        bytes.Add(modRm);
        return [.. bytes, .. new byte[12]];
    }

    [Fact]
    public void LeavesAreFinite()
    {
        using var machine = new TestMachine(Cpuid, GuestMode.Linux64);
        for (var subleaf = 0u; ; subleaf++)
        {
            Assert.True(subleaf < 8);
            machine[Slot.Rip] = TestMachine.Code;
            machine[Slot.Rax] = 4;
            machine[Slot.Rcx] = subleaf;
            Assert.Equal(ExitCause.SoftwareInterrupt, machine.Vcpu.Run(10));
            if ((machine[Slot.Rax] & 31) == 0)
                break;
        }
    }
}
