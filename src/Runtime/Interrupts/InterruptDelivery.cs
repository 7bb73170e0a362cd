using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Interrupts;

/// <summary>
/// Delivers interrupts and exceptions through the interrupt descriptor table (SDM Vol. 3, chapter 6), and what goes wrong with that in their place. Called
/// between instructions.
/// </summary>
internal static unsafe class InterruptDelivery
{
    // An entry of the table, IDT in an error code.
    private const uint InTable = 2;

    /// <summary>
    /// Delivers an event. The return address is RIP.
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="e">The event.</param>
    /// <param name="restart">RIP for an exception that the delivery raises: of an instruction that asked for the interrupt, its own.</param>
    /// <returns>False after a triple fault.</returns>
    public static bool TryDeliver(CpuState* s, CpuEvent e, ulong restart)
    {
        // No instruction is under way that could be executed alone, so stores drop the code that they hit.
        s->Execution.IsStepping = 1;
        var delivered = TryDeliverOrFault(s, e, restart);
        s->Execution.IsStepping = 0;
        s->Execution.ExceptionVector = -1;
        s->System.InterruptShadow = 0;
        return delivered;
    }

    /// <summary>The error code of an exception that is about an entry of the table.</summary>
    public static uint ErrorOf(CpuEvent e) => ((uint)e.Vector << 3) | InTable | e.ExternalBit;

    /// <summary>Makes an exception pending. Gives false.</summary>
    public static bool Raise(CpuState* s, int vector, uint error)
    {
        CpuAccess.Raise(s, vector, error);
        return false;
    }

    /// <summary>The code segment that a gate names, for code of a level; in long mode it must be one of 64-bit code. False with an exception pending.</summary>
    public static bool TryFindCode(CpuState* s, ushort selector, int level, uint external, out SegmentDescriptor code)
    {
        code = default;
        if (SegmentLoads.IsNull(selector))
            return Raise(s, ExceptionVector.GeneralProtection, external);
        var error = (selector & 0xFFFCu) | external;
        var found = DescriptorLookup.Find(s, selector, out code);
        if (found == LookupResult.Fault)
            return false;
        if (found == LookupResult.Missing || !code.IsCode || code.Dpl > level || (s->IsLongMode && (!code.IsLong || code.IsBig)))
            return Raise(s, ExceptionVector.GeneralProtection, error);
        return code.IsPresent || Raise(s, ExceptionVector.SegmentNotPresent, error);
    }

    /// <summary>EFLAGS as the event's frame has them.</summary>
    public static uint PushedFlags(CpuState* s, CpuEvent e) => CpuAccess.GetEflags(s) | (e.IsFault ? Eflags.RF : 0);

    /// <summary>What a handler begins with: without TF, NT, RF and VM, and from an interrupt gate without IF (SDM Vol. 3, 6.12.1.2 and 6.14.5).</summary>
    public static void ClearFlags(CpuState* s, bool clearsIf) =>
        s->Slots[Slot.Eflags] &= ~(ulong)(Eflags.TF | Eflags.NT | Eflags.RF | Eflags.VM | (clearsIf ? Eflags.IF : 0));

    private static bool TryDeliverOrFault(CpuState* s, CpuEvent e, ulong restart)
    {
        // What fails after a task switch fails in the new task.
        var task = s->System.Tr.Selector;
        while (true)
        {
            Begin(s, e);
            if (TryEnter(s, e))
                return true;
            var second = new CpuEvent((byte)s->Execution.ExceptionVector, EventKind.Exception, s->Execution.ExceptionError);
            if (s->System.Tr.Selector != task)
                (task, restart) = (s->System.Tr.Selector, s->Slots[Slot.Rip]);
            s->Slots[Slot.Rip] = restart;
            if (e.IsDoubleFault)
                return false;

            // CR2 has the second address, though what is reported is #DF.
            if (e.MakesDoubleFault(second))
            {
                Begin(s, second);
                second = new CpuEvent(ExceptionVector.DoubleFault, EventKind.Exception);
            }

            e = second;
        }
    }

    private static void Begin(CpuState* s, CpuEvent e)
    {
        if (e.Kind == EventKind.Exception && e.Vector == ExceptionVector.PageFault)
            s->System.Cr2 = s->Execution.FaultAddress;
        if (e.Vector == ExceptionVector.Debug && e.Kind is EventKind.Exception or EventKind.DebugTrap)
            s->System.Dr7 &= ~DebugRegisters.GeneralDetect;
        s->Execution.ExceptionVector = -1;
    }

    private static bool TryEnter(CpuState* s, CpuEvent e)
    {
        if (s->IsLongMode)
            return LongModeInterrupts.TryEnter(s, e);
        var mode = CpuAccess.Mode(s);
        return (mode & GuestMode.Real) != 0 && !mode.IsVirtual8086()
            ? RealModeInterrupts.TryEnter(s, e)
            : ProtectedInterrupts.TryEnter(s, e);
    }
}
