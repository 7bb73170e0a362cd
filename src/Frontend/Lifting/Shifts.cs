using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Shifts and rotates by a constant or by CL: shl sal shr sar rol ror (SDM Vol. 2, SAL/SAR/SHL/SHR and RCL/RCR/ROL/ROR).</summary>
internal static unsafe class Shifts
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Shl] = &Shl;
        table[(int)Mnemonic.Sal] = &Shl;
        table[(int)Mnemonic.Shr] = &Shr;
        table[(int)Mnemonic.Sar] = &Sar;
        table[(int)Mnemonic.Rol] = &Rol;
        table[(int)Mnemonic.Ror] = &Ror;
    }

    private static void Shl(LiftContext c) => Shift(c, IrOpcode.Shl);

    private static void Shr(LiftContext c) => Shift(c, IrOpcode.Shr);

    private static void Sar(LiftContext c) => Shift(c, IrOpcode.Sar);

    private static void Shift(LiftContext c, IrOpcode op)
    {
        var size = c.OperandSize(0);
        var count = c.Read(1);
        if (c.IsMemory(0))
        {
            var address = c.MemoryOperand(size);
            var old = c.LoadForUpdate(size, address);
            c.Store(size, address, c.Emit(op, size, old, count));
            c.EmitFlags(op, size, Slot.Void, old, count);
            return;
        }

        var register = c.Insn.Op0Register;
        var left = c.ReadRegister(register);
        if (size >= 4)
        {
            c.EmitFlags(op, size, left, left, count);
            return;
        }

        var t = c.Temp();
        c.EmitFlags(op, size, t, left, count);
        c.WriteRegister(register, t);
    }

    private static void Rol(LiftContext c) => Rotate(c, IrOpcode.Rol);

    private static void Ror(LiftContext c) => Rotate(c, IrOpcode.Ror);

    // CF and OF change unless the count masked to 5 (6) bits is 0.
    private static void Rotate(LiftContext c, IrOpcode op)
    {
        var size = c.OperandSize(0);
        var memory = c.IsMemory(0);
        var count = c.Read(1);
        var masked = count.IsConst ? Val.Const(count.Imm & (size == 8 ? 63 : 31)) : c.Emit(IrOpcode.And, 1, c.ToSlot(1, count), Val.Const(size == 8 ? 63 : 31));
        var address = memory ? c.MemoryOperand(size) : default;
        var old = memory ? c.LoadForUpdate(size, address) : c.ReadRegister(c.Insn.Op0Register);
        if (masked is { IsConst: true, Imm: 0 })
        {
            if (memory)
                c.Store(size, address, old);
            else if (size == 4)
                c.WriteRegister(c.Insn.Op0Register, old);
            return;
        }

        var result = !memory && size >= 4 ? old : c.Temp();
        c.Op(op, size, result, old, masked);
        if (memory)
            c.Store(size, address, result);
        c.Op(IrOpcode.RotateFlags, size, Slot.Void, result, masked).Sub = (ushort)(op == IrOpcode.Rol ? 0 : 1);
        if (!memory && size < 4)
            c.WriteRegister(c.Insn.Op0Register, result);
    }
}
