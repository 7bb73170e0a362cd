using System.Runtime.InteropServices;

namespace DynaTrans.Conformance.Native;

/// <summary>
/// User-visible state of an x86 CPU: what a case starts from and what it ends with. The layout is shared with the machine code
/// that <see cref="StubWriter"/> writes, so it is fixed.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
public unsafe struct MachineState
{
    /// <summary>Size in bytes.</summary>
    public const int Bytes = 0x300;

    internal const int GprOffset = 0;
    internal const int RipOffset = 0x80;
    internal const int RflagsOffset = 0x88;
    internal const int FsBaseOffset = 0x90;
    internal const int GsBaseOffset = 0x98;
    internal const int VectorOffset = 0xA0;
    internal const int ErrorCodeOffset = 0xA8;
    internal const int FaultAddressOffset = 0xB0;
    internal const int SignalOffset = 0xB8;
    internal const int SignalCodeOffset = 0xC0;
    internal const int FxOffset = 0x100;

    /// <summary>General registers in encoding order: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8..r15.</summary>
    [FieldOffset(GprOffset)] public fixed ulong Gpr[16];

    /// <summary>Instruction pointer.</summary>
    [FieldOffset(RipOffset)] public ulong Rip;

    /// <summary>RFLAGS.</summary>
    [FieldOffset(RflagsOffset)] public ulong Rflags;

    /// <summary>Base of FS; 0 means "the case does not use FS".</summary>
    [FieldOffset(FsBaseOffset)] public ulong FsBase;

    /// <summary>Base of GS; 0 means "the case does not use GS".</summary>
    [FieldOffset(GsBaseOffset)] public ulong GsBase;

    /// <summary>Vector of the exception that ended the case, or -1.</summary>
    [FieldOffset(VectorOffset)] public long Vector;

    /// <summary>Error code of the exception, 0 where it has none.</summary>
    [FieldOffset(ErrorCodeOffset)] public ulong ErrorCode;

    /// <summary>CR2 after a page fault; meaningless for other vectors.</summary>
    [FieldOffset(FaultAddressOffset)] public ulong FaultAddress;

    /// <summary>Linux signal number that reported the exception, 0 if none.</summary>
    [FieldOffset(SignalOffset)] public long Signal;

    /// <summary><c>si_code</c> of that signal.</summary>
    [FieldOffset(SignalCodeOffset)] public long SignalCode;

    /// <summary>x87, MXCSR and XMM registers as FXSAVE64 stores them (Intel SDM vol. 1, 10.5).</summary>
    [FieldOffset(FxOffset)] public fixed byte Fx[512];

    /// <summary>x87 control word.</summary>
    [FieldOffset(FxOffset + 0)] public ushort Fcw;

    /// <summary>x87 status word.</summary>
    [FieldOffset(FxOffset + 2)] public ushort Fsw;

    /// <summary>Abridged x87 tag word: bit i set when physical register i is not empty.</summary>
    [FieldOffset(FxOffset + 4)] public byte Ftw;

    /// <summary>Last x87 opcode (11 bits).</summary>
    [FieldOffset(FxOffset + 6)] public ushort Fop;

    /// <summary>Last x87 instruction pointer.</summary>
    [FieldOffset(FxOffset + 8)] public ulong Fip;

    /// <summary>Last x87 data pointer.</summary>
    [FieldOffset(FxOffset + 16)] public ulong Fdp;

    /// <summary>MXCSR.</summary>
    [FieldOffset(FxOffset + 24)] public uint Mxcsr;

    /// <summary>Mask of the MXCSR bits that may be set, as FXSAVE reports it.</summary>
    [FieldOffset(FxOffset + 28)] public uint MxcsrMask;

    /// <summary>Significand of ST(<paramref name="i"/>).</summary>
    public ref ulong StSignificand(int i)
    {
        fixed (byte* fx = Fx) return ref *(ulong*)(fx + 32 + 16 * (i & 7));
    }

    /// <summary>Sign and exponent of ST(<paramref name="i"/>).</summary>
    public ref ushort StExponent(int i)
    {
        fixed (byte* fx = Fx) return ref *(ushort*)(fx + 40 + 16 * (i & 7));
    }

    /// <summary>64-bit element <paramref name="element"/> (0 or 1) of XMM register <paramref name="i"/>.</summary>
    public ref ulong Xmm(int i, int element)
    {
        fixed (byte* fx = Fx) return ref *(ulong*)(fx + 160 + 16 * (i & 15) + 8 * (element & 1));
    }
}
