using System.Numerics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// Encodes the IR ops of a block as <see cref="ThreadedOp"/>s: some sequences as one, and what no handler is there for, or does not fit, as a reference
/// to the IR ops. Work space of one vCPU.
/// </summary>
/// <param name="table">The handlers.</param>
internal sealed unsafe class ThreadedEncoder(HandlerTable table)
{
    private ThreadedOp[] _ops = new ThreadedOp[64];
    private int _count;
    private ulong _start;
    private ulong _next;
    private bool _is64;

    /// <summary>The handlers.</summary>
    public HandlerTable Table { get; } = table;

    /// <summary>Encodes a block whose ops have their dispatch codes. The result is valid until the next call.</summary>
    public ReadOnlySpan<ThreadedOp> Encode(IrBlock block)
    {
        _count = 0;
        _start = block.Start;
        _next = block.Next;
        _is64 = block.Mode.Is64();
        fixed (IrOp* ops = block.Ops)
        {
            var wide = -1;
            for (var i = 0; i < block.Count;)
            {
                var length = TryEncode(ops + i, block.Count - i, i, out var op);
                if (length != 0)
                {
                    Add(op);
                    i += length;
                    wide = -1;
                    continue;
                }

                // IR ops without handlers that follow one another are executed together.
                if (wide < 0)
                {
                    wide = _count;
                    Add(new ThreadedOp { Code = Table.CodeOf(HandlerKind.Wide) });
                }

                _ops[wide].Imm++;
                i++;
            }
        }

        return _ops.AsSpan(0, _count);
    }

    /// <summary>Which IR ops of its block an op stands for.</summary>
    public static (int First, int Count) IrOpsOf(HandlerTable table, ThreadedBlock* block, ThreadedOp* op)
    {
        var first = 0;
        for (var at = ThreadedBlock.Ops(block); at < op; at++)
            first += CountOf(table, at);
        return (first, CountOf(table, op));
    }

    private static int CountOf(HandlerTable table, ThreadedOp* op) => table.IrOps[op->Code] is var count and not 0 ? count : op->Imm;

    private void Add(in ThreadedOp op)
    {
        if (_count == _ops.Length)
            Array.Resize(ref _ops, _count * 2);
        _ops[_count++] = op;
    }

    // The number of IR ops encoded as one; 0 when there is no handler.
    private int TryEncode(IrOp* ir, int left, int index, out ThreadedOp op)
    {
        op = new ThreadedOp { Dst = (byte)ir->Dst, A = (byte)ir->A };
        var size = ir->SizeLog2;
        switch (ir->Op)
        {
            case IrOpcode.Mov:
                return Move(ir, ref op);
            case IrOpcode.SignExtend when ir->Imm == 0:
                op.A = (byte)ir->B;
                op.Code = Table.CodeOf(HandlerKind.SignExtend, size, BitOperations.Log2(ir->Sub));
                return 1;
            case IrOpcode.Insert when ir->Imm == 0:
                op.B = (byte)ir->B;
                op.Code = Table.CodeOf(HandlerKind.Insert, size);
                return 1;
            case IrOpcode.ExtractHigh:
                op.A = (byte)ir->B;
                op.Code = Table.CodeOf(HandlerKind.ExtractHigh);
                return 1;
            case IrOpcode.Sub or IrOpcode.And when left == 2 && ir->WritesFlags && ir->Dst == Slot.Void && ir[1].Op == IrOpcode.JumpCondition
                && Fused(ir, (Condition)ir[1].Sub, ref op):
                return 2;
            case IrOpcode.Add: return Integer(ir, 0, ref op);
            case IrOpcode.Sub: return Integer(ir, 2, ref op);
            case IrOpcode.And: return Integer(ir, 4, ref op);
            case IrOpcode.Or: return Integer(ir, 6, ref op);
            case IrOpcode.Xor: return Integer(ir, 8, ref op);
            case IrOpcode.Inc: return Step(ir, 10, 0, 1, ref op);
            case IrOpcode.Dec: return Step(ir, 11, 2, 1, ref op);
            case IrOpcode.Shl: return Integer(ir, 12, ref op);
            case IrOpcode.Shr: return Integer(ir, 14, ref op);
            case IrOpcode.Sar: return Integer(ir, 16, ref op);
            case IrOpcode.Mul: return Integer(ir, 18, ref op);
            case IrOpcode.Select when ir->Imm == 0:
                (op.B, op.C) = ((byte)ir->B, (byte)ir->C);
                op.Code = Table.CodeOf(HandlerKind.Select, size);
                return 1;
            case IrOpcode.Compare:
                return Compare(ir, ref op);
            case IrOpcode.GetCondition:
                op.Imm = ir->Sub;
                op.Code = Table.CodeOf(HandlerKind.Condition);
                return 1;
            case IrOpcode.CheckLimit when _is64:
                op.Code = Table.CodeOf(HandlerKind.CheckCanonical);
                return 1;
            case IrOpcode.Lea when ir->Form != AddressForm.Segment16 && (size == 2 || (size == 3 && ir->Form is AddressForm.Flat64 or AddressForm.Segment64)):
                return Lea(ir, ref op);
            case IrOpcode.Load:
                return Return(ir, left, ref op) is not 0 and var ops ? ops : Pop(ir, left, ref op) is not 0 and var popped ? popped
                    : Address(ir, ref op, out var form, out var address) ? Coded(ref op, Table.CodeOf(HandlerKind.Load, size, form, address)) : 0;
            case IrOpcode.LoadSigned when Address(ir, ref op, out form, out address):
                return Coded(ref op, Table.CodeOf(HandlerKind.LoadSigned, size, BitOperations.Log2(ir->Sub), form, address));
            case IrOpcode.Store:
                return Push(ir, left, ref op) is not 0 and var pushed ? pushed : Store(ir, ref op);
            case IrOpcode.VLoad when Address(ir, ref op, out form, out address):
                return Coded(ref op, Table.CodeOf(HandlerKind.LoadVector, size - 2, (ir->Attr & IrAttr.Aligned) != 0 ? 1 : 0, form, address));
            case IrOpcode.VStore when Address(ir, ref op, out form, out address):
                op.Dst = (byte)ir->C;
                return Coded(ref op, Table.CodeOf(HandlerKind.StoreVector, size - 2, (ir->Attr & IrAttr.Aligned) != 0 ? 1 : 0, form, address));
            case IrOpcode.VMov or IrOpcode.VMovMmx or IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VToInt or IrOpcode.VFromInt:
                op.Imm = index;
                return Coded(ref op, Table.CodeOf(HandlerKind.Vector));
            case IrOpcode.Call when ir->Imm == 0 && ir->Sub <= short.MaxValue:
                (op.B, op.C, op.Disp) = ((byte)ir->B, (byte)ir->C, (short)ir->Sub);
                return Coded(ref op, Table.CodeOf(HandlerKind.Helper));
            case IrOpcode.Jump:
                return Coded(ref op, Table.CodeOf(HandlerKind.Jump));
            case IrOpcode.JumpCondition:
                op.Imm = ir->Sub;
                return Coded(ref op, Table.CodeOf(HandlerKind.JumpCondition));
            case IrOpcode.JumpIf:
                return Coded(ref op, Table.CodeOf(HandlerKind.JumpIf));
            case IrOpcode.JumpIndirect when (JumpKind)ir->Sub != JumpKind.Far:
                op.Imm = (int)(_next - _start);
                return Coded(ref op, Table.CodeOf((JumpKind)ir->Sub == JumpKind.Call ? HandlerKind.CallIndirect : HandlerKind.JumpIndirect));
            default:
                if ((DispatchCode)ir->Dispatch != DispatchCode.Other)
                    return 0;
                op.Imm = index;
                return Coded(ref op, Table.CodeOf(HandlerKind.Rare));
        }
    }

    private static int Coded(ref ThreadedOp op, ushort code, int length = 1)
    {
        op.Code = code;
        return length;
    }

    private int Move(IrOp* ir, ref ThreadedOp op)
    {
        if (ir->B == Slot.Zero)
            return Constant(IntegerOps.Cut((ulong)ir->Imm, ir->Size), ref op);
        if (ir->Imm != 0)
            return 0;
        op.A = (byte)ir->B;
        return Coded(ref op, Table.CodeOf(HandlerKind.Move, ir->SizeLog2));
    }

    private int Constant(ulong value, ref ThreadedOp op)
    {
        op.Imm = (int)value;
        if ((ulong)op.Imm == value)
            return Coded(ref op, Table.CodeOf(HandlerKind.MoveConstant));
        if ((uint)op.Imm == value)
            return Coded(ref op, Table.CodeOf(HandlerKind.MoveUnsigned));
        op.Imm = (int)(value - _start);
        return _start + (ulong)op.Imm == value ? Coded(ref op, Table.CodeOf(HandlerKind.MoveFromStart)) : 0;
    }

    // The last operand: a slot, or a constant of which the bits of the size count.
    private static bool Last(IrOp* ir, ref ThreadedOp op, out int operand)
    {
        operand = ir->B == Slot.Zero ? 1 : 0;
        if (operand == 0)
            op.B = (byte)ir->B;
        else
            op.Imm = (int)ir->Imm;
        return operand == 0 ? ir->Imm == 0 : IntegerOps.Cut((ulong)op.Imm, ir->Size) == IntegerOps.Cut((ulong)ir->Imm, ir->Size);
    }

    private int Integer(IrOp* ir, int operation, ref ThreadedOp op)
    {
        if (!Last(ir, ref op, out var operand))
            return 0;
        return Coded(ref op, Table.CodeOf(HandlerKind.Integer, operation + (ir->WritesFlags ? 1 : 0), ir->SizeLog2, operand));
    }

    private int Step(IrOp* ir, int withFlags, int without, int imm, ref ThreadedOp op)
    {
        op.Imm = imm;
        return Coded(ref op, Table.CodeOf(HandlerKind.Integer, ir->WritesFlags ? withFlags : without, ir->SizeLog2, 1));
    }

    private int Compare(IrOp* ir, ref ThreadedOp op)
    {
        if (!Last(ir, ref op, out var operand))
            return 0;
        var (relation, sense) = (Relation)ir->Sub switch
        {
            Relation.Equal => (0, 0),
            Relation.NotEqual => (0, 1),
            Relation.BelowU => (1, 0),
            Relation.BelowEqualU => (2, 0),
            Relation.LessS => (3, 0),
            _ => (4, 0),
        };
        return Coded(ref op, Table.CodeOf(HandlerKind.Compare, relation, sense, ir->SizeLog2, operand));
    }

    private bool Fused(IrOp* ir, Condition condition, ref ThreadedOp op)
    {
        var isTest = ir->Op == IrOpcode.And;
        var (relation, sense) = condition switch
        {
            Condition.E => (0, 0),
            Condition.Ne => (0, 1),
            Condition.S when isTest => (1, 0),
            Condition.Ns when isTest => (1, 1),
            Condition.B => (1, 0),
            Condition.Ae => (1, 1),
            Condition.Be => (2, 0),
            Condition.A => (2, 1),
            Condition.L => (3, 0),
            Condition.Ge => (3, 1),
            Condition.Le => (4, 0),
            Condition.G => (4, 1),
            _ => (-1, 0),
        };
        if (relation < 0 || (isTest && condition is not (Condition.E or Condition.Ne or Condition.S or Condition.Ns)) || !Last(ir, ref op, out var operand))
            return false;
        op.Code = Table.CodeOf(isTest ? HandlerKind.TestAndJump : HandlerKind.CompareAndJump, relation, sense, ir->SizeLog2, operand);
        return true;
    }

    private int Lea(IrOp* ir, ref ThreadedOp op)
    {
        if (ir->A == Slot.Zero && ir->B == Slot.Zero)
            return Constant(IntegerOps.Cut((ulong)ir->Disp, ir->Size), ref op);
        return Parts(ir, ref op, out var address) ? Coded(ref op, Table.CodeOf(HandlerKind.Lea, ir->SizeLog2, address)) : 0;
    }

    private int Store(IrOp* ir, ref ThreadedOp op)
    {
        if (ir->Form is not (AddressForm.Flat32 or AddressForm.Flat64))
            return 0;
        if (ir->Imm == 0)
        {
            op.Dst = (byte)ir->C;
            return Address(ir, ref op, out var form, out var address) ? Coded(ref op, Table.CodeOf(HandlerKind.Store, ir->SizeLog2, form, address)) : 0;
        }

        op.Dst = (byte)ir->Imm;
        if (ir->C == Slot.Zero && IntegerOps.Cut((ulong)(sbyte)op.Dst, ir->Size) == IntegerOps.Cut((ulong)ir->Imm, ir->Size) && Address(ir, ref op, out var at, out var how))
            return Coded(ref op, Table.CodeOf(HandlerKind.StoreByte, ir->SizeLog2, at, how));
        op.A = (byte)ir->A;
        op.Constant = (short)ir->Imm;
        op.Disp = (short)ir->Disp;
        var fits = ir->B == Slot.Zero && ir->C == Slot.Zero && op.Disp == ir->Disp
            && IntegerOps.Cut((ulong)op.Constant, ir->Size) == IntegerOps.Cut((ulong)ir->Imm, ir->Size);
        return fits ? Coded(ref op, Table.CodeOf(HandlerKind.StoreConstant, ir->SizeLog2, FormOf(ir))) : 0;
    }

    private static int FormOf(IrOp* ir) => ir->Form == AddressForm.Flat32 ? 0 : 1;

    private static bool Address(IrOp* ir, ref ThreadedOp op, out int form, out int address)
    {
        form = FormOf(ir);
        address = 0;
        return ir->Form is AddressForm.Flat32 or AddressForm.Flat64 && Parts(ir, ref op, out address);
    }

    private static bool Parts(IrOp* ir, ref ThreadedOp op, out int address)
    {
        address = 0;
        if (ir->B == Slot.Zero || (ir->A == Slot.Zero && ir->Scale == 0))
        {
            op.A = (byte)(ir->B == Slot.Zero ? ir->A : ir->B);
            op.Imm = ir->Disp;
            return true;
        }

        if (ir->A == Slot.Zero && ir->Scale >= 2)
        {
            op.A = (byte)ir->B;
            op.Imm = ir->Disp;
            address = ir->Scale;
            return true;
        }

        address = 1;
        (op.B, op.C, op.Disp) = ((byte)ir->B, ir->Scale, (short)ir->Disp);
        return op.Disp == ir->Disp;
    }

    // The stack pointer is moved by so many bytes, in a flat mode.
    private static bool MovesStack(IrOp* ir, int form, out long by)
    {
        by = ir->Imm;
        return ir->Op == IrOpcode.Add && ir->Dst == Slot.Rsp && ir->A == Slot.Rsp && ir->B == Slot.Zero && ir->Size == (form == 0 ? 4 : 8) && !ir->WritesFlags;
    }

    private static bool IsWordOfStack(IrOp* ir, int disp) => ir->Form is AddressForm.Flat32 or AddressForm.Flat64 && ir->A == Slot.Rsp && ir->B == Slot.Zero
        && ir->Disp == disp && ir->Size == (ir->Form == AddressForm.Flat32 ? 4 : 8);

    private int Push(IrOp* ir, int left, ref ThreadedOp op)
    {
        var form = FormOf(ir);
        if (left < 3 || !IsWordOfStack(ir, -ir->Size) || !MovesStack(ir + 1, form, out var by) || by != -ir->Size || ir[1].Insn != ir->Insn)
            return 0;
        var operand = 0;
        if (ir->C != Slot.Zero)
        {
            if (ir->Imm != 0)
                return 0;
            op.Dst = (byte)ir->C;
        }
        else
        {
            operand = 1;
            op.Imm = (int)ir->Imm;
            if (IntegerOps.Cut((ulong)op.Imm, ir->Size) != IntegerOps.Cut((ulong)ir->Imm, ir->Size))
            {
                operand = 2;
                op.Imm = (int)((ulong)ir->Imm - _start);
                if (_start + (ulong)op.Imm != (ulong)ir->Imm)
                    return 0;
            }
        }

        var isCall = operand != 0 && ir[2].Op == IrOpcode.Jump;
        return Coded(ref op, Table.CodeOf(isCall ? HandlerKind.Call : HandlerKind.Push, operand, form), isCall ? 3 : 2);
    }

    private int Pop(IrOp* ir, int left, ref ThreadedOp op)
    {
        var form = FormOf(ir);
        if (left < 4 || !IsWordOfStack(ir, 0) || !Slot.IsTemp(ir->Dst) || !MovesStack(ir + 1, form, out var by) || by != ir->Size)
            return 0;
        var move = ir + 2;
        if (move->Op != IrOpcode.Mov || move->B != ir->Dst || move->Imm != 0 || move->Size != ir->Size || move->Insn != ir->Insn)
            return 0;
        op.Dst = (byte)move->Dst;
        return Coded(ref op, Table.CodeOf(HandlerKind.Pop, form), 3);
    }

    private int Return(IrOp* ir, int left, ref ThreadedOp op)
    {
        var form = FormOf(ir);
        if (left != 3 + form || !IsWordOfStack(ir, 0) || !Slot.IsTemp(ir->Dst))
            return 0;
        if (form == 1 && (!_is64 || ir[1].Op != IrOpcode.CheckLimit || ir[1].A != ir->Dst))
            return 0;
        var move = ir + 1 + form;
        if (!MovesStack(move, form, out var by) || move[1].Op != IrOpcode.JumpIndirect || (JumpKind)move[1].Sub != JumpKind.Return || move[1].A != ir->Dst)
            return 0;
        op.Imm = (int)by;
        return op.Imm == by ? Coded(ref op, Table.CodeOf(HandlerKind.Return, form), 3 + form) : 0;
    }
}
