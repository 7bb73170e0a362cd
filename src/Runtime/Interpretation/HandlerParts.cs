using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Interpretation;

// What handlers are put together of: each struct stands for a choice, which is made when the instance of the handler is compiled.
internal readonly struct AddOp;
internal readonly struct AddFOp;
internal readonly struct SubOp;
internal readonly struct SubFOp;
internal readonly struct AndOp;
internal readonly struct AndFOp;
internal readonly struct OrOp;
internal readonly struct OrFOp;
internal readonly struct XorOp;
internal readonly struct XorFOp;
internal readonly struct IncFOp;
internal readonly struct DecFOp;
internal readonly struct ShlOp;
internal readonly struct ShlFOp;
internal readonly struct ShrOp;
internal readonly struct ShrFOp;
internal readonly struct SarOp;
internal readonly struct SarFOp;
internal readonly struct MulOp;

internal readonly struct IfEqual;
internal readonly struct IfBelow;
internal readonly struct IfBelowEqual;
internal readonly struct IfLess;
internal readonly struct IfLessEqual;
internal readonly struct IfNoBits;
internal readonly struct IfSignBit;

/// <summary>The relation itself.</summary>
internal readonly struct WhenTrue;

/// <summary>Its opposite.</summary>
internal readonly struct WhenFalse;

/// <summary>The last operand is the slot B (in ops of one operand, or of a store, the slot Dst).</summary>
internal readonly struct BySlot;

/// <summary>The last operand is the constant Imm, sign-extended.</summary>
internal readonly struct ByConstant;

/// <summary>The last operand is the start of the block plus Imm.</summary>
internal readonly struct ByStart;

/// <summary>slot[A] + Imm.</summary>
internal readonly struct BaseAddress;

/// <summary>slot[A] + (slot[B] &lt;&lt; C) + Disp.</summary>
internal readonly struct IndexAddress;

/// <summary>slot[A] * 4 + Imm.</summary>
internal readonly struct FourfoldAddress;

/// <summary>slot[A] * 8 + Imm.</summary>
internal readonly struct EightfoldAddress;

/// <summary>Memory is reached by the bytes of permissions of the main window.</summary>
internal readonly struct WindowMemory;

/// <summary>Memory is reached by the table of recent translations.</summary>
internal readonly struct PagedMemory;

/// <summary>A vector access need not be aligned.</summary>
internal readonly struct AnyAlignment;

/// <summary>A vector access must be aligned to 16 bytes.</summary>
internal readonly struct FullAlignment;

/// <summary>The parts themselves.</summary>
internal static unsafe class HandlerParts
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>The slot file: the same address, without the check for null that a field's takes.</summary>
    [MethodImpl(Inline)]
    public static ulong* Slots(CpuState* s) => (ulong*)s;

    /// <summary>Executes an integer op.</summary>
    [MethodImpl(Inline)]
    public static void Execute<TOp, T>(ulong* r, nuint dst, ulong a, ulong b)
        where TOp : struct
        where T : unmanaged
    {
        if (typeof(TOp) == typeof(AddOp))
            IntegerOps.Set<T>(r, dst, a + b);
        else if (typeof(TOp) == typeof(AddFOp))
            IntegerOps.AddF<T>(r, dst, a, b);
        else if (typeof(TOp) == typeof(SubOp))
            IntegerOps.Set<T>(r, dst, a - b);
        else if (typeof(TOp) == typeof(SubFOp))
            IntegerOps.SubF<T>(r, dst, a, b);
        else if (typeof(TOp) == typeof(AndOp))
            IntegerOps.Set<T>(r, dst, a & b);
        else if (typeof(TOp) == typeof(AndFOp))
            IntegerOps.LogicF<T>(r, dst, a & b);
        else if (typeof(TOp) == typeof(OrOp))
            IntegerOps.Set<T>(r, dst, a | b);
        else if (typeof(TOp) == typeof(OrFOp))
            IntegerOps.LogicF<T>(r, dst, a | b);
        else if (typeof(TOp) == typeof(XorOp))
            IntegerOps.Set<T>(r, dst, a ^ b);
        else if (typeof(TOp) == typeof(XorFOp))
            IntegerOps.LogicF<T>(r, dst, a ^ b);
        else if (typeof(TOp) == typeof(IncFOp))
            IntegerOps.StepF<T>(r, dst, a, FlagsKind.Inc, 1);
        else if (typeof(TOp) == typeof(DecFOp))
            IntegerOps.StepF<T>(r, dst, a, FlagsKind.Dec, ulong.MaxValue);
        else if (typeof(TOp) == typeof(ShlOp))
            IntegerOps.Shl<T>(r, dst, a, b);
        else if (typeof(TOp) == typeof(ShlFOp))
            IntegerOps.ShlF<T>(r, dst, a, b);
        else if (typeof(TOp) == typeof(ShrOp))
            IntegerOps.Shr<T>(r, dst, a, b);
        else if (typeof(TOp) == typeof(ShrFOp))
            IntegerOps.ShrF<T>(r, dst, a, b);
        else if (typeof(TOp) == typeof(SarOp))
            IntegerOps.Sar<T>(r, dst, a, b);
        else if (typeof(TOp) == typeof(SarFOp))
            IntegerOps.SarF<T>(r, dst, a, b);
        else
            IntegerOps.Set<T>(r, dst, a * b);
    }

    /// <summary>True when a relation holds.</summary>
    [MethodImpl(Inline)]
    public static bool Holds<TRelation, TSense, T>(ulong a, ulong b)
        where TRelation : struct
        where TSense : struct
        where T : unmanaged
    {
        bool holds;
        if (typeof(TRelation) == typeof(IfEqual))
            holds = IntegerOps.Cut<T>(a) == IntegerOps.Cut<T>(b);
        else if (typeof(TRelation) == typeof(IfBelow))
            holds = IntegerOps.Cut<T>(a) < IntegerOps.Cut<T>(b);
        else if (typeof(TRelation) == typeof(IfBelowEqual))
            holds = IntegerOps.Cut<T>(a) <= IntegerOps.Cut<T>(b);
        else if (typeof(TRelation) == typeof(IfLess))
            holds = IntegerOps.Signed<T>(a) < IntegerOps.Signed<T>(b);
        else if (typeof(TRelation) == typeof(IfLessEqual))
            holds = IntegerOps.Signed<T>(a) <= IntegerOps.Signed<T>(b);
        else if (typeof(TRelation) == typeof(IfNoBits))
            holds = IntegerOps.Cut<T>(a & b) == 0;
        else
            holds = IntegerOps.Signed<T>(a & b) < 0;
        return typeof(TSense) == typeof(WhenTrue) ? holds : !holds;
    }

    /// <summary>The last operand of an op.</summary>
    [MethodImpl(Inline)]
    public static ulong Last<TOperand>(CpuState* s, ThreadedOp* op)
        where TOperand : struct =>
        typeof(TOperand) == typeof(BySlot) ? Slots(s)[op->B] : (ulong)op->Imm;

    /// <summary>The only operand of an op, or what a store writes.</summary>
    [MethodImpl(Inline)]
    public static ulong Value<TOperand>(CpuState* s, ThreadedOp* op, ThreadedBlock* block)
        where TOperand : struct =>
        typeof(TOperand) == typeof(BySlot) ? Slots(s)[op->Dst]
            : typeof(TOperand) == typeof(ByConstant) ? (ulong)op->Imm
            : block->Start + (ulong)op->Imm;

    /// <summary>The offset of an address, not truncated.</summary>
    [MethodImpl(Inline)]
    public static ulong Sum<TAddress>(CpuState* s, ThreadedOp* op)
        where TAddress : struct
    {
        if (typeof(TAddress) == typeof(BaseAddress))
            return Slots(s)[op->A] + (ulong)op->Imm;
        if (typeof(TAddress) == typeof(FourfoldAddress))
            return (Slots(s)[op->A] << 2) + (ulong)op->Imm;
        if (typeof(TAddress) == typeof(EightfoldAddress))
            return (Slots(s)[op->A] << 3) + (ulong)op->Imm;
        return Slots(s)[op->A] + (Slots(s)[op->B] << op->C) + (ulong)op->Disp;
    }

    /// <summary>Where in the host bytes are, if that can be told quickly.</summary>
    [MethodImpl(Inline)]
    public static bool Probe<TMemory, TForm>(CpuState* s, ulong sum, int size, PagePermission bit, out byte* host)
        where TMemory : struct
        where TForm : struct
    {
        if (typeof(TForm) == typeof(Flat32))
            sum = (uint)sum;
        if (typeof(TMemory) == typeof(PagedMemory))
            return MemoryProbe.ByLookaside(s, sum, size, bit, out host);
        return typeof(TForm) == typeof(Flat32) ? MemoryProbe.Fast32(s, (uint)sum, bit, out host) : MemoryProbe.Fast(s, sum, bit, out host);
    }

    /// <summary>Truncates a stack pointer.</summary>
    [MethodImpl(Inline)]
    public static ulong Pointer<TForm>(ulong value)
        where TForm : struct => typeof(TForm) == typeof(Flat32) ? (uint)value : value;

    /// <summary>Bytes that push and pop move.</summary>
    [MethodImpl(Inline)]
    public static int WordSize<TForm>()
        where TForm : struct => typeof(TForm) == typeof(Flat32) ? 4 : 8;

    /// <summary>Reads a word of the stack.</summary>
    [MethodImpl(Inline)]
    public static ulong ReadWord<TForm>(byte* p)
        where TForm : struct => typeof(TForm) == typeof(Flat32) ? *(uint*)p : *(ulong*)p;

    /// <summary>Writes a word of the stack.</summary>
    [MethodImpl(Inline)]
    public static void WriteWord<TForm>(byte* p, ulong value)
        where TForm : struct
    {
        if (typeof(TForm) == typeof(Flat32))
            *(uint*)p = (uint)value;
        else
            *(ulong*)p = value;
    }

    /// <summary>
    /// Enters a block, unless something else has to act first: it is not valid, an exit is requested, it is hot, or the budget does not cover it.
    /// </summary>
    [MethodImpl(Inline)]
    public static bool TryEnter(CpuState* s, ThreadedBlock* block)
    {
        var heat = block->Heat + 1;
        if (block->Valid == 0 || s->Execution.ExitRequest != 0 || heat >= s->Execution.HeatThreshold)
            return false;
        var count = s->Execution.InstructionCount + block->InstructionCount;
        if (count > s->Execution.InstructionLimit)
            return false;
        block->Heat = heat;
        s->Execution.InstructionCount = count;
        return true;
    }

    /// <summary>Says where and why handlers stopped.</summary>
    [MethodImpl(Inline)]
    public static int Stop(CpuState* s, ThreadedOp* op, ThreadedBlock* block, Stop reason)
    {
        s->Execution.StoppedOp = (nint)op;
        s->Execution.StoppedBlock = (nint)block;
        return (int)reason;
    }

    /// <summary>The same before an indirect jump.</summary>
    [MethodImpl(Inline)]
    public static int StopAtJump(CpuState* s, ThreadedOp* op, ThreadedBlock* block, ulong target)
    {
        s->Execution.StoppedTarget = target;
        return Stop(s, op, block, Interpretation.Stop.Indirect);
    }
}

/// <summary>Why handlers return.</summary>
internal enum Stop
{
    /// <summary>The IR ops that the op stands for are to be executed; nothing of them has been.</summary>
    Wide,

    /// <summary>The block ends, and its direct target cannot be entered just so.</summary>
    Taken,

    /// <summary>The block ends, and what lies behind it cannot be entered just so.</summary>
    NotTaken,

    /// <summary>The block ends with an indirect jump whose target cannot be entered just so.</summary>
    Indirect,

    /// <summary>A helper that the op called has an exception or one of its likes pending.</summary>
    Fault,
}
