using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Interrupts;

/// <summary>
/// The traps of a system: exceptions and interrupts go through the interrupt descriptor table, in the order of SDM Vol. 3, table 6-2; hlt waits for the
/// machine around the vCPU.
/// </summary>
/// <param name="host">The machine.</param>
public sealed unsafe class SystemTraps(ISystemHost host) : ITraps
{
    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The vCPU has stopped for what only a process has.</exception>
    public bool Deliver(Vcpu vcpu, ExitCause cause) => cause switch
    {
        ExitCause.Exception => DeliverException(vcpu),
        ExitCause.SoftwareInterrupt => DeliverInstruction(vcpu, new SoftwareInterrupt((long)vcpu.State->Execution.ExitDetail)),
        ExitCause.Requested => Poll(vcpu) && TakeInterrupts(vcpu),
        ExitCause.Halt => Halt(vcpu),
        ExitCause.Budget => EndRun(vcpu),
        _ => throw new InvalidOperationException($"a vCPU of a system stopped for {cause}"),
    };

    /// <summary>
    /// To be called before a run of a state that may have halted, as one that was saved: waits for its interrupt.
    /// </summary>
    /// <returns>False when the machine is over.</returns>
    public bool Resume(Vcpu vcpu) => !vcpu.State->System.IsHalted || Halt(vcpu);

    // One instruction of a budget is used up: a handler that faults at once never executes one.
    private bool DeliverException(Vcpu vcpu)
    {
        var s = vcpu.State;
        var vector = s->Execution.ExceptionVector;
        vcpu.Charge(1);
        if (vector == ExceptionVector.Overflow)
            return DeliverInstruction(vcpu, new SoftwareInterrupt((long)s->Execution.ExitDetail));
        if (vector == ExceptionVector.FloatingPoint && (s->System.Cr0 & Cr0.NumericError) == 0)
            return ReportFloatingPointError(vcpu);
        return DeliverEvent(vcpu, new CpuEvent((byte)vector, EventKind.Exception, s->Execution.ExceptionError), s->Slots[Slot.Rip]);
    }

    private bool DeliverInstruction(Vcpu vcpu, SoftwareInterrupt instruction)
    {
        var s = vcpu.State;
        var mode = CpuAccess.Mode(s);
        var start = s->Slots[Slot.Rip] - (uint)instruction.Length;
        if (!mode.Is64())
            start = (uint)start;
        if (mode.IsVirtual8086() && instruction.Form == InterruptForm.Int && (s->Slots[Slot.Eflags] & Eflags.IopL) != Eflags.IopL)
        {
            s->Slots[Slot.Rip] = start;
            return DeliverEvent(vcpu, new CpuEvent(ExceptionVector.GeneralProtection, EventKind.Exception), start);
        }

        var kind = instruction.Form == InterruptForm.Debug ? EventKind.DebugTrap : EventKind.Software;
        return DeliverEvent(vcpu, new CpuEvent(instruction.Vector, kind), start);
    }

    private bool DeliverEvent(Vcpu vcpu, CpuEvent e, ulong restart)
    {
        if (InterruptDelivery.TryDeliver(vcpu.State, e, restart))
            return true;
        host.Shutdown(vcpu);
        return !host.IsOver;
    }

    private bool Poll(Vcpu vcpu)
    {
        host.Poll(vcpu);
        return !host.IsOver;
    }

    // Waits for what wakes the vCPU: an interrupt that is taken, or a reset by the host, after which it is not halted any more.
    private bool Halt(Vcpu vcpu)
    {
        var s = vcpu.State;
        s->System.IsHalted = true;
        s->System.InterruptShadow = 0;
        while (Poll(vcpu))
        {
            if (!s->System.IsHalted)
                return true;
            if (IsInterrupted(s))
                return TakeInterrupts(vcpu);
            if (!host.Wait(vcpu))
                return false;
        }

        return false;
    }

    // As the processor does with CR0.NE clear and without IGNNE#: FERR# is asserted, and the instruction waits for the interrupt (SDM Vol. 1, D.2.1).
    private bool ReportFloatingPointError(Vcpu vcpu)
    {
        host.FloatingPointError(true);
        var goesOn = Halt(vcpu);
        host.FloatingPointError(false);
        return goesOn;
    }

    private bool IsInterrupted(CpuState* s) =>
        IsNmiDue(s) || (host.Interrupts.IsInterruptRequested && (s->Slots[Slot.Eflags] & Eflags.IF) != 0);

    private bool IsNmiDue(CpuState* s) => host.Interrupts.IsNmiRequested && !s->System.IsNmiBlocked;

    // Takes what is due. What has to wait for EFLAGS.IF is remembered: guest code then runs at full speed, and the instruction that sets IF makes the vCPU
    // come here again.
    private bool TakeInterrupts(Vcpu vcpu)
    {
        var s = vcpu.State;
        while (true)
        {
            s->Execution.InterruptPending = 0;
            if (!IsInterrupted(s))
            {
                s->Execution.InterruptPending = host.Interrupts.IsInterruptRequested ? 1 : 0;
                return true;
            }

            if (s->System.InterruptShadow == 0)
            {
                if (!TakeInterrupt(vcpu))
                    return false;
                continue;
            }

            // An instruction that sets a shadow again gets none: a loop of them does not hold interrupts back for ever.
            var cause = vcpu.ExecuteOne();
            if (cause == ExitCause.Budget)
                return true;
            s->System.InterruptShadow = 0;
            if (cause != ExitCause.Continue && !Deliver(vcpu, cause))
                return false;
        }
    }

    private bool TakeInterrupt(Vcpu vcpu)
    {
        var s = vcpu.State;
        s->System.IsHalted = false;
        int vector = ExceptionVector.NonMaskable;
        if (IsNmiDue(s))
        {
            host.Interrupts.AcknowledgeNmi();
            s->System.IsNmiBlocked = true;
        }
        else
            vector = host.Interrupts.AcknowledgeInterrupt();
        return DeliverEvent(vcpu, new CpuEvent((byte)vector, EventKind.External), s->Slots[Slot.Rip]);
    }

    // What a shadow holds back is looked at when the next run begins.
    private bool EndRun(Vcpu vcpu)
    {
        if (IsInterrupted(vcpu.State))
            vcpu.RequestExit();
        return false;
    }
}
