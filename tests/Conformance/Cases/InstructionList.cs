using Iced.Intel;

namespace DynaTrans.Conformance.Cases;

/// <summary>What a form's memory operand is: a form with a register-or-memory operand is two forms here.</summary>
public enum OperandShape
{
    /// <summary>No ModRM-selected choice, or the register choice of one.</summary>
    Register,

    /// <summary>The memory choice.</summary>
    Memory,
}

/// <summary>One line of the conformance table.</summary>
public readonly record struct Form(Code Code, int Bitness, OperandShape Shape)
{
    /// <summary>Name used in tables and filters, for example <c>64/Add_rm32_r32/mem</c>.</summary>
    public override string ToString() => $"{Bitness}/{Code}/{(Shape == OperandShape.Memory ? "mem" : "reg")}";
}

/// <summary>Which instruction forms are compared with the host CPU, and why the others are not.</summary>
public static class InstructionList
{
    private static readonly HashSet<CpuidFeature> s_features =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.X64,
        CpuidFeature.CMOV, CpuidFeature.CX8, CpuidFeature.CMPXCHG16B, CpuidFeature.FPU, CpuidFeature.FPU287, CpuidFeature.FPU387,
        CpuidFeature.FXSR, CpuidFeature.LZCNT, CpuidFeature.BMI1, CpuidFeature.BMI2, CpuidFeature.MMX, CpuidFeature.MOVBE, CpuidFeature.AES,
        CpuidFeature.PCLMULQDQ, CpuidFeature.POPCNT, CpuidFeature.SSE, CpuidFeature.SSE2, CpuidFeature.SSE3, CpuidFeature.SSSE3,
        CpuidFeature.SSE4_1, CpuidFeature.SSE4_2, CpuidFeature.MULTIBYTENOP, CpuidFeature.PAUSE,
    ];

    private static readonly Dictionary<Mnemonic, string> s_left = new()
    {
        [Mnemonic.Cpuid] = "describes the CPU",
        [Mnemonic.Rdtsc] = "reads a clock",
        [Mnemonic.Rdpmc] = "reads a counter",
        [Mnemonic.Sgdt] = "the host kernel answers for the CPU (UMIP)",
        [Mnemonic.Sidt] = "the host kernel answers for the CPU (UMIP)",
        [Mnemonic.Sldt] = "the host kernel answers for the CPU (UMIP)",
        [Mnemonic.Str] = "the host kernel answers for the CPU (UMIP)",
        [Mnemonic.Smsw] = "the host kernel answers for the CPU (UMIP)",
        [Mnemonic.Lar] = "reads the host's descriptor tables",
        [Mnemonic.Lsl] = "reads the host's descriptor tables",
        [Mnemonic.Verr] = "reads the host's descriptor tables",
        [Mnemonic.Verw] = "reads the host's descriptor tables",
        [Mnemonic.Les] = "loads a selector of the host's descriptor tables",
        [Mnemonic.Lds] = "loads a selector of the host's descriptor tables",
        [Mnemonic.Lss] = "loads a selector of the host's descriptor tables",
        [Mnemonic.Lfs] = "loads a selector of the host's descriptor tables",
        [Mnemonic.Lgs] = "loads a selector of the host's descriptor tables",
        [Mnemonic.Int] = "calls the host kernel",
        [Mnemonic.Int1] = "calls the host kernel",
        [Mnemonic.Monitor] = "not advertised",
        [Mnemonic.Mwait] = "not advertised",
        [Mnemonic.Reservednop] = "decoded as the hints that these encodings have become",
    };

    /// <summary>All forms for <paramref name="bitness"/> (32 or 64), in Iced's order.</summary>
    public static IEnumerable<Form> Forms(int bitness)
    {
        foreach (var code in Enum.GetValues<Code>())
        {
            if (!IsCandidate(code, bitness) || WhyLeftOut(code) is not null) continue;
            var (hasRegister, hasMemory) = Shapes(code.ToOpCode());
            if (hasRegister) yield return new Form(code, bitness, OperandShape.Register);
            if (hasMemory) yield return new Form(code, bitness, OperandShape.Memory);
        }
    }

    /// <summary>The instructions of the list that are not compared, each with its reason.</summary>
    public static IEnumerable<(Code Code, string Reason)> LeftOut() =>
        Enum.GetValues<Code>().Where(c => IsCandidate(c, 32) || IsCandidate(c, 64))
            .Select(c => (c, WhyLeftOut(c))).Where(p => p.Item2 is not null).Select(p => (p.c, p.Item2!));

    private static bool IsCandidate(Code code, int bitness)
    {
        var info = code.ToOpCode();
        return info.IsInstruction && (bitness == 32 ? info.Mode32 && info.IntelDecoder32 : info.Mode64 && info.IntelDecoder64) && info.DecoderOption == DecoderOptions.None
            && code.CpuidFeatures().All(s_features.Contains);
    }

    private static string? WhyLeftOut(Code code)
    {
        var name = code.ToString();
        if (code == Code.Ud0) return "its form without ModRM is that of older CPUs";
        if (code == Code.Bswap_r16) return "its result is undefined";
        if (name.Contains("_Sreg", StringComparison.Ordinal) && name.StartsWith("Mov_Sreg", StringComparison.Ordinal))
            return "loads a selector of the host's descriptor tables";
        if (name.StartsWith("Pop", StringComparison.Ordinal) && name[^2..] is ("ES" or "SS" or "DS" or "FS" or "GS"))
            return "loads a selector of the host's descriptor tables";
        if (name.Contains("_cr", StringComparison.Ordinal) || name.Contains("_dr", StringComparison.Ordinal) || name.Contains("_tr", StringComparison.Ordinal))
            return "privileged, and its encodings differ between models";
        if (AmdHost.IsHost && !AmdHost.Has(code)) return "the host, an AMD CPU, does not have it";
        return s_left.GetValueOrDefault(code.Mnemonic());
    }

    private static (bool Register, bool Memory) Shapes(OpCodeInfo info)
    {
        bool register = true, memory = false;
        for (var i = 0; i < info.OpCount; i++)
        {
            var name = info.GetOpKind(i).ToString();
            if (name.Contains("_or_mem", StringComparison.Ordinal)) memory = true;
            else if (name is "mem" or "mem_offs" || name.StartsWith("seg_r", StringComparison.Ordinal) || name.StartsWith("es_r", StringComparison.Ordinal))
                (register, memory) = (false, true);
        }
        return (register, memory);
    }
}
