using DynaTrans.Conformance.Native;
using Iced.Intel;

namespace DynaTrans.Conformance.Cases;

/// <summary>
/// What the architecture defines about the end of a case. Flags that an instruction always leaves undefined come from Iced's tables;
/// here are those that depend on operand values, and memory images with model-specific fields. Sources: Intel SDM volume 2, the
/// "Flags Affected" section of each instruction, and volume 1 chapters 8 and 10.
/// </summary>
public static unsafe class DefinedState
{
    /// <summary>CF, PF, AF, ZF, SF, DF, OF, NT and ID: the flags that are compared at all.</summary>
    public const ulong ComparedFlags = 0x204CD5;

    private const int Rcx = 1, Rsi = 6, Rdi = 7;
    private const ulong SignBits = 0x8080808080808080;
    private const ulong Of = 0x800, Sf = 0x80, Zf = 0x40, Af = 0x10, Cf = 1, Pf = 4;

    /// <summary>The flags defined after <paramref name="encoding"/> ran on <paramref name="start"/>.</summary>
    public static ulong Flags(Encoding encoding, CaseData start)
    {
        ref readonly var instruction = ref encoding.Instruction;
        var undefined = instruction.Mnemonic switch
        {
            Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Shld or Mnemonic.Shrd
                or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr => Shift(instruction, start),
            _ => FromIced(instruction.RflagsUndefined),
        };
        return ComparedFlags & ~undefined;
    }

    /// <summary>The x87 status bits defined after <paramref name="encoding"/>: all, less the condition codes Iced lists as undefined.</summary>
    public static ushort StatusWord(Encoding encoding)
    {
        var undefined = encoding.Instruction.RflagsUndefined;
        var mask = 0xFFFF;
        if ((undefined & RflagsBits.C0) != 0) mask &= ~0x100;
        if ((undefined & RflagsBits.C1) != 0) mask &= ~0x200;
        if ((undefined & RflagsBits.C2) != 0) mask &= ~0x400;
        if ((undefined & RflagsBits.C3) != 0) mask &= ~0x4000;
        return (ushort)mask;
    }

    /// <summary>False when the result itself is undefined for these operands, so there is nothing to compare.</summary>
    public static bool IsResultDefined(Encoding encoding, CaseData start)
    {
        ref readonly var instruction = ref encoding.Instruction;
        switch (instruction.Code)
        {
            // SHLD/SHRD: "If the count is greater than the operand size, the result is undefined."
            case Code.Shld_rm16_r16_CL or Code.Shrd_rm16_r16_CL: return (start.State.Gpr[1] & 31) <= 16;
            case Code.Shld_rm16_r16_imm8 or Code.Shrd_rm16_r16_imm8: return (instruction.Immediate8 & 31) <= 16;
            // With a mask of all zeros "page faults may still be signaled (implementation dependent)".
            case Code.Maskmovdqu_rDI_xmm_xmm:
                var mask = instruction.Op2Register.GetNumber();
                return ((start.State.Xmm(mask, 0) | start.State.Xmm(mask, 1)) & SignBits) != 0;
            case Code.Maskmovq_rDI_mm_mm:
                return (start.State.StSignificand(instruction.Op2Register.GetNumber() - (start.State.Fsw >> 11)) & SignBits) != 0;
            default: return true;
        }
    }

    /// <summary>
    /// Number of the general register whose value is undefined, or -1. BSF, BSR: "If the content of the source operand is 0, the content
    /// of the destination operand is undefined."
    /// </summary>
    public static int UndefinedRegister(Encoding encoding, CaseData end) =>
        encoding.Instruction.Mnemonic is Mnemonic.Bsf or Mnemonic.Bsr && (end.State.Rflags & Zf) != 0 ? encoding.Instruction.Op0Register.GetNumber() : -1;

    /// <summary>
    /// The bits of a general register that are compared. A repeated string instruction with 32-bit addresses that made no step clears the
    /// upper halves of RCX, RSI and RDI on the host or leaves them, depending on the operand size.
    /// </summary>
    public static ulong RegisterMask(Encoding encoding, CaseData start, CaseData end, int register)
    {
        ref readonly var instruction = ref encoding.Instruction;
        var noStep = register is Rcx or Rsi or Rdi && !encoding.Is32 && instruction.IsStringInstruction && (instruction.HasRepPrefix || instruction.HasRepnePrefix)
            && (uint)start.State.Gpr[Rcx] == (uint)end.State.Gpr[Rcx];
        return noStep ? uint.MaxValue : ulong.MaxValue;
    }

    /// <summary>Bytes of memory, as offsets from the returned address, that are model-specific in a state image the instruction wrote.</summary>
    public static (ulong Address, (int From, int To)[] Ranges) ModelSpecificBytes(Encoding encoding, CaseData start)
    {
        ref readonly var instruction = ref encoding.Instruction;
        // Last instruction and data pointers and opcode: updated under model-specific conditions (SDM vol. 1, 8.1.8 and 8.1.9).
        (int, int)[] ranges = instruction.Code switch
        {
            Code.Fnstenv_m28byte or Code.Fnsave_m108byte => [(12, 28)],
            Code.Fnstenv_m14byte or Code.Fnsave_m94byte => [(6, 14)],
            // MXCSR_MASK describes the model; bytes from 416 on are reserved (SDM vol. 1, 10.5.1).
            Code.Fxsave_m512byte or Code.Fxsave64_m512byte => [(6, 24), (28, 32), (416, 512)],
            _ => [],
        };
        if (ranges.Length != 0) return (encoding.Memory!.Address(ref start.State), ranges);
        // Pushing a segment register may leave the upper bytes of the slot unwritten (SDM vol. 2, PUSH).
        if (instruction.Mnemonic == Mnemonic.Push && instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsSegmentRegister())
            return (start.State.Gpr[4] - (ulong)-instruction.StackPointerIncrement, [(2, -instruction.StackPointerIncrement)]);
        return (0, []);
    }

    /// <summary>True for the x87 functions whose result the SDM bounds to within one unit in the last place (vol. 1, 8.3.10).</summary>
    public static bool IsTranscendental(Mnemonic mnemonic) => mnemonic is Mnemonic.Fsin or Mnemonic.Fcos or Mnemonic.Fsincos or Mnemonic.Fptan
        or Mnemonic.Fpatan or Mnemonic.F2xm1 or Mnemonic.Fyl2x or Mnemonic.Fyl2xp1;

    /// <summary>True for the SSE approximations, bounded by a relative error of 1.5 * 2^-12 (SDM vol. 2, RCPPS and RSQRTPS).</summary>
    public static bool IsApproximation(Mnemonic mnemonic) => mnemonic is Mnemonic.Rcpps or Mnemonic.Rcpss or Mnemonic.Rsqrtps or Mnemonic.Rsqrtss;

    /// <summary>True for the byte-masked stores: which of their bytes a page fault reports is model-specific.</summary>
    public static bool IsMaskedStore(Mnemonic mnemonic) => mnemonic is Mnemonic.Maskmovq or Mnemonic.Maskmovdqu;

    /// <summary>True for POPA: the host has loaded some registers when it faults, which a restart loads again.</summary>
    public static bool IsPopAll(Mnemonic mnemonic) => mnemonic is Mnemonic.Popa or Mnemonic.Popad;

    /// <summary>True for instructions with an MMX register operand.</summary>
    public static bool IsMmx(Encoding encoding)
    {
        for (var i = 0; i < encoding.Instruction.OpCount; i++)
            if (encoding.Instruction.GetOpKind(i) == OpKind.Register && encoding.Instruction.GetOpRegister(i).IsMM())
                return true;
        return false;
    }

    // Count 0 leaves all flags alone; OF is defined for count 1 only; AF is undefined after a shift and untouched by a rotate;
    // CF is undefined after SHL and SHR by the operand size or more.
    private static ulong Shift(in Instruction instruction, CaseData start)
    {
        var size = 8 * (instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() : instruction.MemorySize.GetSize());
        var last = instruction.OpCount - 1;
        var count = instruction.GetOpKind(last) == OpKind.Register ? (int)start.State.Gpr[1] : instruction.GetOpKind(last) == OpKind.Immediate8 ? instruction.Immediate8 : 1;
        count &= size == 64 ? 63 : 31;
        if (count == 0) return 0;
        var undefined = count == 1 ? 0 : Of;
        if (instruction.Mnemonic is Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr) return undefined;
        undefined |= Af;
        if (instruction.Mnemonic is Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr && count >= size) undefined |= Cf;
        return undefined;
    }

    private static ulong FromIced(RflagsBits bits)
    {
        var flags = 0UL;
        if ((bits & RflagsBits.OF) != 0) flags |= Of;
        if ((bits & RflagsBits.SF) != 0) flags |= Sf;
        if ((bits & RflagsBits.ZF) != 0) flags |= Zf;
        if ((bits & RflagsBits.AF) != 0) flags |= Af;
        if ((bits & RflagsBits.CF) != 0) flags |= Cf;
        if ((bits & RflagsBits.PF) != 0) flags |= Pf;
        return flags;
    }
}
