namespace DynaTrans.Runtime.Execution;

/// <summary>What a vCPU of a system needs from the machine around it. All members are called on the vCPU's thread, between guest instructions.</summary>
public interface ISystemHost
{
    /// <summary>What drives the vCPU's interrupt pins.</summary>
    IInterruptController Interrupts { get; }

    /// <summary>True ends the run: power-off, reset, the user's wish.</summary>
    bool IsOver { get; }

    /// <summary>Called for every <see cref="Vcpu.RequestExit"/>, before the pins are looked at: runs timers that are due and posted work.</summary>
    void Poll(Vcpu vcpu);

    /// <summary>The vCPU has halted and nothing can wake it now: sleeps until the pins may have changed. False: nothing ever will, the machine is over.</summary>
    bool Wait(Vcpu vcpu);

    /// <summary>The vCPU has met a triple fault and executes nothing more (SDM Vol. 3, 6.15, interrupt 8). The host resets it or ends the run.</summary>
    void Shutdown(Vcpu vcpu);

    /// <summary>The FERR# pin: an x87 error is to be reported by an interrupt, for CR0.NE is clear.</summary>
    void FloatingPointError(bool asserted);
}
