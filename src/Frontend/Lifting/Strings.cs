using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>
/// movs stos lods scas cmps ins outs (SDM Vol. 2). One element is loads and stores; a repetition is a helper that does as much as it can
/// and says whether to enter the instruction again, which ends the block.
/// </summary>
internal static unsafe class Strings
{
    private const long Single = 1L << 25;

    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Movsb] = &Movs;
        table[(int)Mnemonic.Movsw] = &Movs;
        table[(int)Mnemonic.Movsd] = &Movs;
        table[(int)Mnemonic.Movsq] = &Movs;
        table[(int)Mnemonic.Stosb] = &Stos;
        table[(int)Mnemonic.Stosw] = &Stos;
        table[(int)Mnemonic.Stosd] = &Stos;
        table[(int)Mnemonic.Stosq] = &Stos;
        table[(int)Mnemonic.Lodsb] = &Lods;
        table[(int)Mnemonic.Lodsw] = &Lods;
        table[(int)Mnemonic.Lodsd] = &Lods;
        table[(int)Mnemonic.Lodsq] = &Lods;
        table[(int)Mnemonic.Scasb] = &Scas;
        table[(int)Mnemonic.Scasw] = &Scas;
        table[(int)Mnemonic.Scasd] = &Scas;
        table[(int)Mnemonic.Scasq] = &Scas;
        table[(int)Mnemonic.Cmpsb] = &Cmps;
        table[(int)Mnemonic.Cmpsw] = &Cmps;
        table[(int)Mnemonic.Cmpsd] = &Cmps;
        table[(int)Mnemonic.Cmpsq] = &Cmps;
        table[(int)Mnemonic.Insb] = &Ins;
        table[(int)Mnemonic.Insw] = &Ins;
        table[(int)Mnemonic.Insd] = &Ins;
        table[(int)Mnemonic.Outsb] = &Outs;
        table[(int)Mnemonic.Outsw] = &Outs;
        table[(int)Mnemonic.Outsd] = &Outs;
    }

    private static void Movs(LiftContext c)
    {
        if (Repeated(c, HelperId.RepMovs, 1))
            return;
        var size = c.OperandSize(0);
        var width = AddressBytes(c.Insn.Op0Kind);
        var value = c.Load(size, Source(c, size, width));
        c.Store(size, Destination(c, size, width, writes: true), value);
        var step = Step(c, size);
        Advance(c, width, Slot.Rsi, step);
        Advance(c, width, Slot.Rdi, step);
    }

    private static void Stos(LiftContext c)
    {
        if (Repeated(c, HelperId.RepStos, 0))
            return;
        var size = c.OperandSize(0);
        var width = AddressBytes(c.Insn.Op0Kind);
        c.Store(size, Destination(c, size, width, writes: true), Slot.Rax);
        Advance(c, width, Slot.Rdi, Step(c, size));
    }

    private static void Lods(LiftContext c)
    {
        if (Repeated(c, HelperId.RepLods, 1))
            return;
        var size = c.OperandSize(1);
        var width = AddressBytes(c.Insn.Op1Kind);
        var value = c.Load(size, Source(c, size, width));
        c.WriteSlot(size, Slot.Rax, value);
        Advance(c, width, Slot.Rsi, Step(c, size));
    }

    private static void Scas(LiftContext c)
    {
        if (Repeated(c, HelperId.RepScas, 1))
            return;
        var size = c.OperandSize(1);
        var width = AddressBytes(c.Insn.Op1Kind);
        var value = c.Load(size, Destination(c, size, width));
        c.EmitFlags(IrOpcode.Sub, size, Slot.Void, Slot.Rax, value);
        Advance(c, width, Slot.Rdi, Step(c, size));
    }

    private static void Cmps(LiftContext c)
    {
        if (Repeated(c, HelperId.RepCmps, 0))
            return;
        var size = c.OperandSize(0);
        var width = AddressBytes(c.Insn.Op0Kind);
        var right = c.Load(size, Destination(c, size, width));
        var left = c.Load(size, Source(c, size, width));
        c.EmitFlags(IrOpcode.Sub, size, Slot.Void, left, right);
        var step = Step(c, size);
        Advance(c, width, Slot.Rsi, step);
        Advance(c, width, Slot.Rdi, step);
    }

    private static void Ins(LiftContext c)
    {
        if (c.IsUser)
        {
            c.Raise(ExceptionVector.GeneralProtection);
            return;
        }

        FromPort(c);
    }

    private static void Outs(LiftContext c)
    {
        if (c.IsUser)
            c.Raise(ExceptionVector.GeneralProtection);
        else
            ToPort(c);
    }

    /// <summary>ins by code that may use the port.</summary>
    public static void FromPort(LiftContext c)
    {
        // A single element goes through the helper too: the port may be read only after the store is known to succeed.
        if (!Repeated(c, HelperId.RepIns, 0))
            c.CallVoid(HelperId.RepIns, c.Copy(4, Val.Const(Packed(c, 0) | Single)));
    }

    /// <summary>outs by code that may use the port.</summary>
    public static void ToPort(LiftContext c)
    {
        if (!Repeated(c, HelperId.RepOuts, 1))
            c.CallVoid(HelperId.RepOuts, c.Copy(4, Val.Const(Packed(c, 1) | Single)));
    }

    private static bool Repeated(LiftContext c, HelperId helper, int memoryOperand)
    {
        if (!c.Insn.HasRepPrefix && !c.Insn.HasRepnePrefix)
            return false;
        var unfinished = c.Call(helper, c.Copy(4, Val.Const(Packed(c, memoryOperand))));
        c.JumpIf(unfinished, c.Insn.IP);
        return true;
    }

    private static long Packed(LiftContext c, int memoryOperand)
    {
        var width = AddressBytes(c.Insn.GetOpKind(memoryOperand));
        var segment = c.Insn.MemorySegment == Iced.Intel.Register.None ? 3 : c.Insn.MemorySegment - Iced.Intel.Register.ES;
        var packed = c.OperandSize(memoryOperand) + (width << 8) + (segment << 16);
        return c.Insn.HasRepnePrefix ? packed + (1L << 24) : packed;
    }

    private static int AddressBytes(OpKind kind) => kind switch
    {
        OpKind.MemorySegSI or OpKind.MemoryESDI => 2,
        OpKind.MemorySegESI or OpKind.MemoryESEDI => 4,
        _ => 8,
    };

    private static Address Source(LiftContext c, int size, int width) => c.At(Slot.Rsi, 0, width, c.SegmentOfOperand, size);

    private static Address Destination(LiftContext c, int size, int width, bool writes = false) =>
        c.At(Slot.Rdi, 0, width, Iced.Intel.Register.ES, size, writes);

    // The step is +size, or -size when DF (bit 10) is set, as what to subtract: (DF ? 2 * size : 0) - size.
    private static Val Step(LiftContext c, int size)
    {
        var direction = c.Emit(IrOpcode.And, 4, Slot.Eflags, Val.Const(Eflags.DF));
        var twice = c.Emit(IrOpcode.Shr, 4, direction, Val.Const(9 - System.Numerics.BitOperations.TrailingZeroCount(size)));
        return new Val(twice, -size);
    }

    private static void Advance(LiftContext c, int width, ushort slot, Val step)
    {
        if (width >= 4)
            c.Op(IrOpcode.Sub, width, slot, slot, step);
        else
            c.WriteSlot(2, slot, c.Emit(IrOpcode.Sub, 2, slot, step));
    }
}
