namespace DynaTrans.Frontend.Ir;

/// <summary>
/// Helpers: what is too big to lift, one static C# method each, called by both executors through <see cref="IrOpcode.Call"/>. The methods
/// are in the runtime's Helpers folder, one file per family; the runtime's helper table says what state each may touch.
/// Each family has a section of its own below.
/// </summary>
public enum HelperId : ushort
{
    /// <summary>No helper.</summary>
    None,

    // Integer

    // Strings

    // Atomics: (linear address, operand, size | carry << 8) gives the old value, zero-extended; the new value is in memory.

    /// <summary>lock add, inc, dec, xadd.</summary>
    AtomicAdd,

    /// <summary>lock sub.</summary>
    AtomicSub,

    /// <summary>lock adc.</summary>
    AtomicAdc,

    /// <summary>lock sbb.</summary>
    AtomicSbb,

    /// <summary>lock and.</summary>
    AtomicAnd,

    /// <summary>lock or.</summary>
    AtomicOr,

    /// <summary>lock xor, not.</summary>
    AtomicXor,

    /// <summary>lock neg.</summary>
    AtomicNeg,

    /// <summary>xchg.</summary>
    AtomicExchange,

    // System

    // Vector

    // X87

    /// <summary>Number of helpers.</summary>
    Count,
}
