namespace DynaTrans.Pc;

/// <summary>Why a machine has stopped for good.</summary>
public enum EndCause
{
    /// <summary>The guest has switched the power off.</summary>
    PowerOff,

    /// <summary>The guest has reset the machine.</summary>
    Reset,

    /// <summary>The processor has met a fault that it could not deliver, twice over (shutdown).</summary>
    TripleFault,

    /// <summary>The processor has halted with interrupts disabled: nothing can wake it.</summary>
    Halted,

    /// <summary>The guest has written to the debug-exit port.</summary>
    DebugExit,

    /// <summary>The user has asked for it.</summary>
    Quit,
}

/// <summary>How a machine has ended.</summary>
/// <param name="Cause">Why.</param>
/// <param name="Status">The exit status that the guest has asked for at the debug-exit port, odd; else 0.</param>
public readonly record struct MachineEnd(EndCause Cause, int Status = 0);
