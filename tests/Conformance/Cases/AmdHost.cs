using System.Runtime.Intrinsics.X86;
using DynaTrans.Conformance.Native;
using Iced.Intel;

namespace DynaTrans.Conformance.Cases;

/// <summary>
/// What an AMD CPU does otherwise than the modelled CPU, which is an Intel one, so that an AMD host can be the oracle nevertheless. Where it
/// has another encoding for the same thing the host is given that; where its result is known the result is translated; where two faults
/// compete the other order is accepted, each only under its exact condition. docs/quirks.md lists the rules with their sources.
/// </summary>
public static unsafe class AmdHost
{
    private const int BoundRange = 5, StackFault = 12, GeneralProtection = 13, PageFault = 14;
    private const int Rcx = 1, Rsp = 4;
    private const ulong StatusFlags = 0x8D5;
    private const ushort ErrorSummary = 0x80, Top = 0x3800;

    // Misaligned SSE mode of MXCSR (APM vol. 2, 11.5.10).
    private const uint MisalignedSse = 1 << 17;

    /// <summary>True when the host's CPU is AMD's (or Hygon's, which is the same design).</summary>
    public static bool IsHost { get; } = X86Base.IsSupported && X86Base.CpuId(0, 0) is var (_, ebx, ecx, _)
        && ((ebx == 0x68747541 && ecx == 0x444D4163) || (ebx == 0x6F677948 && ecx == 0x656E6975));

    /// <summary>False for what an AMD CPU has no encoding for: far transfers through a pointer with a 64-bit offset (APM vol. 3, CALL (Far), JMP (Far)).</summary>
    public static bool Has(Code code) => code is not (Code.Call_m1664 or Code.Jmp_m1664);

    /// <summary>True for bytes that are undefined on the modelled CPU and not on an AMD one.</summary>
    public static bool Defines(ReadOnlySpan<byte> bytes)
    {
        var lockAt = bytes.IndexOf((byte)0xF0);
        var opcode = bytes.IndexOf((byte)0x0F);
        if (lockAt < 0 || opcode < lockAt || opcode + 2 >= bytes.Length) return false;
        // LOCK MOV CR0 is MOV CR8 (APM vol. 3, MOV CRn); LOCK VERW of memory runs as VERW (observed).
        return bytes[opcode + 1] is 0x20 or 0x22 || (bytes[opcode + 1] == 0 && (bytes[opcode + 2] & 0x38) == 0x28 && bytes[opcode + 2] < 0xC0);
    }

    /// <summary>Bytes of the same length that do on an AMD CPU what <paramref name="encoding"/> does on the modelled one.</summary>
    public static byte[] EquivalentBytes(Encoding encoding)
    {
        ref readonly var instruction = ref encoding.Instruction;
        // A REX prefix that is not the last one does nothing, nor does a segment prefix without a memory operand.
        var padding = encoding.Is32 ? (byte)0x3E : (byte)0x40;
        var opcode = OpcodeOffset(encoding);
        var bytes = encoding.Bytes;
        // An operand-size prefix is ignored (SDM vol. 2, appendix A, superscript f64); there it truncates RIP to 16 bits.
        if (!encoding.Is32 && IsNearBranch(instruction)) bytes = Replace(bytes, opcode, padding, 0x66);
        switch (instruction.Mnemonic)
        {
            // REP and REPNE are ignored; there they select the condition (observed).
            case Mnemonic.Loope or Mnemonic.Loopne: return Replace(bytes, opcode, padding, 0xF2, 0xF3);
            // PAUSE, whatever REX says; there it is XCHG R8, RAX with REX.B (APM vol. 3, NOP).
            case Mnemonic.Pause when !encoding.Is32 && bytes[opcode - 1] is >= 0x41 and <= 0x4F: return Replace(bytes, opcode, padding, bytes[opcode - 1]);
            // The source has 16 bits; there it has 32.
            case Mnemonic.Movsxd when instruction.Code == Code.Movsxd_r16_rm16:
                bytes = [.. bytes];
                bytes[opcode] = 0x8B;
                return bytes;
            default: return bytes;
        }
    }

    /// <summary>Turns the end of a case on an AMD host into that on the modelled CPU, where the one says what the other is.</summary>
    public static void Translate(Encoding encoding, CaseData start, CaseData end)
    {
        ref readonly var instruction = ref encoding.Instruction;
        ref var state = ref end.State;
        // Flags of the last comparison; the SDM wants those of before the instruction (vol. 2, REP).
        if (state.Vector is PageFault or GeneralProtection or StackFault && instruction.Mnemonic is Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd
            or Mnemonic.Cmpsq or Mnemonic.Scasb or Mnemonic.Scasw or Mnemonic.Scasd or Mnemonic.Scasq && state.Gpr[Rcx] != start.State.Gpr[Rcx])
            state.Rflags = (state.Rflags & ~StatusFlags) | (start.State.Rflags & StatusFlags);
        // Bit 17 of MXCSR is reserved on the modelled CPU: #GP, and nothing is loaded.
        if (state.Vector < 0 && (state.Mxcsr & MisalignedSse) != 0 && (start.State.Mxcsr & MisalignedSse) == 0)
        {
            state = start.State;
            (state.Vector, state.ErrorCode, state.Rip) = (GeneralProtection, 0, encoding.Address);
            start.Data.CopyTo(end.Data, 0);
            start.Stack.CopyTo(end.Stack, 0);
        }
        // A target that is not canonical is found before the return address is stored; the modelled CPU has stored it, and keeps RSP.
        if (state.Vector == GeneralProtection && instruction.Code == Code.Call_rm64 && (encoding.Memory is null || IsCanonical(encoding.Memory.Address(ref start.State))))
            end.Put(start.State.Gpr[Rsp] - 8, 8, encoding.Address + (ulong)encoding.Bytes.Length);
    }

    /// <summary>
    /// True when both ends are right for their CPU because two exceptions were due, or one that the host looks for in more bytes.
    /// </summary>
    public static bool TakesAnotherFault(Encoding encoding, CaseData start, CaseData host, CaseData here)
    {
        ref readonly var instruction = ref encoding.Instruction;
        ref var h = ref host.State;
        ref var o = ref here.State;
        switch (instruction.Mnemonic)
        {
            // Both bounds are read before one is compared.
            case Mnemonic.Bound when h.Vector == PageFault && o.Vector == BoundRange:
                var operand = encoding.Memory!;
                return h.FaultAddress - operand.Address(ref start.State) - (uint)(operand.Size / 2) < (uint)(operand.Size / 2);
            // All of the slot of CS is read, not its 16 bits only.
            case Mnemonic.Retf when h.Vector == PageFault && o.Vector == GeneralProtection:
                var size = instruction.Code is Code.Retfd or Code.Retfd_imm16 ? 4u : 8u;
                var selector = start.At(start.State.Gpr[Rsp] + size, 2);
                return !selector.IsEmpty && (BitConverter.ToUInt16(selector) & 0xFFFC) == (int)o.ErrorCode && h.FaultAddress - (start.State.Gpr[Rsp] + size + 2) < size - 2;
            // The destination is checked first; the modelled CPU stores nothing when the exception of the operation is unmasked.
            case Mnemonic.Fst or Mnemonic.Fstp or Mnemonic.Fist or Mnemonic.Fistp or Mnemonic.Fisttp or Mnemonic.Fbstp
                when h.Vector is PageFault or GeneralProtection or StackFault && o.Vector < 0:
                return (o.Fsw & ~start.State.Fsw & ErrorSummary) != 0 && ((o.Fsw ^ start.State.Fsw) & Top) == 0 && IsUntouched(encoding, start, here);
            default:
                // An access over the end of the 4 GiB segment may raise an exception or wrap around (SDM vol. 3, 6.3).
                return encoding.Is32 && h.Vector is GeneralProtection or StackFault && o.Vector == PageFault && (uint)(o.FaultAddress + 16) < 32;
        }
    }

    /// <summary>
    /// How many bytes from the operand's start a page fault may have left stored: some of the accesses of an instruction that needs several
    /// may complete (SDM vol. 3, 9.1.1). The host does not let them.
    /// </summary>
    public static int MayHaveStored(Encoding encoding, CaseData start, CaseData end)
    {
        if (end.State.Vector != PageFault || encoding.Instruction.Mnemonic is not (Mnemonic.Fstp or Mnemonic.Fbstp) || encoding.Memory is not { Size: > 8 } operand) return 0;
        var address = operand.Address(ref start.State);
        return (int)Math.Min(8, TestMemory.PageSize - (address & (TestMemory.PageSize - 1)));
    }

    private static bool IsUntouched(Encoding encoding, CaseData start, CaseData end)
    {
        for (var i = 0; i < (encoding.Is32 ? 8 : 16); i++)
            if (start.State.Gpr[i] != end.State.Gpr[i])
                return false;
        return start.Data.AsSpan().SequenceEqual(end.Data) && start.Stack.AsSpan().SequenceEqual(end.Stack)
            && end.State.Rip == encoding.Address + (ulong)encoding.Bytes.Length;
    }

    private static bool IsCanonical(ulong address) => (ulong)((long)(address << 16) >> 16) == address;

    private static bool IsNearBranch(in Instruction instruction) =>
        instruction.Op0Kind == OpKind.NearBranch64 || instruction.Code is Code.Call_rm64 or Code.Jmp_rm64 or Code.Retnq or Code.Retnq_imm16;

    private static int OpcodeOffset(Encoding encoding)
    {
        var at = 0;
        while (encoding.Bytes[at] is 0x66 or 0x67 or 0xF0 or 0xF2 or 0xF3 or 0x26 or 0x2E or 0x36 or 0x3E or 0x64 or 0x65 || (!encoding.Is32 && encoding.Bytes[at] is >= 0x40 and <= 0x4F)) at++;
        return at;
    }

    private static byte[] Replace(byte[] bytes, int length, byte by, params ReadOnlySpan<byte> what)
    {
        if (bytes.AsSpan(0, length).IndexOfAny(what) < 0) return bytes;
        byte[] replaced = [.. bytes];
        for (var i = 0; i < length; i++)
            if (what.Contains(replaced[i]))
                replaced[i] = by;
        return replaced;
    }
}
