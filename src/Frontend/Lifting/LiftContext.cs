using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>
/// What an instruction's lifting method works with: the decoded instruction, and the means to append IR. One object serves all blocks of
/// a lifter. The rule every method keeps: ops that can fault come first, ops that change guest-visible state last.
/// </summary>
public sealed unsafe partial class LiftContext
{
    private ushort _nextTemp;
    private ushort _nextVectorTemp;
    private readonly InstructionInfoFactory _information = new();
    private Instruction _insn;

    /// <summary>The block being filled.</summary>
    public IrBlock Block { get; private set; } = new();

    /// <summary>The instruction being lifted.</summary>
    public ref readonly Instruction Insn => ref _insn;

    /// <summary>The mode of the code.</summary>
    public GuestMode Mode { get; private set; }

    /// <summary>16, 32 or 64.</summary>
    public int Bitness { get; private set; }

    /// <summary>True in 64-bit code.</summary>
    public bool Is64 => Bitness == 64;

    /// <summary>True when ES, CS, SS and DS need no base and no limit check.</summary>
    public bool IsFlat { get; private set; }

    /// <summary>Set when the instruction has ended the block.</summary>
    public bool Ended { get; private set; }

    /// <summary>The bytes of the instruction (<see cref="Instruction.Length"/> of them), valid while it is lifted.</summary>
    internal byte* Bytes { get; private set; }

    /// <summary>RIP after the instruction.</summary>
    public ulong NextRip => _insn.NextIP;

    internal void BeginBlock(IrBlock block, GuestMode mode)
    {
        Block = block;
        Mode = mode;
        Bitness = mode.Bitness();
        IsFlat = (mode & GuestMode.Flat) != 0;
        Ended = false;
    }

    internal void BeginInstruction(in Instruction insn, byte* bytes)
    {
        _insn = insn;
        Bytes = bytes;
        _nextTemp = Slot.Temp0;
        _nextVectorTemp = VSlot.Temp0;
    }

    /// <summary>A fresh integer temporary.</summary>
    public ushort Temp() => _nextTemp < Slot.Temp0 + Slot.TempCount
        ? _nextTemp++
        : throw new InvalidOperationException($"{_insn.Mnemonic} uses too many temporaries");

    /// <summary>A fresh vector temporary.</summary>
    public ushort VTemp() => _nextVectorTemp < VSlot.Temp0 + VSlot.TempCount
        ? _nextVectorTemp++
        : throw new InvalidOperationException($"{_insn.Mnemonic} uses too many vector temporaries");

    /// <summary>Appends dst = op(a, b, c) at <paramref name="size"/> bytes; the result may be given attributes until the next append.</summary>
    public ref IrOp Op(IrOpcode opcode, int size, ushort dst, ushort a, Val b, ushort c = Slot.Zero)
    {
        ref var op = ref Block.Append();
        op.Op = opcode;
        op.Size = (byte)size;
        op.Insn = (ushort)Block.InstructionCount;
        op.Dst = dst;
        op.A = a;
        op.B = b.Slot;
        op.Imm = b.Imm;
        op.C = c;
        return ref op;
    }

    /// <summary>Appends t = op(a, b, c) into a fresh temporary.</summary>
    public ushort Emit(IrOpcode opcode, int size, ushort a, Val b, ushort c = Slot.Zero)
    {
        var t = Temp();
        Op(opcode, size, t, a, b, c);
        return t;
    }

    /// <summary>As <see cref="Op(IrOpcode, int, ushort, ushort, Val, ushort)"/>, and the op records flags.</summary>
    public void EmitFlags(IrOpcode opcode, int size, ushort dst, ushort a, Val b, ushort c = Slot.Zero) =>
        Op(opcode, size, dst, a, b, c).Attr |= IrAttr.SetFlags;

    /// <summary>t = value (a slot that later ops may not see change, or a constant as slot).</summary>
    public ushort Copy(int size, Val value) => Emit(IrOpcode.Mov, size, Slot.Zero, value);

    /// <summary>The value as a slot: itself, or a temporary holding the constant.</summary>
    public ushort ToSlot(int size, Val value) => value.Imm == 0 ? value.Slot : Copy(size, value);

    /// <summary>t = 1 when the relation holds, else 0.</summary>
    public ushort Compare(Relation relation, int size, ushort a, Val b)
    {
        var t = Temp();
        Op(IrOpcode.Compare, size, t, a, b).Sub = (ushort)relation;
        return t;
    }

    /// <summary>t = 1 when the condition holds in the flags record, else 0.</summary>
    public ushort GetCondition(Condition condition)
    {
        var t = Temp();
        Op(IrOpcode.GetCondition, 8, t, Slot.Zero, Slot.Zero).Sub = (ushort)condition;
        return t;
    }

    /// <summary>Writes the flags record; see <see cref="IrOpcode.SetFlags"/>.</summary>
    public void SetFlags(FlagsKind kind, int size, ushort res, Val src, ushort aux = Slot.Zero) =>
        Op(IrOpcode.SetFlags, size, Slot.Void, res, src, aux).Sub = (ushort)kind;

    /// <summary>Replaces the status flags in <paramref name="mask"/> by those bits of <paramref name="bits"/>, the others stay.</summary>
    public void MergeFlags(uint mask, Val bits)
    {
        if ((mask & Eflags.Status) == Eflags.Status)
        {
            SetFlags(FlagsKind.Explicit, 4, Slot.Zero, bits);
            return;
        }

        var old = Temp();
        Op(IrOpcode.GetFlags, 4, old, Slot.Zero, Slot.Zero);
        var kept = Emit(IrOpcode.And, 4, old, Val.Const(Eflags.Status & ~mask));
        var merged = bits.IsConst
            ? Emit(IrOpcode.Or, 4, kept, Val.Const(bits.Imm & mask))
            : Emit(IrOpcode.Or, 4, kept, Emit(IrOpcode.And, 4, ToSlot(4, bits), Val.Const(mask)));
        SetFlags(FlagsKind.Explicit, 4, Slot.Zero, merged);
    }

    /// <summary>t = helper(a, b, c). The helper may raise an exception: nothing guest-visible may have changed before.</summary>
    public ushort Call(HelperId helper, ushort a = Slot.Zero, Val? b = null, ushort c = Slot.Zero)
    {
        var t = Temp();
        Op(IrOpcode.Call, 8, t, a, b ?? Val.Const(0), c).Sub = (ushort)helper;
        return t;
    }

    /// <summary>A helper called for its effect only; its result is dropped.</summary>
    public ref IrOp CallVoid(HelperId helper, ushort a = Slot.Zero, Val? b = null, ushort c = Slot.Zero)
    {
        ref var op = ref Op(IrOpcode.Call, 8, Slot.Void, a, b ?? Val.Const(0), c);
        op.Sub = (ushort)helper;
        return ref op;
    }

    /// <summary>Raises an exception at this instruction and ends the block.</summary>
    public void Raise(int vector, Val? error = null)
    {
        var code = error is { } value ? ToSlot(4, value) : Slot.Zero;
        Op(IrOpcode.Raise, 4, Slot.Void, code, Slot.Zero).Sub = (ushort)vector;
        Ended = true;
    }

    /// <summary>Leaves to the host with RIP after this instruction, and ends the block.</summary>
    public void Exit(ExitCause cause, long detail = 0)
    {
        ref var op = ref Op(IrOpcode.Exit, 8, Slot.Void, Slot.Zero, Slot.Zero);
        op.Sub = (ushort)cause;
        op.Imm = detail;
        Ended = true;
    }

    /// <summary>Ends the block with a direct jump.</summary>
    public void Jump(ulong target)
    {
        Op(IrOpcode.Jump, 8, Slot.Void, Slot.Zero, Slot.Zero);
        Block.Taken = target;
        Ended = true;
    }

    /// <summary>Ends the block with a jump taken when the condition holds.</summary>
    public void JumpCondition(Condition condition, ulong target)
    {
        Op(IrOpcode.JumpCondition, 8, Slot.Void, Slot.Zero, Slot.Zero).Sub = (ushort)condition;
        Block.Taken = target;
        Ended = true;
    }

    /// <summary>Ends the block with a jump taken when <paramref name="value"/> is not 0.</summary>
    public void JumpIf(ushort value, ulong target)
    {
        Op(IrOpcode.JumpIf, 8, Slot.Void, value, Slot.Zero);
        Block.Taken = target;
        Ended = true;
    }

    /// <summary>Ends the block with a jump to the address in a slot (an offset in the code segment, truncated by the caller).</summary>
    public void JumpIndirect(ushort target, JumpKind kind)
    {
        Op(IrOpcode.JumpIndirect, 8, Slot.Void, target, Slot.Zero).Sub = (ushort)kind;
        Ended = true;
    }
}
