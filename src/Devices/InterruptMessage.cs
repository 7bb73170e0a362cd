namespace DynaTrans.Devices;

/// <summary>What an interrupt message asks for (SDM Vol. 3, 11.5.1 and 11.6.1; the same numbers in local and I/O APIC). Others are reserved.</summary>
public enum DeliveryMode : byte
{
    /// <summary>The interrupt of the vector.</summary>
    Fixed = 0,

    /// <summary>The interrupt of the vector at the processor with the lowest priority.</summary>
    LowestPriority = 1,

    /// <summary>System management interrupt.</summary>
    Smi = 2,

    /// <summary>Non-maskable interrupt.</summary>
    Nmi = 4,

    /// <summary>Reset of the processor.</summary>
    Init = 5,

    /// <summary>Start of a processor that waits after INIT.</summary>
    StartUp = 6,

    /// <summary>An interrupt whose vector the 8259 pair gives.</summary>
    ExtInt = 7,
}

/// <summary>What an I/O APIC sends to local APICs.</summary>
/// <param name="Destination">An APIC identifier, FFh for all; or a logical destination.</param>
/// <param name="IsLogical">Which of the two.</param>
/// <param name="Mode">What it asks for.</param>
/// <param name="Vector">The vector, where the mode has one.</param>
/// <param name="IsLevel">Whether the source is level-triggered: then the end of the interrupt is told to the I/O APIC.</param>
public readonly record struct InterruptMessage(byte Destination, bool IsLogical, DeliveryMode Mode, byte Vector, bool IsLevel);
