namespace DynaTrans.Frontend.Ir;

/// <summary>The kinds of instructions that ask for an interrupt; they differ in their checks (SDM Vol. 2, INT n/INTO/INT3/INT1).</summary>
public enum InterruptForm
{
    /// <summary>int n: the gate's privilege counts, and IOPL in virtual-8086 mode.</summary>
    Int,

    /// <summary>int3 and into: the gate's privilege counts.</summary>
    Trap,

    /// <summary>int1: nothing is checked, as for an exception.</summary>
    Debug,
}

/// <summary>What the detail of <see cref="ExitCause.SoftwareInterrupt"/> says, and of the overflow exception of into.</summary>
/// <param name="Bits">Vector in bits 7:0, length of the instruction in bits 15:8, form above.</param>
public readonly record struct SoftwareInterrupt(long Bits)
{
    /// <summary>The detail of an instruction.</summary>
    public SoftwareInterrupt(int vector, int length, InterruptForm form)
        : this(vector | (length << 8) | ((int)form << 16))
    {
    }

    /// <summary>0 to 255.</summary>
    public byte Vector => (byte)Bits;

    /// <summary>Bytes of the instruction, which lie before RIP.</summary>
    public int Length => (byte)(Bits >> 8);

    /// <summary>Which instruction.</summary>
    public InterruptForm Form => (InterruptForm)(Bits >> 16 & 3);
}
