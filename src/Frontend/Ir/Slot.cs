namespace DynaTrans.Frontend.Ir;

/// <summary>
/// Indices of the 64-bit slots at the start of the guest's <c>CpuState</c>: what an integer operand of an IR op names.
/// General registers are kept zero-extended: in 16- and 32-bit code bits 63:32 of their slots are zero.
/// </summary>
public static class Slot
{
    /// <summary>RAX; the general registers follow in their encoding order (RAX RCX RDX RBX RSP RBP RSI RDI R8..R15).</summary>
    public const ushort Rax = 0;

    /// <summary>RCX.</summary>
    public const ushort Rcx = 1;

    /// <summary>RDX.</summary>
    public const ushort Rdx = 2;

    /// <summary>RBX.</summary>
    public const ushort Rbx = 3;

    /// <summary>RSP.</summary>
    public const ushort Rsp = 4;

    /// <summary>RBP.</summary>
    public const ushort Rbp = 5;

    /// <summary>RSI.</summary>
    public const ushort Rsi = 6;

    /// <summary>RDI.</summary>
    public const ushort Rdi = 7;

    /// <summary>R8.</summary>
    public const ushort R8 = 8;

    /// <summary>R15.</summary>
    public const ushort R15 = 15;

    /// <summary>Always zero; the second operand of an op is <c>slot + Imm</c>, so this slot makes a constant.</summary>
    public const ushort Zero = 16;

    /// <summary>Instruction pointer (an offset in the code segment). Exact only where a block ends or a helper asks for it.</summary>
    public const ushort Rip = 17;

    /// <summary>Flags record: <see cref="FlagsKind"/> * 4 + log2(size in bytes). See <see cref="FlagsKind"/>.</summary>
    public const ushort FlagsOp = 18;

    /// <summary>Flags record: the result, zero-extended.</summary>
    public const ushort FlagsRes = 19;

    /// <summary>Flags record: the second operand, or what the kind says.</summary>
    public const ushort FlagsSrc = 20;

    /// <summary>Flags record: the carry that went in (adc, sbb).</summary>
    public const ushort FlagsAux = 21;

    /// <summary>EFLAGS without the six status flags CF PF AF ZF SF OF (those are in the record); bit 1 is set.</summary>
    public const ushort Eflags = 22;

    /// <summary>Results nobody wants (cmp, test) are written here; never read.</summary>
    public const ushort Void = 23;

    /// <summary>Base of ES; the others follow in the order ES CS SS DS FS GS (SDM Vol. 2, segment register encoding).</summary>
    public const ushort EsBase = 24;

    /// <summary>Base of CS.</summary>
    public const ushort CsBase = 25;

    /// <summary>Base of SS.</summary>
    public const ushort SsBase = 26;

    /// <summary>Base of DS.</summary>
    public const ushort DsBase = 27;

    /// <summary>Base of FS.</summary>
    public const ushort FsBase = 28;

    /// <summary>Base of GS.</summary>
    public const ushort GsBase = 29;

    /// <summary>First temporary. A temporary lives inside one guest instruction and is assigned once in it.</summary>
    public const ushort Temp0 = 32;

    /// <summary>Number of temporaries an instruction may use.</summary>
    public const int TempCount = 58;

    /// <summary>First of the slots where a back end keeps copies of the parts of a flags record; the IR does not name them.</summary>
    public const ushort Part0 = Temp0 + TempCount;

    /// <summary>Number of those.</summary>
    public const int PartCount = 6;

    /// <summary>Number of integer slots.</summary>
    public const int Count = Part0 + PartCount;

    private static readonly string[] Names =
    [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
        "zero", "rip", "flags.op", "flags.res", "flags.src", "flags.aux", "eflags", "_",
        "es.base", "cs.base", "ss.base", "ds.base", "fs.base", "gs.base", "s30", "s31",
    ];

    /// <summary>True for slots 0..15.</summary>
    public static bool IsGpr(ushort slot) => slot < 16;

    /// <summary>True for temporaries.</summary>
    public static bool IsTemp(ushort slot) => slot >= Temp0;

    /// <summary>The name the IR printer uses.</summary>
    public static string Name(ushort slot) => slot < Temp0 ? Names[slot] : slot < Part0 ? $"t{slot - Temp0}" : $"flags{slot - Part0}";
}

/// <summary>Indices into the vector file of <c>CpuState</c> (16-byte cells): what a vector operand of an IR op names.</summary>
public static class VSlot
{
    /// <summary>XMM0; XMM1..XMM15 follow.</summary>
    public const ushort Xmm0 = 0;

    /// <summary>First vector temporary; as <see cref="Slot.Temp0"/>, private to one guest instruction.</summary>
    public const ushort Temp0 = 16;

    /// <summary>Number of vector temporaries.</summary>
    public const int TempCount = 8;

    /// <summary>
    /// MM0, which is the significand of physical x87 register 0; MM1..MM7 follow. Only bits 63:0 are the MMX register; a write goes
    /// through <see cref="IrOpcode.VMovMmx"/>, which sets the sign and exponent bits above to ones (SDM Vol. 1, 9.5).
    /// </summary>
    public const ushort Mm0 = 24;

    /// <summary>Number of cells in the vector file.</summary>
    public const int Count = 32;

    /// <summary>The name the IR printer uses.</summary>
    public static string Name(ushort slot) => slot switch
    {
        < Temp0 => $"xmm{slot}",
        < Mm0 => $"v{slot - Temp0}",
        _ => $"mm{slot - Mm0}",
    };
}
