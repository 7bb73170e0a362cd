using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using DynaTrans.Runtime.SoftFloat;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.State;

/// <summary>
/// The x87 part of the guest state, in unmanaged memory. The eight physical registers come first, 16 bytes each with the significand at
/// +0 and sign and exponent at +8, so that the MMX registers (SDM Vol. 1, 9.2.1) are the significands.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = SizeInBytes)]
public unsafe struct X87State
{
    /// <summary>Size of the structure.</summary>
    public const int SizeInBytes = ControlOffset + 64;

    /// <summary>Offset of the control fields behind the registers.</summary>
    public const int ControlOffset = 8 * 16;

    /// <summary><see cref="Guard"/>: CR0.TS or CR0.EM is set, x87 instructions raise #NM.</summary>
    public const byte GuardInstructions = 1;

    /// <summary><see cref="Guard"/>: CR0.TS and CR0.MP are set, WAIT raises #NM.</summary>
    public const byte GuardWait = 2;

    private const int OpcodeShift = 53;

    /// <summary>Control word.</summary>
    [FieldOffset(ControlOffset)]
    public ushort Fcw;

    /// <summary>
    /// Status word without TOP. TOP is apart, so that finding a register never waits for the flags of the instruction before.
    /// </summary>
    [FieldOffset(ControlOffset + 2)]
    internal ushort Status;

    /// <summary>One bit per physical register: 1 is not empty. The full tag word is computed where it is read.</summary>
    [FieldOffset(ControlOffset + 4)]
    public byte Valid;

    /// <summary>What CR0 forbids (the Guard... constants). Whoever changes CR0 keeps it.</summary>
    [FieldOffset(ControlOffset + 5)]
    public byte Guard;

    /// <summary>Number of the physical register that is ST(0).</summary>
    [FieldOffset(ControlOffset + 6)]
    internal byte Top;

    /// <summary>
    /// <see cref="Valid"/>, <see cref="Guard"/> and <see cref="Top"/> in one word, in this order from the lowest byte; the highest is 0.
    /// </summary>
    [FieldOffset(ControlOffset + 4)]
    public uint Stack;

    /// <summary>
    /// The last instruction that was not a control instruction, as <see cref="Pack"/> makes it: one store keeps both FIP and FOP.
    /// </summary>
    [FieldOffset(ControlOffset + 8)]
    public ulong Last;

    /// <summary>Offset of the last memory operand; in real mode its linear address.</summary>
    [FieldOffset(ControlOffset + 16)]
    public ulong Fdp;

    /// <summary>Status word as software sees it: TOP, ES and B included. Setting it does not recompute ES and B.</summary>
    public ushort Fsw
    {
        readonly get => (ushort)(Status | (uint)Top << TopShift);
        set
        {
            Status = (ushort)(value & ~TopMask);
            Top = (byte)(value >> TopShift & 7);
        }
    }

    /// <summary>Offset of the last instruction.</summary>
    public readonly ulong Fip => (ulong)((long)(Last << (64 - OpcodeShift)) >> (64 - OpcodeShift));

    /// <summary>Opcode of the last instruction: the low three bits of its first byte, and its second byte.</summary>
    public readonly ushort Fop => (ushort)(Last >> OpcodeShift);

    /// <summary>Opcode in bits 63:53, address (canonical, or an offset of 32 bits) in bits 52:0.</summary>
    public static ulong Pack(ulong address, uint opcode) => address << (64 - OpcodeShift) >> (64 - OpcodeShift) | (ulong)opcode << OpcodeShift;

    /// <summary>
    /// True when an argument made for a helper says that the operand is relative to SS: the highest bit of the address is then not that of
    /// the bit below it.
    /// </summary>
    public static bool IsStackOperand(ulong last) => WithoutOperand(last) != last;

    /// <summary>What is kept in <see cref="Last"/> of a helper's argument.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong WithoutOperand(ulong last) => last ^ ((last ^ last << 1) & 1UL << (OpcodeShift - 1));

    /// <summary>The register number in the opcode of <see cref="Pack"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint RegisterOf(ulong last) => (uint)(last >> OpcodeShift) & 7;

    /// <summary>Number of the physical register that is ST(index).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Physical(X87State* s, uint index) => s->Top + index & 7;

    /// <summary>The register ST(index).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80* St(X87State* s, uint index) => (Float80*)s + Physical(s, index);

    /// <summary>True when ST(index) is not empty.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsValid(X87State* s, uint index) => (s->Valid >> (int)Physical(s, index) & 1) != 0;

    /// <summary>Marks ST(0) empty and increments TOP.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Pop(X87State* s)
    {
        uint top = s->Top;
        s->Valid &= (byte)~(1u << (int)top);
        s->Top = (byte)(top + 1 & 7);
    }

    /// <summary>Sets the status bits of an instruction: exceptions accumulate, C1 is replaced.</summary>
    /// <returns>True when the exceptions include one that is not masked.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool SetStatus(X87State* s, uint flags)
    {
        s->Status = (ushort)(s->Status & ~C1 | flags);
        if ((flags & ~(uint)s->Fcw & Exceptions) == 0)
            return false;
        MakePending(s);
        return true;
    }

    /// <summary>
    /// Recomputes ES and B after the control word, the exception flags or both were replaced.
    /// </summary>
    public static void UpdateSummary(X87State* s)
    {
        if ((s->Status & ~(uint)s->Fcw & Exceptions) != 0)
            MakePending(s);
        else
            s->Status = (ushort)(s->Status & ~(ES | Busy));
    }

    /// <summary>Stack fault of an instruction that has a register destination: IE and SF, C1 set on overflow.</summary>
    /// <returns>True when the exception is masked and the masked response is to be carried out.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool StackFault(X87State* s, bool overflow) => !SetStatus(s, IE | SF | (overflow ? C1 : 0));

    private static void MakePending(X87State* s) => s->Status |= (ushort)(ES | Busy);
}
