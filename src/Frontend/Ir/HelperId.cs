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

    /// <summary>stmxcsr: gives MXCSR.</summary>
    StoreMxcsr,

    /// <summary>ldmxcsr: (new value).</summary>
    LoadMxcsr,

    /// <summary>Before a floating-point operation when an exception is unmasked in MXCSR.</summary>
    BeginSimdCheck,

    /// <summary>After it: raises #XM when an unmasked flag is up.</summary>
    EndSimdCheck,

    /// <summary>Raises #MF when an x87 exception is pending: before an MMX instruction's memory access.</summary>
    MmxCheck,

    /// <summary>The same, then the transition to MMX.</summary>
    MmxEnter,

    /// <summary>emms.</summary>
    Emms,

    /// <summary>maskmovq, maskmovdqu: (linear address, cell of data | cell of mask &lt;&lt; 8 | bytes &lt;&lt; 16).</summary>
    MaskedStore,

    /// <summary>mfence.</summary>
    MemoryFence,

    /// <summary>crc32: (accumulated value, operand, size of the operand in bytes).</summary>
    Crc32,

    /// <summary>
    /// pcmpestri, pcmpestrm, pcmpistri, pcmpistrm: (immediate | cell of operand 1 &lt;&lt; 8 | cell of operand 2 &lt;&lt; 16 | operand 2 in memory
    /// &lt;&lt; 24 | explicit lengths &lt;&lt; 25 | 64-bit lengths &lt;&lt; 26, linear address of operand 2); gives IntRes2 | index &lt;&lt; 16 | flags &lt;&lt; 32.
    /// </summary>
    PcmpStr,

    // X87

    /// <summary>Number of helpers.</summary>
    Count,
}
