using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>pusha popa enter leave xlat bound (SDM Vol. 2).</summary>
internal static unsafe class StackFrames
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Pusha] = &Pusha;
        table[(int)Mnemonic.Pushad] = &Pusha;
        table[(int)Mnemonic.Popa] = &Popa;
        table[(int)Mnemonic.Popad] = &Popa;
        table[(int)Mnemonic.Enter] = &Enter;
        table[(int)Mnemonic.Leave] = &Leave;
        table[(int)Mnemonic.Xlatb] = &Xlatb;
        table[(int)Mnemonic.Bound] = &Bound;
    }

    private static void Pusha(LiftContext c) =>
        c.CallVoid(HelperId.PushAll, c.Copy(4, Val.Const(c.Insn.Mnemonic == Mnemonic.Pusha ? 2 : 4)));

    private static void Popa(LiftContext c) =>
        c.CallVoid(HelperId.PopAll, c.Copy(4, Val.Const(c.Insn.Mnemonic == Mnemonic.Popa ? 2 : 4)));

    private static void Enter(LiftContext c)
    {
        var level = c.Insn.Immediate8_2nd & 31;
        var size = c.Insn.Code switch { Code.Enterw_imm16_imm8 => 2, Code.Enterd_imm16_imm8 => 4, _ => 8 };
        c.CallVoid(HelperId.Enter, c.Copy(4, Val.Const(c.Insn.Immediate16)), Val.Const(level), c.Copy(4, Val.Const(size)));
    }

    private static void Leave(LiftContext c)
    {
        var size = c.Insn.Code switch { Code.Leavew => 2, Code.Leaved => 4, _ => 8 };
        var value = c.Load(size, c.At(Slot.Rbp, 0, c.StackBytes, Iced.Intel.Register.SS, size));
        c.WriteSlot(c.StackBytes, Slot.Rsp, new Val(Slot.Rbp, size));
        c.WriteSlot(size, Slot.Rbp, value);
    }

    private static void Xlatb(LiftContext c)
    {
        var addressBytes = c.Insn.MemoryBase.GetSize();
        var offset = new Address(Slot.Rbx, c.Copy(1, Slot.Rax), 0, 0, Slot.Zero, c.FlatForm(addressBytes));
        var address = c.Segmented(offset, addressBytes, c.SegmentOfOperand, 1);
        c.WriteSlot(1, Slot.Rax, c.Load(1, address));
    }

    // #BR unless lower <= index <= upper, all signed; the bounds are a pair in memory.
    private static void Bound(LiftContext c)
    {
        var size = c.Insn.Op0Register.GetSize();
        var index = c.SignExtend(size, 8, c.ReadRegister(c.Insn.Op0Register));
        var lower = c.LinearAddress(c.MemoryOperand(size));
        var upper = c.LinearAddress(c.MemoryOperand(size, size));
        c.CallVoid(HelperId.Bound, index, lower, c.Emit(IrOpcode.Or, 8, upper, Val.Const((long)size << 32)));
    }
}
