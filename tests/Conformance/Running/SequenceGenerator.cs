using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;
using Iced.Intel;

namespace DynaTrans.Conformance.Running;

/// <summary>A straight-line sequence that ends at its last byte.</summary>
/// <param name="Encoding">Its bytes, as one encoding that stands for a nop.</param>
/// <param name="UndefinedFlags">The status flags that are undefined somewhere in it, and so perhaps where it faults.</param>
/// <param name="Text">The instructions, for messages.</param>
internal sealed record Sequence(Cases.Encoding Encoding, ulong UndefinedFlags, IReadOnlyList<string> Text);

/// <summary>
/// Strings together encodings of instructions that neither branch nor use the stack, whose memory operands, if any, are at fixed addresses,
/// and that do not depend on anything an instruction before left undefined.
/// </summary>
internal sealed class SequenceGenerator
{
    private const int MaxLength = 10;
    private const RflagsBits Status = RflagsBits.OF | RflagsBits.SF | RflagsBits.ZF | RflagsBits.AF | RflagsBits.CF | RflagsBits.PF;

    // Each instruction is of one of them at least, unless it is of none.
    private static readonly string[] s_families = ["integer", "sse", "mmx", "x87"];

    private readonly Rng _rng;
    private readonly int _bitness;
    private readonly EncodingGenerator _encodings;
    private readonly List<Form> _forms;

    internal SequenceGenerator(Rng rng, int bitness, string family)
    {
        (_rng, _bitness, _encodings) = (rng, bitness, new EncodingGenerator(rng));
        _forms = [.. Cases.InstructionList.Forms(bitness).Where(f => IsOf(f.Code, family))];
    }

    /// <summary>An instruction that may follow others which left the flags in <paramref name="undefined"/> undefined.</summary>
    internal Cases.Encoding NextInstruction(RflagsBits undefined)
    {
        while (true)
            if (_encodings.Generate(_forms[_rng.Below(_forms.Count)]) is { } encoding && IsUsable(encoding, undefined)) return encoding;
    }

    /// <summary>An instruction of a form that may follow others which left the flags in <paramref name="undefined"/> undefined; null when none was found.</summary>
    internal Cases.Encoding? TryInstruction(Form form, RflagsBits undefined) =>
        _encodings.Generate(form) is { } encoding && IsUsable(encoding, undefined) ? encoding : null;

    /// <summary>The family that the instructions of a code belong to; null when they are not for sequences.</summary>
    internal static string? FamilyOf(Code code) => s_families.FirstOrDefault(family => IsOf(code, family));

    /// <summary>The status flags of the sort that RFLAGS has, as bits of RFLAGS.</summary>
    internal static ulong StatusFlags(RflagsBits bits) => Mask(bits);

    internal Sequence Next()
    {
        var bytes = new List<byte>();
        var text = new List<string>();
        RflagsBits undefined = RflagsBits.None, everUndefined = RflagsBits.None;
        var length = 2 + _rng.Below(MaxLength - 1);
        while (text.Count < length)
        {
            var encoding = NextInstruction(undefined);
            ref readonly var instruction = ref encoding.Instruction;
            undefined = (undefined & ~instruction.RflagsModified) | (instruction.RflagsUndefined & Status);
            everUndefined |= undefined;
            bytes.AddRange(encoding.Bytes);
            text.Add(encoding.ToString());
        }
        var decoder = Decoder.Create(_bitness, new ByteArrayCodeReader([0x90]));
        decoder.IP = TestMemory.CodeStart;
        decoder.Decode(out var nop);
        return new Sequence(new Cases.Encoding([.. bytes], nop, TestMemory.CodeStart), Mask(everUndefined), text);
    }

    private bool IsUsable(Cases.Encoding encoding, RflagsBits undefined)
    {
        ref readonly var instruction = ref encoding.Instruction;
        if (encoding.Memory is { } memory && (!memory.IsFixed || instruction.IsIPRelativeMemoryOperand || encoding.Segments != (false, false))) return false;
        if (instruction.FlowControl != FlowControl.Next || instruction.IsStackInstruction || instruction.IsPrivileged || instruction.IsStringInstruction) return false;
        if ((instruction.RflagsRead & undefined) != 0) return false;
        for (var i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) > OpKind.Memory || instruction.GetOpKind(i) is OpKind.MemorySegDI or OpKind.MemorySegEDI or OpKind.MemorySegRDI) return false;
            if (instruction.GetOpKind(i) != OpKind.Register) continue;
            var register = instruction.GetOpRegister(i);
            if (register.GetFullRegister() == Register.RSP || register.IsSegmentRegister()) return false;
        }
        return true;
    }

    private static bool IsOf(Code code, string family)
    {
        // Results, or whole flags, that depend on operand values in an undefined way.
        if (code.Mnemonic() is Mnemonic.Bsf or Mnemonic.Bsr or Mnemonic.Shld or Mnemonic.Shrd or Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr
            or Mnemonic.Sar or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr or Mnemonic.Emms or Mnemonic.Xlatb or Mnemonic.Cmpxchg8b
            or Mnemonic.Maskmovq or Mnemonic.Maskmovdqu or Mnemonic.Cmpxchg16b or Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc
            or Mnemonic.Pause or Mnemonic.Ud2 or Mnemonic.Ud1)
            return false;
        if (code.Mnemonic() is Mnemonic.Rcpps or Mnemonic.Rcpss or Mnemonic.Rsqrtps or Mnemonic.Rsqrtss) return family != "integer" && family != "mmx";
        var features = code.CpuidFeatures();
        var isX87 = features.Any(f => f is CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 or CpuidFeature.FXSR);
        var isMmx = code.ToString().Contains("_mm", StringComparison.Ordinal);
        var isSse = code.ToString().Contains("xmm", StringComparison.Ordinal) || code is Code.Stmxcsr_m32 or Code.Ldmxcsr_m32;
        var isSimple = isX87 && code.Mnemonic() is Mnemonic.Fld or Mnemonic.Fadd or Mnemonic.Fmul or Mnemonic.Fxch or Mnemonic.Fld1 or Mnemonic.Fldz
            or Mnemonic.Fnstsw or Mnemonic.Fchs or Mnemonic.Fabs or Mnemonic.Ffree or Mnemonic.Fincstp or Mnemonic.Fdecstp;
        return family switch
        {
            "nan" => code.Mnemonic() is Mnemonic.Addps or Mnemonic.Addpd or Mnemonic.Mulps or Mnemonic.Mulpd or Mnemonic.Addss or Mnemonic.Mulsd
                or Mnemonic.Subps or Mnemonic.Divpd or Mnemonic.Movaps or Mnemonic.Pshufd or Mnemonic.Minps or Mnemonic.Maxpd or Mnemonic.Dpps
                or Mnemonic.Dppd or Mnemonic.Haddps or Mnemonic.Hsubpd or Mnemonic.Addsubps or Mnemonic.Maxss or Mnemonic.Sqrtsd or Mnemonic.Cvtsd2ss,
            "x87" => isX87 && !isMmx && !Cases.DefinedState.IsTranscendental(code.Mnemonic()) && code.Mnemonic() is not (Mnemonic.Fnstenv or Mnemonic.Fnsave
                or Mnemonic.Fldenv or Mnemonic.Frstor or Mnemonic.Fxsave or Mnemonic.Fxsave64 or Mnemonic.Fxrstor or Mnemonic.Fxrstor64 or Mnemonic.Fnstsw
                or Mnemonic.Fldcw or Mnemonic.Fnclex or Mnemonic.Fninit),
            "sse" => isSse && !isMmx,
            "mmx" => isMmx || isSimple,
            "integer" => !isSse && !isMmx && !isX87,
            _ => !isX87 || isSimple,
        };
    }

    private static ulong Mask(RflagsBits bits)
    {
        var flags = 0UL;
        if ((bits & RflagsBits.OF) != 0) flags |= 0x800;
        if ((bits & RflagsBits.SF) != 0) flags |= 0x80;
        if ((bits & RflagsBits.ZF) != 0) flags |= 0x40;
        if ((bits & RflagsBits.AF) != 0) flags |= 0x10;
        if ((bits & RflagsBits.PF) != 0) flags |= 4;
        if ((bits & RflagsBits.CF) != 0) flags |= 1;
        return flags;
    }
}
