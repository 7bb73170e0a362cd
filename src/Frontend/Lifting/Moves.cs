using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Data movement between general registers and memory, and the stack: mov movzx movsx lea xchg cmovcc setcc push pop (SDM Vol. 2).</summary>
internal static unsafe class Moves
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Mov] = &Mov;
        table[(int)Mnemonic.Movzx] = &Movzx;
        table[(int)Mnemonic.Movsx] = &Movsx;
        table[(int)Mnemonic.Movsxd] = &Movsx;
        table[(int)Mnemonic.Lea] = &Lea;
        table[(int)Mnemonic.Xchg] = &Xchg;
        table[(int)Mnemonic.Push] = &Push;
        table[(int)Mnemonic.Pop] = &Pop;
        table[(int)Mnemonic.Nop] = &Nop;
        table[(int)Mnemonic.Endbr32] = &Nop;
        table[(int)Mnemonic.Endbr64] = &Nop;
        table[(int)Mnemonic.Cbw] = &Cbw;
        table[(int)Mnemonic.Cwde] = &Cbw;
        table[(int)Mnemonic.Cdqe] = &Cbw;
        table[(int)Mnemonic.Cwd] = &Cwd;
        table[(int)Mnemonic.Cdq] = &Cwd;
        table[(int)Mnemonic.Cqo] = &Cwd;
        Mnemonic[] cmov =
        [
            Mnemonic.Cmovo, Mnemonic.Cmovno, Mnemonic.Cmovb, Mnemonic.Cmovae, Mnemonic.Cmove, Mnemonic.Cmovne, Mnemonic.Cmovbe, Mnemonic.Cmova,
            Mnemonic.Cmovs, Mnemonic.Cmovns, Mnemonic.Cmovp, Mnemonic.Cmovnp, Mnemonic.Cmovl, Mnemonic.Cmovge, Mnemonic.Cmovle, Mnemonic.Cmovg,
        ];
        Mnemonic[] set =
        [
            Mnemonic.Seto, Mnemonic.Setno, Mnemonic.Setb, Mnemonic.Setae, Mnemonic.Sete, Mnemonic.Setne, Mnemonic.Setbe, Mnemonic.Seta,
            Mnemonic.Sets, Mnemonic.Setns, Mnemonic.Setp, Mnemonic.Setnp, Mnemonic.Setl, Mnemonic.Setge, Mnemonic.Setle, Mnemonic.Setg,
        ];
        foreach (var m in cmov)
            table[(int)m] = &Cmov;
        foreach (var m in set)
            table[(int)m] = &Setcc;
    }

    /// <summary>Iced's condition code of the instruction as a <see cref="Condition"/>.</summary>
    public static Condition ConditionOf(in Instruction insn) => insn.ConditionCode switch
    {
        ConditionCode.o => Condition.O,
        ConditionCode.no => Condition.No,
        ConditionCode.b => Condition.B,
        ConditionCode.ae => Condition.Ae,
        ConditionCode.e => Condition.E,
        ConditionCode.ne => Condition.Ne,
        ConditionCode.be => Condition.Be,
        ConditionCode.a => Condition.A,
        ConditionCode.s => Condition.S,
        ConditionCode.ns => Condition.Ns,
        ConditionCode.p => Condition.P,
        ConditionCode.np => Condition.Np,
        ConditionCode.l => Condition.L,
        ConditionCode.ge => Condition.Ge,
        ConditionCode.le => Condition.Le,
        ConditionCode.g => Condition.G,
        _ => throw new InvalidOperationException($"{insn.Mnemonic} has no condition"),
    };

    private static void Mov(LiftContext c)
    {
        if (c.Insn.Op0Kind == OpKind.Register && c.Insn.Op0Register.IsSegmentRegister())
        {
            Segments.MovTo(c);
            return;
        }

        if (c.Insn.Op1Kind == OpKind.Register && c.Insn.Op1Register.IsSegmentRegister())
        {
            Segments.MovFrom(c);
            return;
        }

        if ((c.Insn.Op0Kind == OpKind.Register && !c.Insn.Op0Register.IsGPR())
            || (c.Insn.Op1Kind == OpKind.Register && !c.Insn.Op1Register.IsGPR()))
        {
            if (c.IsSystem)
                ControlRegisters.Move(c);
            else
                PrivilegedInstructions.Privileged(c);
            return;
        }

        // A 32- or 64-bit register is loaded directly.
        var size = c.OperandSize(0);
        if (c.IsMemory(1) && size >= 4)
        {
            var address = c.MemoryOperand(size);
            LiftContext.Fill(ref c.Op(IrOpcode.Load, size, Registers.Gpr(c.Insn.Op0Register), Slot.Zero, Slot.Zero), address);
            return;
        }

        c.Write(0, c.Read(1));
    }

    private static void Nop(LiftContext c)
    {
        // The memory operand of a long nop is not accessed.
    }

    private static void Movzx(LiftContext c) => Extend(c, IrOpcode.Load, IrOpcode.Mov);

    private static void Movsx(LiftContext c) => Extend(c, IrOpcode.LoadSigned, IrOpcode.SignExtend);

    private static void Extend(LiftContext c, IrOpcode load, IrOpcode extend)
    {
        var to = c.OperandSize(0);
        var from = c.OperandSize(1);
        var register = c.Insn.Op0Register;
        var dst = to >= 4 ? Registers.Gpr(register) : c.Temp();
        if (c.IsMemory(1))
        {
            var address = c.MemoryOperand(from);
            ref var op = ref c.Op(load, from, dst, Slot.Zero, Slot.Zero);
            op.Sub = (ushort)to;
            LiftContext.Fill(ref op, address);
        }
        else
        {
            var value = c.Read(1);
            c.Op(extend, from, dst, Slot.Zero, value).Sub = (ushort)to;
        }

        if (to < 4)
            c.WriteRegister(register, dst);
    }

    private static void Lea(LiftContext c)
    {
        var size = c.OperandSize(0);
        var offset = c.OffsetOperand(0, out _);
        var dst = size >= 4 ? Registers.Gpr(c.Insn.Op0Register) : c.Temp();
        LiftContext.Fill(ref c.Op(IrOpcode.Lea, size, dst, Slot.Zero, Slot.Zero), offset);
        if (size < 4)
            c.WriteRegister(c.Insn.Op0Register, dst);
    }

    // xchg with memory is locked with or without the prefix.
    private static void Xchg(LiftContext c)
    {
        var size = c.OperandSize(0);
        var memory = c.IsMemory(0) ? 0 : c.IsMemory(1) ? 1 : -1;
        if (memory >= 0)
        {
            var register = c.Insn.GetOpRegister(1 - memory);
            var address = c.MemoryOperand(size);
            var linear = c.LinearAddress(address);
            var value = c.ReadRegister(register);
            c.WriteRegister(register, c.Call(HelperId.AtomicExchange, linear, value, c.AtomicForm(size, address)));
            return;
        }

        var first = c.Copy(size, c.ReadRegister(c.Insn.Op0Register));
        var second = c.Copy(size, c.ReadRegister(c.Insn.Op1Register));
        c.WriteRegister(c.Insn.Op0Register, second);
        c.WriteRegister(c.Insn.Op1Register, first);
    }

    // A 32-bit destination is zero-extended even when the condition is false (SDM Vol. 2, CMOVcc); the source is read in any case.
    private static void Cmov(LiftContext c)
    {
        var size = c.OperandSize(0);
        var source = c.ReadSlot(1);
        var old = c.ReadSlot(0);
        var condition = c.GetCondition(ConditionOf(c.Insn));
        if (size >= 4)
        {
            c.Op(IrOpcode.Select, size, Registers.Gpr(c.Insn.Op0Register), condition, source, old);
            return;
        }

        c.WriteRegister(c.Insn.Op0Register, c.Emit(IrOpcode.Select, size, condition, source, old));
    }

    private static void Setcc(LiftContext c) => c.Write(0, c.GetCondition(ConditionOf(c.Insn)));

    private static int PushSize(LiftContext c) => Math.Abs(c.Insn.StackPointerIncrement);

    private static void Push(LiftContext c)
    {
        var size = PushSize(c);
        if (c.Insn.Op0Kind == OpKind.Register && c.Insn.Op0Register.IsSegmentRegister())
        {
            Segments.Push(c, size);
            return;
        }

        c.Push(size, c.Read(0));
    }

    private static void Pop(LiftContext c)
    {
        var size = PushSize(c);
        if (c.Insn.Op0Kind == OpKind.Register && c.Insn.Op0Register.IsSegmentRegister())
        {
            Segments.Pop(c, size);
            return;
        }

        var value = c.Load(size, c.StackAt(0, size));
        if (c.IsMemory(0))
        {
            // An address that uses rSP is computed with its value after the increment (SDM Vol. 2, POP).
            var rsp = c.Insn.MemoryBase is Iced.Intel.Register.RSP or Iced.Intel.Register.ESP;
            c.Store(size, c.MemoryOperand(size, rsp ? size : 0), value);
            c.AdjustStack(size);
            return;
        }

        c.AdjustStack(size);
        c.WriteRegister(c.Insn.Op0Register, value);
    }

    private static void Cbw(LiftContext c)
    {
        var to = c.Insn.Mnemonic switch { Mnemonic.Cbw => 2, Mnemonic.Cwde => 4, _ => 8 };
        var t = c.Temp();
        c.Op(IrOpcode.SignExtend, to / 2, t, Slot.Zero, Slot.Rax).Sub = (ushort)to;
        Widened(c, to, Slot.Rax, t);
    }

    private static void Cwd(LiftContext c)
    {
        var size = c.Insn.Mnemonic switch { Mnemonic.Cwd => 2, Mnemonic.Cdq => 4, _ => 8 };
        var t = c.Emit(IrOpcode.Sar, size, Slot.Rax, Val.Const((size * 8) - 1));
        Widened(c, size, Slot.Rdx, t);
    }

    private static void Widened(LiftContext c, int size, ushort slot, ushort value)
    {
        if (size == 2)
            c.Op(IrOpcode.Insert, 2, slot, slot, value);
        else
            c.Op(IrOpcode.Mov, size, slot, Slot.Zero, value);
    }
}
