using DynaTrans.Runtime.Memory;

namespace DynaTrans.Cli.Bare;

/// <summary>The modes of bare code.</summary>
internal enum BareMode
{
    /// <summary>Real-address mode: 16-bit code, segment base = selector * 16, interrupts through the vector table.</summary>
    Real,

    /// <summary>16-bit code and a 16-bit stack pointer, flat segments.</summary>
    Protected16,

    /// <summary>32-bit code, flat segments.</summary>
    Protected32,

    /// <summary>64-bit code.</summary>
    Long64,
}

/// <summary>A piece of guest memory of a case: bytes, or a number of zero bytes.</summary>
/// <param name="Address">Guest-virtual address (in real mode physical).</param>
/// <param name="Length">Bytes.</param>
/// <param name="Bytes">The content, or null when every byte is <paramref name="Fill"/>.</param>
/// <param name="Fill">Value of every byte without a content.</param>
/// <param name="Access">What the guest may do with it.</param>
internal readonly record struct MemoryRegion(ulong Address, ulong Length, byte[]? Bytes, byte Fill = 0, PagePermission Access = MemoryRegion.All)
{
    /// <summary>Readable, writable and executable.</summary>
    public const PagePermission All = PagePermission.Read | PagePermission.Write | PagePermission.Execute;
}

/// <summary>One case of <c>dynatrans exec</c>, checked.</summary>
internal sealed class ExecCase
{
    /// <summary>Instructions executed when the case does not say how many.</summary>
    public const ulong DefaultInstructions = 1_000_000;

    /// <summary>The mode.</summary>
    public BareMode Mode { get; set; }

    /// <summary>Privilege level: 0 or 3. Real mode is ring 0.</summary>
    public int Ring { get; set; } = 3;

    /// <summary>Stop after so many instructions.</summary>
    public ulong Instructions { get; set; } = DefaultInstructions;

    /// <summary>Memory to map and fill.</summary>
    public List<MemoryRegion> Memory { get; } = [];

    /// <summary>Memory to report at the end.</summary>
    public List<MemoryRegion> Dump { get; } = [];

    /// <summary>Report the bytes of all memory that have changed.</summary>
    public bool ReportsChanges { get; set; }

    /// <summary>Only the selectors that a Linux process has can be loaded, instead of any.</summary>
    public bool HasLinuxSelectors { get; set; }

    /// <summary>Registers at the start.</summary>
    public RegisterFile Registers { get; } = new();
}

/// <summary>The registers that a case sets and a result reports.</summary>
internal sealed class RegisterFile
{
    /// <summary>General registers in encoding order.</summary>
    public ulong[] Gpr { get; } = new ulong[16];

    /// <summary>Offset of the next instruction in CS.</summary>
    public ulong Rip { get; set; }

    /// <summary>RFLAGS.</summary>
    public uint Rflags { get; set; } = 2;

    /// <summary>Selectors in encoding order ES CS SS DS FS GS.</summary>
    public ushort[] Selectors { get; } = new ushort[6];

    /// <summary>Base of FS, when given.</summary>
    public ulong? FsBase { get; set; }

    /// <summary>Base of GS, when given.</summary>
    public ulong? GsBase { get; set; }

    /// <summary>ST(0) to ST(7): 80-bit values.</summary>
    public UInt128[] St { get; } = new UInt128[8];

    /// <summary>Bit n is set when the case gave ST(n).</summary>
    public int StGiven { get; set; }

    /// <summary>XMM registers.</summary>
    public UInt128[] Xmm { get; } = new UInt128[16];

    /// <summary>x87 control word.</summary>
    public ushort Fcw { get; set; } = 0x37F;

    /// <summary>x87 status word.</summary>
    public ushort Fsw { get; set; }

    /// <summary>x87 tag word, two bits a physical register, when given.</summary>
    public ushort? Ftw { get; set; }

    /// <summary>MXCSR.</summary>
    public uint Mxcsr { get; set; } = 0x1F80;
}
