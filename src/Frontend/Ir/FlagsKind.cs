namespace DynaTrans.Frontend.Ir;

/// <summary>
/// How the six status flags come from the flags record (op, res, src, aux). <c>res</c> and <c>src</c> are zero-extended from the
/// operation's size; SF, ZF and PF always come from <c>res</c>, except with <see cref="Explicit"/>, which
/// is 0: a record's code is the kind times 4 plus log2(size). SDM Vol. 1, 3.4.3.1 and App. A. (EnumOrderTests.)
/// </summary>
public enum FlagsKind : byte
{
    /// <summary><c>src</c> holds CF PF AF ZF SF OF at their EFLAGS positions; <c>res</c> is meaningless.</summary>
    Explicit,

    /// <summary>res = a + src.</summary>
    Add,

    /// <summary>res = a + src + aux, aux the carry in (0 or 1).</summary>
    Adc,

    /// <summary>res = a - src.</summary>
    Sub,

    /// <summary>res = a - src - aux, aux the borrow in (0 or 1).</summary>
    Sbb,

    /// <summary>and, or, xor, test: CF = OF = AF = 0.</summary>
    Logic,

    /// <summary>res = a + 1; src is the CF that stays.</summary>
    Inc,

    /// <summary>res = a - 1; src is the CF that stays.</summary>
    Dec,

    /// <summary>src = a shifted left by count - 1: its top bit is CF; OF = CF xor the result's top bit; AF = 0.</summary>
    Shl,

    /// <summary>src = a shifted right by count - 1: its low bit is CF, its top bit OF; AF = 0.</summary>
    Shr,

    /// <summary>src = a shifted right by count - 1: its low bit is CF; OF = 0; AF = 0.</summary>
    Sar,

    /// <summary>Multiplication: CF = OF = (src != 0); AF = 1; res is the high half.</summary>
    Mul,
}

/// <summary>The 16 conditions in the order of their encoding (SDM Vol. 2, App. B, tttn; EnumOrderTests).</summary>
public enum Condition : byte
{
    /// <summary>Overflow.</summary>
    O,

    /// <summary>No overflow.</summary>
    No,

    /// <summary>Below: CF.</summary>
    B,

    /// <summary>Above or equal: not CF.</summary>
    Ae,

    /// <summary>Equal: ZF.</summary>
    E,

    /// <summary>Not equal.</summary>
    Ne,

    /// <summary>Below or equal: CF or ZF.</summary>
    Be,

    /// <summary>Above.</summary>
    A,

    /// <summary>Sign.</summary>
    S,

    /// <summary>No sign.</summary>
    Ns,

    /// <summary>Parity even.</summary>
    P,

    /// <summary>Parity odd.</summary>
    Np,

    /// <summary>Less: SF != OF.</summary>
    L,

    /// <summary>Greater or equal.</summary>
    Ge,

    /// <summary>Less or equal: ZF or SF != OF.</summary>
    Le,

    /// <summary>Greater.</summary>
    G,
}

/// <summary>EFLAGS bits (SDM Vol. 1, 3.4.3).</summary>
public static class Eflags
{
    /// <summary>Carry.</summary>
    public const uint CF = 1;

    /// <summary>Parity.</summary>
    public const uint PF = 4;

    /// <summary>Auxiliary carry.</summary>
    public const uint AF = 0x10;

    /// <summary>Zero.</summary>
    public const uint ZF = 0x40;

    /// <summary>Sign.</summary>
    public const uint SF = 0x80;

    /// <summary>Trap (single step).</summary>
    public const uint TF = 0x100;

    /// <summary>Interrupts enabled.</summary>
    public const uint IF = 0x200;

    /// <summary>Direction of string instructions: set is downwards.</summary>
    public const uint DF = 0x400;

    /// <summary>Overflow.</summary>
    public const uint OF = 0x800;

    /// <summary>I/O privilege level.</summary>
    public const uint IopL = 0x3000;

    /// <summary>Nested task.</summary>
    public const uint NT = 0x4000;

    /// <summary>Resume.</summary>
    public const uint RF = 0x10000;

    /// <summary>Virtual-8086 mode.</summary>
    public const uint VM = 0x20000;

    /// <summary>Alignment check.</summary>
    public const uint AC = 0x40000;

    /// <summary>Virtual interrupt flag.</summary>
    public const uint VIF = 0x80000;

    /// <summary>Virtual interrupt pending.</summary>
    public const uint VIP = 0x100000;

    /// <summary>CPUID available, writable.</summary>
    public const uint Id = 0x200000;

    /// <summary>The six status flags.</summary>
    public const uint Status = CF | PF | AF | ZF | SF | OF;
}
