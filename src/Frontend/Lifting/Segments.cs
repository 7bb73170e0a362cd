using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>Segment registers: mov, push, pop, lds les lfs lgs lss, the FS and GS bases, and the instructions that ask about selectors.</summary>
internal static unsafe class Segments
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Lds] = &LoadFarPointer;
        table[(int)Mnemonic.Les] = &LoadFarPointer;
        table[(int)Mnemonic.Lfs] = &LoadFarPointer;
        table[(int)Mnemonic.Lgs] = &LoadFarPointer;
        table[(int)Mnemonic.Lss] = &LoadFarPointer;
        table[(int)Mnemonic.Rdfsbase] = &ReadBase;
        table[(int)Mnemonic.Rdgsbase] = &ReadBase;
        table[(int)Mnemonic.Wrfsbase] = &WriteBase;
        table[(int)Mnemonic.Wrgsbase] = &WriteBase;
        table[(int)Mnemonic.Arpl] = &Arpl;
        table[(int)Mnemonic.Lar] = &Lar;
        table[(int)Mnemonic.Lsl] = &Lsl;
        table[(int)Mnemonic.Verr] = &Verify;
        table[(int)Mnemonic.Verw] = &Verify;
    }

    /// <summary>Index of a segment register in encoding order.</summary>
    public static int Index(Register register) => register - Iced.Intel.Register.ES;

    /// <summary>t = selector of a segment register.</summary>
    public static ushort Selector(LiftContext c, Register register) => c.Call(HelperId.ReadSelector, c.Copy(4, Val.Const(Index(register))));

    /// <summary>mov sreg, r/m16.</summary>
    public static void MovTo(LiftContext c)
    {
        var selector = c.IsMemory(1) ? c.Load(2, c.MemoryOperand(2)) : c.Copy(2, c.ReadRegister(c.Insn.Op1Register));
        Load(c, c.Insn.Op0Register, selector);
        EndBlock(c);
    }

    /// <summary>mov r/m, sreg: memory is always 16 bits, a register is zero-extended.</summary>
    public static void MovFrom(LiftContext c)
    {
        var selector = Selector(c, c.Insn.Op1Register);
        if (c.IsMemory(0))
            c.Store(2, c.MemoryOperand(2), selector);
        else
            c.WriteRegister(c.Insn.Op0Register, selector);
    }

    /// <summary>push sreg: a wider slot keeps its upper bytes, as current processors do it (SDM Vol. 2, PUSH).</summary>
    public static void Push(LiftContext c, int size)
    {
        var selector = Selector(c, c.Insn.Op0Register);
        c.Store(2, c.StackAt(-size, 2), selector);
        c.AdjustStack(-size);
    }

    /// <summary>pop sreg.</summary>
    public static void Pop(LiftContext c, int size)
    {
        var selector = c.Load(2, c.StackAt(0, 2));
        Load(c, c.Insn.Op0Register, selector);
        c.AdjustStack(size);
        EndBlock(c);
    }

    private static void Load(LiftContext c, Register register, ushort selector) =>
        c.CallVoid(HelperId.LoadSegment, c.Copy(4, Val.Const(Index(register))), selector);

    private static void LoadFarPointer(LiftContext c)
    {
        var register = c.Insn.Op0Register;
        var size = register.GetSize();
        var offset = c.Load(size, c.MemoryOperand(size));
        var selector = c.Load(2, c.MemoryOperand(2, size));
        Load(c, c.Insn.Mnemonic switch
        {
            Mnemonic.Lds => Iced.Intel.Register.DS,
            Mnemonic.Les => Iced.Intel.Register.ES,
            Mnemonic.Lfs => Iced.Intel.Register.FS,
            Mnemonic.Lgs => Iced.Intel.Register.GS,
            _ => Iced.Intel.Register.SS,
        }, selector);
        c.WriteRegister(register, offset);
        EndBlock(c);
    }

    // In 16- and 32-bit protected mode the mode follows from all segment registers.
    private static void EndBlock(LiftContext c)
    {
        if (!c.IsReal && !c.Is64)
            c.JumpIndirect(c.Copy(8, Val.Const((long)c.NextRip)), JumpKind.Far);
    }

    /// <summary>rdfsbase and rdgsbase where they are allowed.</summary>
    public static void ReadBase(LiftContext c) =>
        c.WriteRegister(c.Insn.Op0Register, c.Insn.Mnemonic == Mnemonic.Rdfsbase ? Slot.FsBase : Slot.GsBase);

    /// <summary>wrfsbase and wrgsbase where they are allowed.</summary>
    public static void WriteBase(LiftContext c)
    {
        var index = Index(c.Insn.Mnemonic == Mnemonic.Wrfsbase ? Iced.Intel.Register.FS : Iced.Intel.Register.GS);
        var value = c.Copy(c.OperandSize(0), c.ReadRegister(c.Insn.Op0Register));
        c.CallVoid(HelperId.WriteBase, c.Copy(4, Val.Const(index)), value);
    }

    // Raises the destination's RPL to the source's; ZF tells whether it did.
    private static void Arpl(LiftContext c)
    {
        if (RealModeHasNone(c))
            return;
        var source = c.Emit(IrOpcode.And, 2, c.ReadSlot(1), Val.Const(3));
        var memory = c.IsMemory(0);
        var address = memory ? c.MemoryOperand(2) : default;
        var old = memory ? c.Load(2, address) : c.Copy(2, c.ReadRegister(c.Insn.Op0Register));
        var lower = c.Compare(Relation.BelowU, 2, c.Emit(IrOpcode.And, 2, old, Val.Const(3)), source);
        var raised = c.Emit(IrOpcode.Or, 2, c.Emit(IrOpcode.And, 2, old, Val.Const(0xFFFC)), source);
        var result = c.Emit(IrOpcode.Select, 2, lower, raised, old);
        if (memory)
            c.CallVoid(HelperId.StoreSelector, c.LinearAddress(address), result, lower);
        c.MergeFlags(Eflags.ZF, c.Emit(IrOpcode.Shl, 4, lower, Val.Const(6)));
        if (!memory)
            c.WriteSlot(2, Registers.Gpr(c.Insn.Op0Register), result);
    }

    private static void Lar(LiftContext c) => Ask(c, HelperId.AccessRights);

    private static void Lsl(LiftContext c) => Ask(c, HelperId.SegmentLimit);

    // The register is written only when the selector is accessible, which ZF tells.
    private static void Ask(LiftContext c, HelperId helper)
    {
        if (RealModeHasNone(c))
            return;
        var size = c.OperandSize(0);
        var answer = c.Call(helper, SelectorOperand(c, 1));
        var found = c.Emit(IrOpcode.Shr, 8, answer, Val.Const(32));
        var register = Registers.Gpr(c.Insn.Op0Register);
        if (size == 2)
            c.WriteSlot(2, register, c.Emit(IrOpcode.Select, 2, found, answer, register));
        else
            c.Op(IrOpcode.Select, 8, register, found, c.Copy(4, answer), register);
        c.MergeFlags(Eflags.ZF, c.Emit(IrOpcode.Shl, 4, found, Val.Const(6)));
    }

    private static void Verify(LiftContext c)
    {
        if (RealModeHasNone(c))
            return;
        var found = c.Call(HelperId.VerifySegment, SelectorOperand(c, 0), Val.Const(c.Insn.Mnemonic == Mnemonic.Verw ? 1 : 0));
        c.MergeFlags(Eflags.ZF, c.Emit(IrOpcode.Shl, 4, found, Val.Const(6)));
    }

    private static ushort SelectorOperand(LiftContext c, int index) =>
        c.IsMemory(index) ? c.Load(2, c.MemoryOperand(2)) : c.Copy(2, c.ReadRegister(c.Insn.GetOpRegister(index)));

    private static bool RealModeHasNone(LiftContext c)
    {
        if (c.IsReal)
            c.Raise(ExceptionVector.InvalidOpcode);
        return c.IsReal;
    }
}
