using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Helpers.X87;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Execution;

/// <summary>Something that interpreter and translator disagree about.</summary>
/// <param name="Name">Register, or memory with its address.</param>
/// <param name="Interpreted">What the interpreter left there.</param>
/// <param name="Translated">What the translated code left there.</param>
public sealed record LockStepItem(string Name, string Interpreted, string Translated);

/// <summary>Compares what a guest can see of two states.</summary>
internal static unsafe class StateComparison
{
    private const ulong SignificandAndExponent = 0xFFFF;
    private static readonly string[] SegmentNames = ["es", "cs", "ss", "ds", "fs", "gs"];

    /// <summary>Adds the differences of <paramref name="a"/> (interpreter) and <paramref name="b"/> (translator) to a list.</summary>
    public static void Compare(CpuState* a, ExitCause causeA, CpuState* b, ExitCause causeB, List<LockStepItem> items)
    {
        if (causeA != causeB)
            items.Add(new LockStepItem("stopped for", causeA.ToString(), causeB.ToString()));
        for (var slot = 0; slot < Slot.Temp0; slot++)
            if (slot is not (Slot.Void or Slot.FlagsOp or Slot.FlagsRes or Slot.FlagsSrc or Slot.FlagsAux))
                Add(Slot.Name((ushort)slot), a->Slots[slot], b->Slots[slot]);
        if (FlagsRecord.Status(a) != FlagsRecord.Status(b))
            items.Add(new LockStepItem("status flags", DescribeFlags(a), DescribeFlags(b)));
        CompareVectors(a, b, items);
        Add("fcw", a->Fcw, b->Fcw);
        Add("fsw", a->Fsw, b->Fsw);
        Add("x87 registers in use", a->FpuValid, b->FpuValid);
        var x87A = (X87State*)CpuAccess.Vector(a, VSlot.Mm0);
        var x87B = (X87State*)CpuAccess.Vector(b, VSlot.Mm0);
        Add("x87 opcode", x87A->Fop, x87B->Fop);
        Add("x87 instruction pointer", x87A->Fip, x87B->Fip);
        Add("x87 operand pointer", x87A->Fdp, x87B->Fdp);
        Add("mxcsr", a->Mxcsr, b->Mxcsr);
        Add("mode", a->Mode, b->Mode);
        Add("instructions", a->Execution.InstructionCount, b->Execution.InstructionCount);
        for (var i = 0; i < SegmentNames.Length; i++)
            Add(SegmentNames[i], CpuAccess.Segment(a, i)->Selector, CpuAccess.Segment(b, i)->Selector);
        if (causeA == causeB)
            CompareCause(causeA);
        return;

        void CompareCause(ExitCause cause)
        {
            if (cause == ExitCause.SoftwareInterrupt)
                Add("interrupt", a->Execution.ExitDetail, b->Execution.ExitDetail);
            if (cause != ExitCause.Exception)
                return;
            Add("exception", (uint)a->Execution.ExceptionVector, (uint)b->Execution.ExceptionVector);
            Add("error code", a->Execution.ExceptionError, b->Execution.ExceptionError);
            if (a->Execution.ExceptionVector == ExceptionVector.PageFault)
                Add("fault address", a->Execution.FaultAddress, b->Execution.FaultAddress);
        }

        void Add(string name, ulong x, ulong y)
        {
            if (x != y)
                items.Add(new LockStepItem(name, $"0x{x:x}", $"0x{y:x}"));
        }
    }

    private static string DescribeFlags(CpuState* s) =>
        $"0x{FlagsRecord.Status(s):x} (op {s->Slots[Slot.FlagsOp]}, res 0x{s->Slots[Slot.FlagsRes]:x}, src 0x{s->Slots[Slot.FlagsSrc]:x}, "
        + $"aux 0x{s->Slots[Slot.FlagsAux]:x})";

    private static void CompareVectors(CpuState* a, CpuState* b, List<LockStepItem> items)
    {
        for (var i = 0; i < VSlot.Count; i++)
        {
            if (i is >= VSlot.Temp0 and < VSlot.Mm0)
                continue;
            var x = (ulong*)CpuAccess.Vector(a, i);
            var y = (ulong*)CpuAccess.Vector(b, i);
            var upper = i < VSlot.Temp0 ? ulong.MaxValue : SignificandAndExponent;
            if (x[0] != y[0] || ((x[1] ^ y[1]) & upper) != 0)
                items.Add(new LockStepItem(VSlot.Name((ushort)i), $"{x[1] & upper:x16}{x[0]:x16}", $"{y[1] & upper:x16}{y[0]:x16}"));
        }
    }
}
