using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>xadd, cmpxchg, cmpxchg8b, cmpxchg16b (SDM Vol. 2).</summary>
internal static unsafe class Exchanges
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Xadd] = &Xadd;
        table[(int)Mnemonic.Cmpxchg] = &Cmpxchg;
        table[(int)Mnemonic.Cmpxchg8b] = &Cmpxchg8b;
        table[(int)Mnemonic.Cmpxchg16b] = &Cmpxchg16b;
    }

    private static void Xadd(LiftContext c)
    {
        var size = c.OperandSize(0);
        var source = c.Copy(size, c.ReadRegister(c.Insn.Op1Register));
        ushort old;
        if (!c.IsMemory(0))
        {
            old = c.Copy(size, c.ReadRegister(c.Insn.Op0Register));
            var sum = c.Temp();
            c.EmitFlags(IrOpcode.Add, size, sum, old, source);

            // The destination is written last: it wins when both operands are one register.
            c.WriteRegister(c.Insn.Op1Register, old);
            c.WriteRegister(c.Insn.Op0Register, sum);
            return;
        }

        var address = c.MemoryOperand(size);
        if (c.Insn.HasLockPrefix)
            old = c.Call(HelperId.AtomicAdd, c.LinearAddress(address), source, c.AtomicForm(size, address));
        else
        {
            old = c.LoadForUpdate(size, address);
            c.Store(size, address, c.Emit(IrOpcode.Add, size, old, source));
        }

        c.EmitFlags(IrOpcode.Add, size, Slot.Void, old, source);
        c.WriteRegister(c.Insn.Op1Register, old);
    }

    // Memory is written in any case, with its old value when the comparison fails. rAX is written only then, so that a 32-bit success
    // keeps its upper half.
    private static void Cmpxchg(LiftContext c)
    {
        var size = c.OperandSize(0);
        var source = c.Copy(size, c.ReadRegister(c.Insn.Op1Register));
        var accumulator = c.Copy(size, Slot.Rax);
        var memory = c.IsMemory(0);
        var address = memory ? c.MemoryOperand(size) : default;
        var locked = memory && c.Insn.HasLockPrefix;
        ushort old;
        if (locked)
            old = c.Call(HelperId.AtomicCompareExchange, c.LinearAddress(address), source, c.AtomicForm(size, address));
        else
            old = memory ? c.LoadForUpdate(size, address) : c.Copy(size, c.ReadRegister(c.Insn.Op0Register));
        var equal = c.Compare(Relation.Equal, size, old, accumulator);
        if (!locked)
        {
            if (memory)
                c.Store(size, address, c.Emit(IrOpcode.Select, size, equal, source, old));
            else if (size < 4)
                c.WriteRegister(c.Insn.Op0Register, c.Emit(IrOpcode.Select, size, equal, source, old));
            else
                SelectWhole(c, Registers.Gpr(c.Insn.Op0Register), equal, source);
        }

        c.EmitFlags(IrOpcode.Sub, size, Slot.Void, accumulator, old);
        if (!memory && !Registers.IsHighByte(c.Insn.Op0Register) && Registers.Gpr(c.Insn.Op0Register) == Slot.Rax)
            return;
        if (size < 4)
            c.WriteSlot(size, Slot.Rax, old);
        else
            c.Op(IrOpcode.Select, 8, Slot.Rax, equal, Slot.Rax, old);
    }

    // A 32-bit register that is not loaded keeps its upper half.
    private static void SelectWhole(LiftContext c, ushort register, ushort condition, ushort value) =>
        c.Op(IrOpcode.Select, 8, register, condition, value, register);

    private static void Cmpxchg8b(LiftContext c) => Wide(c, HelperId.CompareExchange8B, 8);

    private static void Cmpxchg16b(LiftContext c) => Wide(c, HelperId.CompareExchange16B, 16);

    // ZF only; the other flags stay.
    private static void Wide(LiftContext c, HelperId helper, int size)
    {
        var address = c.MemoryOperand(size);
        var equal = c.Call(helper, c.LinearAddress(address), Val.Const(c.Insn.HasLockPrefix ? 1 : 0), c.AtomicForm(size, address));
        c.MergeFlags(Eflags.ZF, c.Emit(IrOpcode.Shl, 4, equal, Val.Const(6)));
    }
}
