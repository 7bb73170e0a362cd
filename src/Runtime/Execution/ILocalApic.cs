namespace DynaTrans.Runtime.Execution;

/// <summary>What the registers of a vCPU have to do with its local APIC. All members are called on the vCPU's thread.</summary>
public interface ILocalApic
{
    /// <summary>IA32_TSC_DEADLINE: the time stamp at which the timer is due, in the mode that goes by it; 0: none.</summary>
    ulong TimeStampDeadline { get; set; }

    /// <summary>IA32_APIC_BASE was written: the page of its registers, and whether it is enabled (bit 11).</summary>
    void BaseChanged(ulong value);
}
