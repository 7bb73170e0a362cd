using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Appends vector operations, with the check for unmasked SIMD floating-point exceptions where the mode asks for it.</summary>
internal static class VectorEmitter
{
    /// <summary>The cell of an XMM operand, or of a temporary that a memory operand is loaded into.</summary>
    public static ushort Source(LiftContext c, int index)
    {
        if (!c.IsMemory(index))
            return Registers.Xmm(c.Insn.GetOpRegister(index));
        var size = c.OperandSize(index);
        var t = c.VTemp();
        if (size == 2)
            return Compute(c, IrOpcode.VFromInt, VecOp.FromD, t, VSlot.Xmm0, c.Load(2, c.MemoryOperand(2)), 0);
        c.VLoad(size, t, c.MemoryOperand(size), aligned: size == 16);
        return t;
    }

    /// <summary>Appends dst = op(a, b, imm) and returns dst.</summary>
    public static ushort Compute(LiftContext c, IrOpcode opcode, VecOp op, ushort dst, ushort a, ushort b, byte imm)
    {
        c.Op(opcode, opcode == IrOpcode.VToInt ? 8 : 16, dst, a, new Val(b, imm)).Sub = (ushort)op;
        return dst;
    }

    /// <summary>As <see cref="Compute"/> into a register; an operation that raises an exception leaves it unchanged.</summary>
    public static void Assign(LiftContext c, IrOpcode opcode, VecOp op, ushort dst, ushort a, ushort b, byte imm, bool raises)
    {
        if (!raises || !BeginChecked(c))
        {
            Compute(c, opcode, op, dst, a, b, imm);
            return;
        }

        var result = Compute(c, opcode, op, c.VTemp(), a, b, imm);
        EndChecked(c, result, op, a, b);
        c.Op(IrOpcode.VMov, 16, dst, Slot.Zero, result);
    }

    /// <summary>Ends the check after an operation on cells with a vector result.</summary>
    public static void EndChecked(LiftContext c, ushort result, VecOp op, ushort a, ushort b)
    {
        var kept = Compute(c, IrOpcode.VToInt, VecOp.ToQ, c.Temp(), Slot.Zero, result, 0);
        c.Call(HelperId.EndSimdCheck, kept, Val.Const((int)op | ((byte)a << 16) | ((byte)b << 24)));
    }

    /// <summary>
    /// Starts the check when an exception is unmasked; the caller then ends it by EndSimdCheck, to which it passes the result, so that no
    /// compiler drops an operation whose result nobody needs.
    /// </summary>
    public static bool BeginChecked(LiftContext c)
    {
        if ((c.Mode & GuestMode.SseUnmasked) == 0)
            return false;
        c.Call(HelperId.BeginSimdCheck);
        return true;
    }
}
