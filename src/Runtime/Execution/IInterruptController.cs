namespace DynaTrans.Runtime.Execution;

/// <summary>
/// What stands between devices and the interrupt pins of a vCPU (a pair of 8259A, a local APIC). All members are called on the vCPU's thread.
/// Whoever raises a request while the vCPU runs calls <see cref="Vcpu.RequestExit"/> after it, so that it looks here.
/// </summary>
public interface IInterruptController
{
    /// <summary>True while the INTR pin is asserted: a maskable interrupt waits.</summary>
    bool IsInterruptRequested { get; }

    /// <summary>True while a non-maskable interrupt waits; <see cref="AcknowledgeNmi"/> takes it.</summary>
    bool IsNmiRequested { get; }

    /// <summary>The task priority that CR8 shows and sets (0 to 15).</summary>
    byte TaskPriority { get; set; }

    /// <summary>The interrupt acknowledge cycle: which vector to deliver (the spurious one when the request has gone).</summary>
    byte AcknowledgeInterrupt();

    /// <summary>Takes the non-maskable interrupt.</summary>
    void AcknowledgeNmi();
}
