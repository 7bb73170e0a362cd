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

    /// <summary>8-bit div: (AX, divisor) gives the quotient or raises #DE. Unsigned operands are zero-extended, signed ones sign-extended.</summary>
    DivU8,

    /// <summary>16-bit div: (DX:AX, divisor).</summary>
    DivU16,

    /// <summary>32-bit div: (EDX:EAX, divisor).</summary>
    DivU32,

    /// <summary>64-bit div: (RDX, RAX, divisor).</summary>
    DivU64,

    /// <summary>8-bit idiv: (AX, divisor).</summary>
    DivS8,

    /// <summary>16-bit idiv: (DX:AX, divisor).</summary>
    DivS16,

    /// <summary>32-bit idiv: (EDX:EAX, divisor).</summary>
    DivS32,

    /// <summary>64-bit idiv: (RDX, RAX, divisor).</summary>
    DivS64,

    /// <summary>rcl: (value, masked count, carry in | size &lt;&lt; 8) gives the result.</summary>
    RotateLeftCarry,

    /// <summary>rcl: the same arguments, gives the carry out.</summary>
    RotateLeftCarryOut,

    /// <summary>rcr: as <see cref="RotateLeftCarry"/>.</summary>
    RotateRightCarry,

    /// <summary>rcr: as <see cref="RotateLeftCarryOut"/>.</summary>
    RotateRightCarryOut,

    /// <summary>bextr: (value, start | length &lt;&lt; 8 in the low 16 bits).</summary>
    BitExtract,

    /// <summary>pdep: (value, mask).</summary>
    BitDeposit,

    /// <summary>pext: (value, mask).</summary>
    BitGather,

    /// <summary>daa: (AL, status flags) gives AL | flags &lt;&lt; 16.</summary>
    Daa,

    /// <summary>das: as <see cref="Daa"/>.</summary>
    Das,

    /// <summary>aaa: (AX, status flags) gives AX | flags &lt;&lt; 16.</summary>
    Aaa,

    /// <summary>aas: as <see cref="Aaa"/>.</summary>
    Aas,

    /// <summary>aam: (AL, divisor, not 0) gives AX.</summary>
    Aam,

    /// <summary>bound: (index, lower, upper), sign-extended; raises #BR.</summary>
    Bound,

    /// <summary>into: (RIP of the next instruction); raises the trap #OF when OF is set.</summary>
    Into,

    /// <summary>pusha: (operand size).</summary>
    PushAll,

    /// <summary>enter with nesting: (bytes to allocate, level, operand size).</summary>
    EnterNested,

    // Strings

    /// <summary>rep movs: (element size | address size &lt;&lt; 8 | source segment &lt;&lt; 16 | repne &lt;&lt; 24) gives 0 when the repetition has ended, else 1: enter it again.</summary>
    RepMovs,

    /// <summary>rep stos: as <see cref="RepMovs"/>.</summary>
    RepStos,

    /// <summary>rep lods.</summary>
    RepLods,

    /// <summary>repe or repne scas.</summary>
    RepScas,

    /// <summary>repe or repne cmps.</summary>
    RepCmps,

    /// <summary>rep ins.</summary>
    RepIns,

    /// <summary>rep outs.</summary>
    RepOuts,

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

    /// <summary>lock cmpxchg: (linear address, new value, size) compares with rAX; gives the old value.</summary>
    AtomicCompareExchange,

    /// <summary>cmpxchg8b: (linear address); compares with EDX:EAX, loads them when different, gives ZF.</summary>
    CompareExchange8B,

    /// <summary>cmpxchg16b: as <see cref="CompareExchange8B"/> with RDX:RAX; #GP(0) when not aligned.</summary>
    CompareExchange16B,

    // System

    /// <summary>(segment register index) gives its selector.</summary>
    ReadSelector,

    /// <summary>(segment register index, selector) loads it or raises the exception.</summary>
    LoadSegment,

    /// <summary>far jump: (selector, offset) gives the new RIP.</summary>
    FarJump,

    /// <summary>far call: (selector | operand size &lt;&lt; 16, offset, RIP of the next instruction) gives the new RIP.</summary>
    FarCall,

    /// <summary>far return: (operand size, bytes to drop) gives the new RIP.</summary>
    FarReturn,

    /// <summary>iret: (operand size) gives the new RIP.</summary>
    InterruptReturn,

    /// <summary>lar: (selector) gives access rights | 1 &lt;&lt; 32, or 0 when the selector is not accessible.</summary>
    AccessRights,

    /// <summary>lsl: (selector) gives limit | 1 &lt;&lt; 32, or 0.</summary>
    SegmentLimit,

    /// <summary>verr, verw: (selector, 1 for write) gives ZF.</summary>
    VerifySegment,

    /// <summary>sgdt, sidt: (linear address, base, size of the base) stores limit 0 and the base.</summary>
    StoreTable,

    /// <summary>cpuid.</summary>
    Cpuid,

    /// <summary>rdtsc: the time-stamp counter.</summary>
    TimeStamp,

    /// <summary>in: (port, size).</summary>
    PortIn,

    /// <summary>out: (port, size, value).</summary>
    PortOut,

    /// <summary>wrfsbase, wrgsbase: (segment register index, base); #GP(0) unless canonical.</summary>
    WriteBase,

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
