using DynaTrans.Frontend.Decoding;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Execution;

/// <content>What a vCPU of a system is, and what it asks of the machine around it.</content>
public sealed unsafe partial class Vcpu
{
    private ITimeStampSource? _timeStampSource;

    /// <summary>The model, which says what instructions and registers there are. To be set before the vCPU runs.</summary>
    public CpuModel Model
    {
        get => _lifter.Model;
        set => _lifter.Model = value;
    }

    /// <summary>What drives the interrupt pins; null when nothing does.</summary>
    public IInterruptController? Interrupts { get; set; }

    /// <summary>The local APIC; null when there is none, which cpuid then says.</summary>
    public ILocalApic? LocalApic { get; set; }

    /// <summary>The clock of the time-stamp counter; null: that of the host.</summary>
    public ITimeStampSource? TimeStampSource
    {
        get => _timeStampSource;
        set
        {
            _timeStampSource = value;
            State->Execution.TimeStampReader = value == null ? null : &ReadTimeStamp;
        }
    }

    private bool SystemChecksAlignment =>
        CpuAccess.Mode(State).IsSystem() && CpuAccess.Mode(State).IsUser() && (State->System.Cr0 & Cr0.AlignmentMask) != 0;

    private static ulong ReadTimeStamp(CpuState* s) => Of(s)._timeStampSource!.Now;
}
