using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>
/// The x87 instructions (SDM Vol. 1, ch. 8). Each is one helper call, which also checks for #NM and #MF and keeps the address and opcode
/// that FNSTENV tells; the arguments are described at <see cref="HelperId"/>. Memory is accessed by the helper, so that a pending
/// exception comes before a page fault.
/// </summary>
internal static unsafe class X87
{
    // Offsets of the operand forms from the first helper of an operation.
    private const int ToTop = 0;
    private const int ToRegister = 1;
    private const int ToRegisterPop = 2;
    private const int FromSingle = 3;
    private const int FromDouble = 4;
    private const int FromWord = 5;
    private const int FromInt = 6;

    private const int OpcodeShift = 53;

    public static void Register(delegate*<LiftContext, void>[] table)
    {
        RegisterArithmetic(table);
        RegisterMoves(table);
        RegisterComparisons(table);
        X87Control.Register(table);
    }

    /// <summary>
    /// Calls a helper of an instruction without memory operand; <paramref name="a"/> is its first argument.
    /// </summary>
    public static ushort CallRegister(LiftContext c, HelperId helper, ushort a = Slot.Zero) => c.Call(helper, a, LastInstruction(c));

    /// <summary>Calls a helper with the instruction's memory operand of <paramref name="size"/> bytes.</summary>
    public static void CallMemory(LiftContext c, HelperId helper, int size)
    {
        var address = c.MemoryOperand(size);
        var segment = c.SegmentOfOperand;
        // The operand's offset is its linear address less the base; real mode keeps the linear address (SDM Vol. 1, figure 8-10).
        var hasBase = (c.Mode & GuestMode.Real) == 0 && (!c.IsFlat || segment >= Iced.Intel.Register.FS);
        var last = Val.Const(LastInstruction(c).Imm ^ StackBit(address));
        c.Call(helper, c.LinearAddress(address), last, hasBase ? Registers.SegmentBase(segment) : Slot.Zero);
    }

    /// <summary>
    /// The bit by which helpers know that their operand is relative to SS: the highest of the address in their argument, where it differs
    /// from the one below it (an instruction has a canonical address).
    /// </summary>
    public static long StackBit(in Address address) => (address.Intent & AccessIntent.Stack) != 0 ? 1L << (OpcodeShift - 1) : 0;

    private static Val LastInstruction(LiftContext c)
    {
        // The opcode is the low three bits of the escape byte, behind any prefixes, and the byte after it.
        var bytes = c.Bytes;
        while ((*bytes & 0xF8) != 0xD8)
            bytes++;
        var opcode = (ulong)(((bytes[0] & 7) << 8) | bytes[1]);
        return Val.Const((long)(((c.Insn.IP << (64 - OpcodeShift)) >> (64 - OpcodeShift)) | (opcode << OpcodeShift)));
    }

    private static void RegisterArithmetic(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Fadd] = &Fadd;
        table[(int)Mnemonic.Faddp] = &Fadd;
        table[(int)Mnemonic.Fiadd] = &Fadd;
        table[(int)Mnemonic.Fmul] = &Fmul;
        table[(int)Mnemonic.Fmulp] = &Fmul;
        table[(int)Mnemonic.Fimul] = &Fmul;
        table[(int)Mnemonic.Fsub] = &Fsub;
        table[(int)Mnemonic.Fsubp] = &Fsub;
        table[(int)Mnemonic.Fisub] = &Fsub;
        table[(int)Mnemonic.Fsubr] = &Fsubr;
        table[(int)Mnemonic.Fsubrp] = &Fsubr;
        table[(int)Mnemonic.Fisubr] = &Fsubr;
        table[(int)Mnemonic.Fdiv] = &Fdiv;
        table[(int)Mnemonic.Fdivp] = &Fdiv;
        table[(int)Mnemonic.Fidiv] = &Fdiv;
        table[(int)Mnemonic.Fdivr] = &Fdivr;
        table[(int)Mnemonic.Fdivrp] = &Fdivr;
        table[(int)Mnemonic.Fidivr] = &Fdivr;
        table[(int)Mnemonic.Fsqrt] = &Fsqrt;
        table[(int)Mnemonic.Frndint] = &Frndint;
        table[(int)Mnemonic.Fscale] = &Fscale;
        table[(int)Mnemonic.Fprem] = &Fprem;
        table[(int)Mnemonic.Fprem1] = &Fprem1;
        table[(int)Mnemonic.Fxtract] = &Fxtract;
        table[(int)Mnemonic.Fabs] = &Fabs;
        table[(int)Mnemonic.Fchs] = &Fchs;
        table[(int)Mnemonic.Fsin] = &Fsin;
        table[(int)Mnemonic.Fcos] = &Fcos;
        table[(int)Mnemonic.Fsincos] = &Fsincos;
        table[(int)Mnemonic.Fptan] = &Fptan;
        table[(int)Mnemonic.Fpatan] = &Fpatan;
        table[(int)Mnemonic.F2xm1] = &F2xm1;
        table[(int)Mnemonic.Fyl2x] = &Fyl2x;
        table[(int)Mnemonic.Fyl2xp1] = &Fyl2xp1;
    }

    private static void RegisterMoves(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Fld] = &Fld;
        table[(int)Mnemonic.Fild] = &Fild;
        table[(int)Mnemonic.Fbld] = &Fbld;
        table[(int)Mnemonic.Fld1] = &Constant;
        table[(int)Mnemonic.Fldl2t] = &Constant;
        table[(int)Mnemonic.Fldl2e] = &Constant;
        table[(int)Mnemonic.Fldpi] = &Constant;
        table[(int)Mnemonic.Fldlg2] = &Constant;
        table[(int)Mnemonic.Fldln2] = &Constant;
        table[(int)Mnemonic.Fldz] = &Constant;
        table[(int)Mnemonic.Fst] = &Fst;
        table[(int)Mnemonic.Fstp] = &Fstp;
        table[(int)Mnemonic.Fstpnce] = &Fstpnce;
        table[(int)Mnemonic.Fist] = &Fist;
        table[(int)Mnemonic.Fistp] = &Fistp;
        table[(int)Mnemonic.Fisttp] = &Fisttp;
        table[(int)Mnemonic.Fbstp] = &Fbstp;
        table[(int)Mnemonic.Fxch] = &Fxch;
        table[(int)Mnemonic.Fcmovb] = &Fcmov;
        table[(int)Mnemonic.Fcmove] = &Fcmov;
        table[(int)Mnemonic.Fcmovbe] = &Fcmov;
        table[(int)Mnemonic.Fcmovu] = &Fcmov;
        table[(int)Mnemonic.Fcmovnb] = &Fcmov;
        table[(int)Mnemonic.Fcmovne] = &Fcmov;
        table[(int)Mnemonic.Fcmovnbe] = &Fcmov;
        table[(int)Mnemonic.Fcmovnu] = &Fcmov;
    }

    private static void RegisterComparisons(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Fcom] = &Fcom;
        table[(int)Mnemonic.Fcomp] = &Fcomp;
        table[(int)Mnemonic.Fcompp] = &Fcompp;
        table[(int)Mnemonic.Fucom] = &Fucom;
        table[(int)Mnemonic.Fucomp] = &Fucomp;
        table[(int)Mnemonic.Fucompp] = &Fucompp;
        table[(int)Mnemonic.Ficom] = &Ficom;
        table[(int)Mnemonic.Ficomp] = &Ficomp;
        table[(int)Mnemonic.Fcomi] = &Fcomi;
        table[(int)Mnemonic.Fcomip] = &Fcomip;
        table[(int)Mnemonic.Fucomi] = &Fucomi;
        table[(int)Mnemonic.Fucomip] = &Fucomip;
        table[(int)Mnemonic.Ftst] = &Ftst;
        table[(int)Mnemonic.Fxam] = &Fxam;
    }

    private static void Fadd(LiftContext c) => Arithmetic(c, HelperId.X87AddTop);

    private static void Fmul(LiftContext c) => Arithmetic(c, HelperId.X87MultiplyTop);

    private static void Fsub(LiftContext c) => Arithmetic(c, HelperId.X87SubtractTop);

    private static void Fsubr(LiftContext c) => Arithmetic(c, HelperId.X87SubtractReverseTop);

    private static void Fdiv(LiftContext c) => Arithmetic(c, HelperId.X87DivideTop);

    private static void Fdivr(LiftContext c) => Arithmetic(c, HelperId.X87DivideReverseTop);

    private static void Arithmetic(LiftContext c, HelperId first)
    {
        switch (c.Insn.MemorySize)
        {
            case MemorySize.Float32: CallMemory(c, first + FromSingle, 4); return;
            case MemorySize.Float64: CallMemory(c, first + FromDouble, 8); return;
            case MemorySize.Int16: CallMemory(c, first + FromWord, 2); return;
            case MemorySize.Int32: CallMemory(c, first + FromInt, 4); return;
        }

        var form = c.Insn.Mnemonic is Mnemonic.Faddp or Mnemonic.Fmulp or Mnemonic.Fsubp or Mnemonic.Fsubrp or Mnemonic.Fdivp or Mnemonic.Fdivrp
            ? ToRegisterPop
            : IsToRegister(c.Insn.Code) ? ToRegister : ToTop;
        CallRegister(c, (HelperId)((int)first + form));
    }

    private static bool IsToRegister(Code code) => code is Code.Fadd_sti_st0 or Code.Fmul_sti_st0 or Code.Fsub_sti_st0 or Code.Fsubr_sti_st0
        or Code.Fdiv_sti_st0 or Code.Fdivr_sti_st0;

    private static void Fsqrt(LiftContext c) => CallRegister(c, HelperId.X87Fsqrt);

    private static void Frndint(LiftContext c) => CallRegister(c, HelperId.X87Frndint);

    private static void Fscale(LiftContext c) => CallRegister(c, HelperId.X87Fscale);

    private static void Fprem(LiftContext c) => CallRegister(c, HelperId.X87Fprem);

    private static void Fprem1(LiftContext c) => CallRegister(c, HelperId.X87Fprem1);

    private static void Fxtract(LiftContext c) => CallRegister(c, HelperId.X87Fxtract);

    private static void Fabs(LiftContext c) => CallRegister(c, HelperId.X87Fabs);

    private static void Fchs(LiftContext c) => CallRegister(c, HelperId.X87Fchs);

    private static void Fsin(LiftContext c) => Transcendental(c, 0);

    private static void Fcos(LiftContext c) => Transcendental(c, 1);

    private static void Fsincos(LiftContext c) => Transcendental(c, 2);

    private static void Fptan(LiftContext c) => Transcendental(c, 3);

    private static void Fpatan(LiftContext c) => Transcendental(c, 4);

    private static void F2xm1(LiftContext c) => Transcendental(c, 5);

    private static void Fyl2x(LiftContext c) => Transcendental(c, 6);

    private static void Fyl2xp1(LiftContext c) => Transcendental(c, 7);

    private static void Transcendental(LiftContext c, int number) =>
        CallRegister(c, HelperId.X87Transcendental, c.ToSlot(8, Val.Const(number)));

    private static void Fld(LiftContext c)
    {
        switch (c.Insn.MemorySize)
        {
            case MemorySize.Float32: CallMemory(c, HelperId.X87FldSingle, 4); break;
            case MemorySize.Float64: CallMemory(c, HelperId.X87FldDouble, 8); break;
            case MemorySize.Float80: CallMemory(c, HelperId.X87FldExtended, 10); break;
            default: CallRegister(c, HelperId.X87FldRegister); break;
        }
    }

    private static void Fild(LiftContext c) => Integer(c, HelperId.X87FildWord, HelperId.X87FildInt, HelperId.X87FildLong);

    private static void Fbld(LiftContext c) => CallMemory(c, HelperId.X87Fbld, 10);

    private static void Constant(LiftContext c) => CallRegister(c, HelperId.X87FldConstant);

    private static void Fst(LiftContext c) => Float(c, HelperId.X87FstSingle, HelperId.X87FstDouble, HelperId.X87FstRegister);

    private static void Fstp(LiftContext c)
    {
        if (c.Insn.MemorySize == MemorySize.Float80)
            CallMemory(c, HelperId.X87FstpExtended, 10);
        else
            Float(c, HelperId.X87FstpSingle, HelperId.X87FstpDouble, HelperId.X87FstpRegister);
    }

    private static void Fstpnce(LiftContext c) => CallRegister(c, HelperId.X87Fstpnce);

    private static void Fist(LiftContext c) => Integer(c, HelperId.X87FistWord, HelperId.X87FistInt, HelperId.None);

    private static void Fistp(LiftContext c) => Integer(c, HelperId.X87FistpWord, HelperId.X87FistpInt, HelperId.X87FistpLong);

    private static void Fisttp(LiftContext c) => Integer(c, HelperId.X87FisttpWord, HelperId.X87FisttpInt, HelperId.X87FisttpLong);

    private static void Fbstp(LiftContext c) => CallMemory(c, HelperId.X87Fbstp, 10);

    private static void Fxch(LiftContext c) => CallRegister(c, HelperId.X87Fxch);

    private static void Fcmov(LiftContext c)
    {
        var condition = c.Insn.Mnemonic switch
        {
            Mnemonic.Fcmovb => Condition.B,
            Mnemonic.Fcmove => Condition.E,
            Mnemonic.Fcmovbe => Condition.Be,
            Mnemonic.Fcmovu => Condition.P,
            Mnemonic.Fcmovnb => Condition.Ae,
            Mnemonic.Fcmovne => Condition.Ne,
            Mnemonic.Fcmovnbe => Condition.A,
            _ => Condition.Np,
        };
        CallRegister(c, HelperId.X87Fcmov, c.GetCondition(condition));
    }

    private static void Fcom(LiftContext c) => Float(c, HelperId.X87FcomSingle, HelperId.X87FcomDouble, HelperId.X87Fcom);

    private static void Fcomp(LiftContext c) => Float(c, HelperId.X87FcompSingle, HelperId.X87FcompDouble, HelperId.X87Fcomp);

    private static void Fcompp(LiftContext c) => CallRegister(c, HelperId.X87Fcompp);

    private static void Fucom(LiftContext c) => CallRegister(c, HelperId.X87Fucom);

    private static void Fucomp(LiftContext c) => CallRegister(c, HelperId.X87Fucomp);

    private static void Fucompp(LiftContext c) => CallRegister(c, HelperId.X87Fucompp);

    private static void Ficom(LiftContext c) => Integer(c, HelperId.X87FicomWord, HelperId.X87FicomInt, HelperId.None);

    private static void Ficomp(LiftContext c) => Integer(c, HelperId.X87FicompWord, HelperId.X87FicompInt, HelperId.None);

    private static void Fcomi(LiftContext c) => ToFlags(c, HelperId.X87Fcomi);

    private static void Fcomip(LiftContext c) => ToFlags(c, HelperId.X87Fcomip);

    private static void Fucomi(LiftContext c) => ToFlags(c, HelperId.X87Fucomi);

    private static void Fucomip(LiftContext c) => ToFlags(c, HelperId.X87Fucomip);

    private static void Ftst(LiftContext c) => CallRegister(c, HelperId.X87Ftst);

    private static void Fxam(LiftContext c) => CallRegister(c, HelperId.X87Fxam);

    private static void ToFlags(LiftContext c, HelperId helper) =>
        c.SetFlags(FlagsKind.Explicit, 4, Slot.Zero, CallRegister(c, helper));

    private static void Float(LiftContext c, HelperId single, HelperId wide, HelperId register)
    {
        switch (c.Insn.MemorySize)
        {
            case MemorySize.Float32: CallMemory(c, single, 4); break;
            case MemorySize.Float64: CallMemory(c, wide, 8); break;
            default: CallRegister(c, register); break;
        }
    }

    private static void Integer(LiftContext c, HelperId word, HelperId integer, HelperId wide)
    {
        switch (c.Insn.MemorySize)
        {
            case MemorySize.Int16: CallMemory(c, word, 2); break;
            case MemorySize.Int32: CallMemory(c, integer, 4); break;
            default: CallMemory(c, wide, 8); break;
        }
    }
}
