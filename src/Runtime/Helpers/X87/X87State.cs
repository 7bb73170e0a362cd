using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static DynaTrans.Runtime.Helpers.X87.X87Bits;

namespace DynaTrans.Runtime.Helpers.X87;

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

    /// <summary><see cref="Guard"/>: an unmasked exception is pending.</summary>
    public const byte GuardPending = 1;

    /// <summary><see cref="Guard"/>: CR0.TS is set.</summary>
    public const byte GuardTaskSwitched = 2;

    /// <summary><see cref="Guard"/>: CR0.EM is set.</summary>
    public const byte GuardEmulate = 4;

    /// <summary>Control word.</summary>
    [FieldOffset(ControlOffset)]
    public ushort Fcw;

    /// <summary>Status word exactly as software reads it, TOP, ES and B included.</summary>
    [FieldOffset(ControlOffset + 2)]
    public ushort Fsw;

    /// <summary>One bit per physical register: 1 is not empty. The full tag word is computed where it is read.</summary>
    [FieldOffset(ControlOffset + 4)]
    public byte Valid;

    /// <summary>Not zero: something has to be looked at before a waiting instruction runs (the Guard... constants).</summary>
    [FieldOffset(ControlOffset + 5)]
    public byte Guard;

    /// <summary>Last opcode (11 bits).</summary>
    [FieldOffset(ControlOffset + 6)]
    public ushort Fop;

    /// <summary>Offset of the last instruction.</summary>
    [FieldOffset(ControlOffset + 8)]
    public ulong Fip;

    /// <summary>Offset of the last memory operand.</summary>
    [FieldOffset(ControlOffset + 16)]
    public ulong Fdp;

    /// <summary>Code selector of the last instruction; stays 0, as on CPUs that report it as deprecated.</summary>
    [FieldOffset(ControlOffset + 24)]
    public ushort Fcs;

    /// <summary>Data selector of the last memory operand; stays 0, as on CPUs that report it as deprecated.</summary>
    [FieldOffset(ControlOffset + 26)]
    public ushort Fds;

    /// <summary>Number of the physical register that is ST(index).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Physical(uint fsw, uint index) => (fsw >> TopShift) + index & 7;

    /// <summary>The register ST(index).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80* St(X87State* s, uint index) => (Float80*)s + Physical(s->Fsw, index);

    /// <summary>True when ST(index) is not empty.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsValid(X87State* s, uint index) => (s->Valid >> (int)Physical(s->Fsw, index) & 1) != 0;

    /// <summary>The status word with TOP changed by <paramref name="change"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint MoveTop(uint fsw, int change) => fsw & ~TopMask | fsw + (uint)(change << TopShift) & TopMask;

    /// <summary>Marks ST(0) empty and increments TOP.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Pop(X87State* s)
    {
        uint fsw = s->Fsw;
        s->Valid &= (byte)~(1u << (int)Physical(fsw, 0));
        s->Fsw = (ushort)MoveTop(fsw, 1);
    }

    /// <summary>Sets the status bits of an instruction: exceptions accumulate, C1 is replaced.</summary>
    /// <returns>True when the exceptions include one that is not masked.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool SetStatus(X87State* s, uint flags)
    {
        s->Fsw = (ushort)(s->Fsw & ~C1 | flags);
        if ((flags & ~(uint)s->Fcw & Exceptions) == 0)
            return false;
        MakePending(s);
        return true;
    }

    /// <summary>
    /// Recomputes ES, B and the guard after the control word, the exception flags or both were replaced.
    /// </summary>
    internal static void UpdateSummary(X87State* s)
    {
        if ((s->Fsw & ~(uint)s->Fcw & Exceptions) != 0)
        {
            MakePending(s);
        }
        else
        {
            s->Fsw = (ushort)(s->Fsw & ~(ES | Busy));
            s->Guard &= unchecked((byte)~GuardPending);
        }
    }

    /// <summary>Stack fault of an instruction that has a register destination: IE and SF, C1 set on overflow.</summary>
    /// <returns>True when the exception is masked and the masked response is to be carried out.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool StackFault(X87State* s, bool overflow) => !SetStatus(s, IE | SF | (overflow ? C1 : 0));

    private static void MakePending(X87State* s)
    {
        s->Fsw |= (ushort)(ES | Busy);
        s->Guard |= GuardPending;
    }
}
