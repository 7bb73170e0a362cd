using System.Globalization;
using System.Text;
using DynaTrans.Frontend.Decoding;

namespace DynaTrans.Frontend.Ir;

/// <summary>
/// IR as text, one op a line, stable: <c>dst = op.size operands</c>, sizes in bytes, <c>!f</c> on ops that write the flags record.
/// Constants below 10 are decimal, others hexadecimal.
/// </summary>
public static class IrPrinter
{
    /// <summary>A block: a head line, then each guest instruction, its ops indented below it.</summary>
    public static string Block(IrBlock block)
    {
        var text = new StringBuilder();
        var formatter = new GuestFormatter();
        text.AppendLine(CultureInfo.InvariantCulture, $"block {Hex(block.Start)}..{Hex(block.Next)}, {block.Mode.ToString().ToLowerInvariant()}");
        var op = 0;
        for (var i = 0; i < block.InstructionCount; i++)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{block.AddressOf(i):x}: {formatter.Format(block.Instructions[i])}");
            for (; op < block.Count && block.Ops[op].Insn == i; op++)
                text.Append("    ").AppendLine(Op(block.Ops[op], block.Taken, block.Next));
        }

        return text.ToString();
    }

    /// <summary>One op.</summary>
    /// <param name="op">The op.</param>
    /// <param name="taken">The block's <see cref="IrBlock.Taken"/>.</param>
    /// <param name="next">The block's <see cref="IrBlock.Next"/>.</param>
    public static string Op(in IrOp op, ulong taken, ulong next)
    {
        var flags = (op.Attr & IrAttr.SetFlags) != 0 ? " !f" : "";
        var aligned = (op.Attr & IrAttr.Aligned) != 0 ? " aligned" : "";
        var trap = (op.Attr & IrAttr.Trap) != 0 ? " trap" : "";
        var update = (op.Attr & IrAttr.Update) != 0 ? " update" : "";
        var name = op.Op.ToString().ToLowerInvariant();
        var sized = $"{name}.{op.Size}";
        var dst = Slot.Name(op.Dst);
        var b = Sum(op.B, op.Imm);
        return op.Op switch
        {
            IrOpcode.Nop => "nop",
            IrOpcode.Mov or IrOpcode.ExtractHigh or IrOpcode.Neg or IrOpcode.Not or IrOpcode.Bswap or IrOpcode.PopCount
                or IrOpcode.LeadingZeros or IrOpcode.TrailingZeros => $"{dst} = {sized} {b}{flags}",
            IrOpcode.SignExtend => $"{dst} = {sized}to{op.Sub} {b}",
            IrOpcode.Inc or IrOpcode.Dec => $"{dst} = {sized} {Slot.Name(op.A)}{flags}",
            IrOpcode.Adc or IrOpcode.Sbb => $"{dst} = {sized} {Slot.Name(op.A)}, {b}, carry {Slot.Name(op.C)}{flags}",
            IrOpcode.Select => $"{dst} = {sized} {Slot.Name(op.A)} ? {Slot.Name(op.B)} : {Slot.Name(op.C)}",
            IrOpcode.Compare => $"{dst} = {sized} {Slot.Name(op.A)} {Symbol((Relation)op.Sub)} {b}",
            IrOpcode.GetCondition => $"{dst} = condition {Lower((Condition)op.Sub)}",
            IrOpcode.GetFlags => $"{dst} = flags",
            IrOpcode.SetFlags => $"flags = {Lower((FlagsKind)op.Sub)}.{op.Size} res {Slot.Name(op.A)}, src {b}{Third(op)}",
            IrOpcode.SetFlagsIf => $"if {Slot.Name(op.C)} flags = {Lower((FlagsKind)op.Sub)}.{op.Size} res {Slot.Name(op.A)}, src {b}",
            IrOpcode.RotateFlags => $"flags = {(op.Sub == 0 ? "rol" : "ror")}.{op.Size} res {Slot.Name(op.A)}, count {b}",
            IrOpcode.SetCarry => $"carry = {b}",
            IrOpcode.ProductFlags => $"flags = imul.{op.Size} {Slot.Name(op.A)}, {b}",
            IrOpcode.Lea or IrOpcode.LinearAddress or IrOpcode.Load => $"{dst} = {sized} {Address(op)}{update}",
            IrOpcode.LoadSigned => $"{dst} = {sized}to{op.Sub} {Address(op)}",
            IrOpcode.Store => $"{sized} {Address(op)} = {Sum(op.C, op.Imm)}",
            IrOpcode.CheckLimit => $"checklimit {Slot.Name(op.Seg)[..2]}, {Slot.Name(op.A)}, {Number(op.Imm & SegmentAccess.SizeMask)} bytes{((op.Imm & SegmentAccess.Write) != 0 ? " written" : "")}",
            IrOpcode.VLoad => $"{VSlot.Name(op.Dst)} = {sized} {Address(op)}{aligned}",
            IrOpcode.VStore => $"{sized} {Address(op)} = {VSlot.Name(op.C)}{aligned}",
            IrOpcode.VMov or IrOpcode.VMovMmx => $"{VSlot.Name(op.Dst)} = {name} {VSlot.Name(op.B)}",
            IrOpcode.VBinary => $"{VSlot.Name(op.Dst)} = {Lower((VecOp)op.Sub)} {VSlot.Name(op.A)}, {VSlot.Name(op.B)}{Immediate(op)}",
            IrOpcode.VUnary => $"{VSlot.Name(op.Dst)} = {Lower((VecOp)op.Sub)} {VSlot.Name(op.B)}{Immediate(op)}",
            IrOpcode.VToInt => $"{dst} = {Lower((VecOp)op.Sub)} {VSlot.Name(op.A)}, {VSlot.Name(op.B)}{Immediate(op)}",
            IrOpcode.VFromInt => $"{VSlot.Name(op.Dst)} = {Lower((VecOp)op.Sub)} {VSlot.Name(op.A)}, {Slot.Name(op.B)}{Immediate(op)}",
            IrOpcode.Call => $"{dst} = call {(HelperId)op.Sub}({Slot.Name(op.A)}, {b}, {Slot.Name(op.C)}){trap}",
            IrOpcode.Jump => $"jump {Hex(taken)}",
            IrOpcode.JumpCondition => $"jump.{Lower((Condition)op.Sub)} {Hex(taken)} else {Hex(next)}",
            IrOpcode.JumpIf => $"jump.if {Slot.Name(op.A)} {Hex(taken)} else {Hex(next)}",
            IrOpcode.JumpIndirect => $"jump.indirect {Slot.Name(op.A)} ({Lower((JumpKind)op.Sub)})",
            IrOpcode.Exit => $"exit {Lower((ExitCause)op.Sub)} {Number(op.Imm)}, then {Hex(next)}",
            IrOpcode.Raise => $"raise vector {op.Sub}, error {Slot.Name(op.A)}",
            _ => $"{dst} = {sized} {Slot.Name(op.A)}, {b}{flags}",
        };
    }

    private static string Third(in IrOp op) => op.C == Slot.Zero
        ? ""
        : (FlagsKind)op.Sub is FlagsKind.Add or FlagsKind.Sub ? $", left {Slot.Name(op.C)}" : $", aux {Slot.Name(op.C)}";

    private static string Immediate(in IrOp op) => op.Imm == 0 ? "" : $", {Number(op.Imm)}";

    private static string Address(in IrOp op)
    {
        var offset = new StringBuilder();
        if (op.A != Slot.Zero)
            offset.Append(Slot.Name(op.A));
        if (op.B != Slot.Zero)
        {
            if (offset.Length != 0)
                offset.Append(" + ");
            offset.Append(Slot.Name(op.B));
            if (op.Scale != 0)
                offset.Append('*').Append(1 << op.Scale);
        }

        if (offset.Length == 0)
            offset.Append(op.Disp < 0 ? Hex((ulong)(long)op.Disp) : Number(op.Disp));
        else if (op.Disp != 0)
            offset.Append(op.Disp < 0 ? " - " : " + ").Append(Number(Math.Abs((long)op.Disp)));
        var inner = op.Form switch
        {
            AddressForm.Segment16 => $"u16({offset})",
            AddressForm.Flat32 or AddressForm.Segment32 or AddressForm.Segment64Offset32 => $"u32({offset})",
            _ => offset.ToString(),
        };
        var based = op.Form is AddressForm.Flat32 or AddressForm.Flat64 || op.Seg == Slot.Zero || op.Op == IrOpcode.Lea;
        var supervisor = (op.Attr & IrAttr.Supervisor) != 0 ? "supervisor " : "";
        return based ? $"[{supervisor}{((op.Attr & IrAttr.Stack) != 0 ? "ss: " : "")}{inner}]" : $"[{supervisor}{Slot.Name(op.Seg)} + {inner}]";
    }

    private static string Sum(ushort slot, long constant)
    {
        if (slot == Slot.Zero)
            return Number(constant);
        if (constant == 0)
            return Slot.Name(slot);
        return constant < 0 && constant != long.MinValue
            ? $"{Slot.Name(slot)} - {Number(-constant)}"
            : $"{Slot.Name(slot)} + {Number(constant)}";
    }

    private static string Number(long value) => value is > -10 and < 10
        ? value.ToString(CultureInfo.InvariantCulture)
        : value is < 0 and > int.MinValue ? $"-{Hex((ulong)-value)}" : Hex((ulong)value);

    private static string Hex(ulong value) => $"0x{value:x}";

    private static string Symbol(Relation relation) => relation switch
    {
        Relation.Equal => "==",
        Relation.NotEqual => "!=",
        Relation.BelowU => "<u",
        Relation.BelowEqualU => "<=u",
        Relation.LessS => "<s",
        _ => "<=s",
    };

    private static string Lower<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
}
