using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Far jmp, call and ret, and iret: helpers change CS and the stack and give the new RIP (SDM Vol. 2; Vol. 3, 5.8).</summary>
internal static unsafe class FarTransfers
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Retf] = &Return;
        table[(int)Mnemonic.Iret] = &InterruptReturn;
        table[(int)Mnemonic.Iretd] = &InterruptReturn;
        table[(int)Mnemonic.Iretq] = &InterruptReturn;
    }

    /// <summary>True for far jumps and calls.</summary>
    public static bool IsFar(in Instruction insn) =>
        insn.Op0Kind is OpKind.FarBranch16 or OpKind.FarBranch32 || insn.IsJmpFarIndirect || insn.IsCallFarIndirect;

    /// <summary>jmp far.</summary>
    public static void Jump(LiftContext c)
    {
        Target(c, out var selector, out var offset, out _);
        c.JumpIndirect(c.Call(HelperId.FarJump, selector, offset, Next(c)), JumpKind.Far);
    }

    /// <summary>call far.</summary>
    public static void Call(LiftContext c)
    {
        Target(c, out var selector, out var offset, out var size);
        var packed = c.Emit(IrOpcode.Or, 4, selector, Val.Const(size << 16));
        c.JumpIndirect(c.Call(HelperId.FarCall, packed, offset, Next(c)), JumpKind.Far);
    }

    private static void Return(LiftContext c)
    {
        var size = c.Insn.Code switch
        {
            Code.Retfw or Code.Retfw_imm16 => 2,
            Code.Retfd or Code.Retfd_imm16 => 4,
            _ => 8,
        };
        var drop = c.Insn.OpCount == 1 ? c.Insn.Immediate16 : 0;
        c.JumpIndirect(c.Call(HelperId.FarReturn, c.Copy(4, Val.Const(size)), Val.Const(drop)), JumpKind.Far);
    }

    private static void InterruptReturn(LiftContext c)
    {
        var size = c.Insn.Mnemonic switch { Mnemonic.Iret => 2, Mnemonic.Iretd => 4, _ => 8 };
        c.JumpIndirect(c.Call(HelperId.InterruptReturn, c.Copy(4, Val.Const(size)), Val.Const((long)c.NextRip)), JumpKind.Far);
    }

    // What a task that is left goes on at.
    private static ushort Next(LiftContext c) => c.Copy(8, Val.Const((long)c.NextRip));

    private static void Target(LiftContext c, out ushort selector, out ushort offset, out int size)
    {
        if (c.Insn.Op0Kind is OpKind.FarBranch16 or OpKind.FarBranch32)
        {
            size = c.Insn.Op0Kind == OpKind.FarBranch16 ? 2 : 4;
            selector = c.Copy(4, Val.Const(c.Insn.FarBranchSelector));
            offset = c.Copy(4, Val.Const(size == 2 ? c.Insn.FarBranch16 : c.Insn.FarBranch32));
            return;
        }

        size = c.Insn.MemorySize switch { MemorySize.SegPtr16 => 2, MemorySize.SegPtr32 => 4, _ => 8 };
        offset = c.Load(size, c.MemoryOperand(size));
        selector = c.Load(2, c.MemoryOperand(2, size));
    }
}
