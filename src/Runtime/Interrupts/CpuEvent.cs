using DynaTrans.Frontend.Lifting;

namespace DynaTrans.Runtime.Interrupts;

/// <summary>What an event comes from, which decides about checks, error codes and EFLAGS.RF.</summary>
internal enum EventKind : byte
{
    /// <summary>An exception that an instruction raised.</summary>
    Exception,

    /// <summary>int n, int3 or into.</summary>
    Software,

    /// <summary>int1.</summary>
    DebugTrap,

    /// <summary>INTR or NMI.</summary>
    External,
}

/// <summary>An interrupt or exception that is to be delivered (SDM Vol. 3, 6.3 to 6.5).</summary>
/// <param name="Vector">0 to 255.</param>
/// <param name="Kind">Where it comes from.</param>
/// <param name="Error">Error code, where <see cref="HasErrorCode"/>.</param>
internal readonly record struct CpuEvent(byte Vector, EventKind Kind, uint Error = 0)
{
    private const uint WithErrorCode = (1u << ExceptionVector.DoubleFault) | (1u << ExceptionVector.InvalidTask) | (1u << ExceptionVector.SegmentNotPresent)
        | (1u << ExceptionVector.StackFault) | (1u << ExceptionVector.GeneralProtection) | (1u << ExceptionVector.PageFault) | (1u << ExceptionVector.AlignmentCheck);

    private const uint Contributory = (1u << ExceptionVector.DivideError) | (1u << ExceptionVector.InvalidTask) | (1u << ExceptionVector.SegmentNotPresent)
        | (1u << ExceptionVector.StackFault) | (1u << ExceptionVector.GeneralProtection);

    private const uint NoFault = (1u << ExceptionVector.Debug) | (1u << ExceptionVector.DoubleFault);

    /// <summary>The EXT bit in the error code of an exception that the delivery raises (SDM Vol. 3, 6.13).</summary>
    public uint ExternalBit => Kind == EventKind.Software ? 0u : 1;

    /// <summary>The privilege level of the gate counts.</summary>
    public bool ChecksGate => Kind == EventKind.Software;

    /// <summary>An error code is pushed, except in real-address mode.</summary>
    public bool HasErrorCode => Kind == EventKind.Exception && Is(WithErrorCode);

    /// <summary>A fault: RF is set in the pushed flags (SDM Vol. 3, 17.3.1.1).</summary>
    public bool IsFault => Kind == EventKind.Exception && !Is(NoFault);

    /// <summary>#DF, after which any other fault shuts the processor down.</summary>
    public bool IsDoubleFault => Kind == EventKind.Exception && Vector == ExceptionVector.DoubleFault;

    /// <summary>True when this event and an exception during its delivery make a double fault (SDM Vol. 3, table 6-5).</summary>
    public bool MakesDoubleFault(CpuEvent second)
    {
        if (Kind != EventKind.Exception)
            return false;
        if (Vector == ExceptionVector.PageFault)
            return second.Vector == ExceptionVector.PageFault || second.Is(Contributory);
        return Is(Contributory) && second.Is(Contributory);
    }

    private bool Is(uint vectors) => Vector < 32 && (vectors >> Vector & 1) != 0;
}
