using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Two-operand integer arithmetic and logic: add or adc sbb and sub xor cmp, inc dec neg not, test (SDM Vol. 2).</summary>
internal static unsafe class Arithmetic
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Add] = &Add;
        table[(int)Mnemonic.Or] = &Or;
        table[(int)Mnemonic.Adc] = &Adc;
        table[(int)Mnemonic.Sbb] = &Sbb;
        table[(int)Mnemonic.And] = &And;
        table[(int)Mnemonic.Sub] = &Sub;
        table[(int)Mnemonic.Xor] = &Xor;
        table[(int)Mnemonic.Cmp] = &Cmp;
        table[(int)Mnemonic.Test] = &Test;
        table[(int)Mnemonic.Inc] = &Inc;
        table[(int)Mnemonic.Dec] = &Dec;
        table[(int)Mnemonic.Neg] = &Neg;
        table[(int)Mnemonic.Not] = &Not;
    }

    private static void Add(LiftContext c) => Binary(c, IrOpcode.Add, HelperId.AtomicAdd);

    private static void Or(LiftContext c) => Binary(c, IrOpcode.Or, HelperId.AtomicOr);

    private static void And(LiftContext c) => Binary(c, IrOpcode.And, HelperId.AtomicAnd);

    private static void Sub(LiftContext c) => Binary(c, IrOpcode.Sub, HelperId.AtomicSub);

    private static void Adc(LiftContext c) => Binary(c, IrOpcode.Adc, HelperId.AtomicAdc, c.GetCondition(Condition.B));

    private static void Sbb(LiftContext c) => Binary(c, IrOpcode.Sbb, HelperId.AtomicSbb, c.GetCondition(Condition.B));

    private static void Xor(LiftContext c)
    {
        // xor r, r is the idiom for zero: the result does not depend on the register.
        if (!c.IsMemory(0) && !c.IsMemory(1) && c.Insn.Op1Kind == OpKind.Register && c.Insn.Op0Register == c.Insn.Op1Register)
        {
            var size = c.OperandSize(0);
            c.WriteRegister(c.Insn.Op0Register, Val.Const(0));
            c.EmitFlags(IrOpcode.Xor, size, Slot.Void, Slot.Zero, Slot.Zero);
            return;
        }

        Binary(c, IrOpcode.Xor, HelperId.AtomicXor);
    }

    private static void Cmp(LiftContext c)
    {
        var left = c.ReadSlot(0);
        c.EmitFlags(IrOpcode.Sub, c.OperandSize(0), Slot.Void, left, c.Read(1));
    }

    private static void Test(LiftContext c)
    {
        var left = c.ReadSlot(0);
        c.EmitFlags(IrOpcode.And, c.OperandSize(0), Slot.Void, left, c.Read(1));
    }

    private static void Inc(LiftContext c) => Unary(c, IrOpcode.Inc, HelperId.AtomicAdd, 1);

    private static void Dec(LiftContext c) => Unary(c, IrOpcode.Dec, HelperId.AtomicAdd, -1);

    private static void Binary(LiftContext c, IrOpcode op, HelperId atomic, ushort carry = Slot.Zero)
    {
        var size = c.OperandSize(0);
        if (!c.IsMemory(0))
        {
            var left = c.ReadSlot(0);
            var right = c.Read(1);
            WriteResult(c, op, size, left, right, carry);
            return;
        }

        var value = c.Read(1);
        var address = c.MemoryOperand(size);
        ushort old;
        if (c.Insn.HasLockPrefix)
            old = LockedRead(c, atomic, size, address, value, carry);
        else
        {
            old = c.LoadForUpdate(size, address);
            c.Store(size, address, c.Emit(op, size, old, value, carry));
        }

        // The flags are recorded only after the store could no longer fault.
        c.EmitFlags(op, size, Slot.Void, old, value, carry);
    }

    // The helper performs the whole read-modify-write and returns the old value.
    private static ushort LockedRead(LiftContext c, HelperId atomic, int size, in Address address, Val value, ushort carry)
    {
        var linear = c.LinearAddress(address);
        return c.Call(atomic, linear, value, c.AtomicForm(size, address, carry));
    }

    private static void Unary(LiftContext c, IrOpcode op, HelperId atomic, int delta)
    {
        var size = c.OperandSize(0);
        if (!c.IsMemory(0))
        {
            WriteResult(c, op, size, c.ReadSlot(0), Slot.Zero, Slot.Zero);
            return;
        }

        var address = c.MemoryOperand(size);
        ushort old;
        if (c.Insn.HasLockPrefix)
            old = LockedRead(c, atomic, size, address, Val.Const(delta), Slot.Zero);
        else
        {
            old = c.LoadForUpdate(size, address);
            c.Store(size, address, c.Emit(op, size, old, Slot.Zero));
        }

        c.EmitFlags(op, size, Slot.Void, old, Slot.Zero);
    }

    // A 32- or 64-bit register is written by the operation itself, a narrower one through a temporary.
    private static void WriteResult(LiftContext c, IrOpcode op, int size, ushort left, Val right, ushort carry)
    {
        var register = c.Insn.Op0Register;
        if (size >= 4)
        {
            c.EmitFlags(op, size, Registers.Gpr(register), left, right, carry);
            return;
        }

        var t = c.Temp();
        c.EmitFlags(op, size, t, left, right, carry);
        c.WriteRegister(register, t);
    }

    private static void Neg(LiftContext c)
    {
        var size = c.OperandSize(0);
        if (!c.IsMemory(0))
        {
            WriteResult(c, IrOpcode.Neg, size, Slot.Zero, c.ReadSlot(0), Slot.Zero);
            return;
        }

        var address = c.MemoryOperand(size);
        ushort old;
        if (c.Insn.HasLockPrefix)
            old = LockedRead(c, HelperId.AtomicNeg, size, address, Slot.Zero, Slot.Zero);
        else
        {
            old = c.LoadForUpdate(size, address);
            c.Store(size, address, c.Emit(IrOpcode.Neg, size, Slot.Zero, old));
        }

        c.EmitFlags(IrOpcode.Neg, size, Slot.Void, Slot.Zero, old);
    }

    private static void Not(LiftContext c)
    {
        var size = c.OperandSize(0);
        if (!c.IsMemory(0))
        {
            c.WriteRegister(c.Insn.Op0Register, c.Emit(IrOpcode.Not, size, Slot.Zero, c.ReadSlot(0)));
            return;
        }

        var address = c.MemoryOperand(size);
        if (c.Insn.HasLockPrefix)
            LockedRead(c, HelperId.AtomicXor, size, address, Val.Const(-1), Slot.Zero);
        else
            c.Store(size, address, c.Emit(IrOpcode.Not, size, Slot.Zero, c.LoadForUpdate(size, address)));
    }
}
