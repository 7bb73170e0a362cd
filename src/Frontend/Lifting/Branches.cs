using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Near jumps, calls, returns and loops (SDM Vol. 2, Jcc, JMP, CALL, RET, LOOPcc).</summary>
internal static unsafe class Branches
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        Mnemonic[] conditional =
        [
            Mnemonic.Jo, Mnemonic.Jno, Mnemonic.Jb, Mnemonic.Jae, Mnemonic.Je, Mnemonic.Jne, Mnemonic.Jbe, Mnemonic.Ja,
            Mnemonic.Js, Mnemonic.Jns, Mnemonic.Jp, Mnemonic.Jnp, Mnemonic.Jl, Mnemonic.Jge, Mnemonic.Jle, Mnemonic.Jg,
        ];
        foreach (var m in conditional)
            table[(int)m] = &Jcc;
        table[(int)Mnemonic.Jmp] = &Jmp;
        table[(int)Mnemonic.Call] = &Call;
        table[(int)Mnemonic.Ret] = &Ret;
        table[(int)Mnemonic.Loop] = &Loop;
        table[(int)Mnemonic.Loope] = &Loop;
        table[(int)Mnemonic.Loopne] = &Loop;
        table[(int)Mnemonic.Jcxz] = &Jcxz;
        table[(int)Mnemonic.Jecxz] = &Jcxz;
        table[(int)Mnemonic.Jrcxz] = &Jcxz;
    }

    private static void Jcc(LiftContext c)
    {
        var target = c.Insn.NearBranchTarget;
        var condition = Moves.ConditionOf(c.Insn);
        if (MayLeaveSegment(c, target))
            CheckTaken(c, c.GetCondition(condition), target);
        c.JumpCondition(condition, target);
    }

    private static void Jmp(LiftContext c)
    {
        if (FarTransfers.IsFar(c.Insn))
        {
            FarTransfers.Jump(c);
            return;
        }

        if (IsDirect(c.Insn))
        {
            CheckDirect(c, c.Insn.NearBranchTarget);
            c.Jump(c.Insn.NearBranchTarget);
            return;
        }

        var slot = Target(c);
        CheckTarget(c, slot);
        c.JumpIndirect(slot, JumpKind.Jump);
    }

    private static void Call(LiftContext c)
    {
        if (FarTransfers.IsFar(c.Insn))
        {
            FarTransfers.Call(c);
            return;
        }

        var size = -c.Insn.StackPointerIncrement;
        var next = Val.Const((long)c.NextRip);
        c.Block.EndsWithCall = true;
        if (IsDirect(c.Insn))
        {
            CheckDirect(c, c.Insn.NearBranchTarget);
            c.Push(size, next);
            c.Jump(c.Insn.NearBranchTarget);
            return;
        }

        var target = Target(c);
        if (Slot.IsGpr(target))
            target = c.Copy(8, target);

        // The return address has been written when the target is found to be bad; the stack pointer has not moved.
        c.Store(size, c.StackAt(-size, size), next);
        CheckTarget(c, target);
        c.AdjustStack(-size);
        c.JumpIndirect(target, JumpKind.Call);
    }

    // ret imm16 drops that many bytes after the return address.
    private static void Ret(LiftContext c)
    {
        var size = c.Insn.Code is Code.Retnw or Code.Retnw_imm16 ? 2 : c.Insn.Code is Code.Retnd or Code.Retnd_imm16 ? 4 : 8;
        var target = c.Load(size, c.StackAt(0, size));
        CheckTarget(c, target);
        c.AdjustStack(size + (c.Insn.OpCount == 1 ? c.Insn.Immediate16 : 0));
        c.JumpIndirect(target, JumpKind.Return);
    }

    private static void Loop(LiftContext c)
    {
        var target = c.Insn.NearBranchTarget;
        var size = CounterSize(c.Insn.Code);
        var left = c.Emit(IrOpcode.Sub, size, Slot.Rcx, Val.Const(1));
        var taken = c.Compare(Relation.NotEqual, size, left, Val.Const(0));
        if (c.Insn.Mnemonic != Mnemonic.Loop)
            taken = c.Emit(IrOpcode.And, 4, taken, c.GetCondition(c.Insn.Mnemonic == Mnemonic.Loope ? Condition.E : Condition.Ne));
        if (MayLeaveSegment(c, target))
            CheckTaken(c, taken, target);
        c.WriteRegister(CounterRegister(size), left);
        c.JumpIf(taken, target);
    }

    private static void Jcxz(LiftContext c)
    {
        var target = c.Insn.NearBranchTarget;
        var size = c.Insn.Mnemonic switch { Mnemonic.Jcxz => 2, Mnemonic.Jecxz => 4, _ => 8 };
        var taken = c.Compare(Relation.Equal, size, Slot.Rcx, Val.Const(0));
        if (MayLeaveSegment(c, target))
            CheckTaken(c, taken, target);
        c.JumpIf(taken, target);
    }

    private static bool IsDirect(in Instruction insn) =>
        insn.Op0Kind is OpKind.NearBranch16 or OpKind.NearBranch32 or OpKind.NearBranch64;

    // The target of an indirect near branch, zero-extended from the operand size.
    private static ushort Target(LiftContext c)
    {
        var size = c.OperandSize(0);
        var value = c.ReadSlot(0);
        return size == 8 || Slot.IsTemp(value) ? value : c.Copy(size, value);
    }

    // A target outside the code segment's limit, in 64-bit code one that is not canonical, faults at the branch itself.
    private static void CheckTarget(LiftContext c, Val target)
    {
        if (c.IsFlat && !c.Is64)
            return;
        var slot = c.ToSlot(8, target);
        c.Op(IrOpcode.CheckLimit, 4, Slot.Void, slot, Val.Const(1 | SegmentAccess.Execute)).Seg = (byte)Slot.CsBase;
    }

    private static void CheckDirect(LiftContext c, ulong target)
    {
        if (MayLeaveSegment(c, target))
            CheckTarget(c, Val.Const((long)target));
    }

    // In real mode the limit of CS is 64 KiB.
    private static bool MayLeaveSegment(LiftContext c, ulong target) => !c.IsFlat && (!c.IsReal || target > 0xFFFF);

    // A conditional branch faults only when it is taken: else offset 0 is checked, which is inside any segment.
    private static void CheckTaken(LiftContext c, ushort taken, ulong target) =>
        CheckTarget(c, c.Emit(IrOpcode.Select, 4, taken, c.Copy(4, Val.Const((long)target)), Slot.Zero));

    private static int CounterSize(Code code) => code switch
    {
        Code.Loop_rel8_16_CX or Code.Loop_rel8_32_CX or Code.Loope_rel8_16_CX or Code.Loope_rel8_32_CX
            or Code.Loopne_rel8_16_CX or Code.Loopne_rel8_32_CX => 2,
        Code.Loop_rel8_64_RCX or Code.Loop_rel8_16_RCX or Code.Loope_rel8_64_RCX or Code.Loope_rel8_16_RCX
            or Code.Loopne_rel8_64_RCX or Code.Loopne_rel8_16_RCX => 8,
        _ => 4,
    };

    private static Register CounterRegister(int size) => size switch
    {
        2 => Iced.Intel.Register.CX,
        4 => Iced.Intel.Register.ECX,
        _ => Iced.Intel.Register.RCX,
    };
}
