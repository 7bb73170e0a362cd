using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>MXCSR, emms, cache control and fences, and the SSE4.2 string comparisons and CRC32 (SDM Vol. 2).</summary>
internal static unsafe class SseState
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Ldmxcsr] = &LdMxcsr;
        table[(int)Mnemonic.Stmxcsr] = &StMxcsr;
        table[(int)Mnemonic.Emms] = &Emms;
        table[(int)Mnemonic.Mfence] = &Fence;
        Mnemonic[] hints =
        [
            Mnemonic.Lfence, Mnemonic.Sfence, Mnemonic.Prefetchnta, Mnemonic.Prefetcht0, Mnemonic.Prefetcht1, Mnemonic.Prefetcht2,
        ];
        foreach (var m in hints)
            table[(int)m] = &Hint;
        table[(int)Mnemonic.Clflush] = &ClFlush;
        table[(int)Mnemonic.Crc32] = &Crc32;
        table[(int)Mnemonic.Pcmpestri] = &StringIndex;
        table[(int)Mnemonic.Pcmpestri64] = &StringIndex;
        table[(int)Mnemonic.Pcmpestrm64] = &StringMask;
        table[(int)Mnemonic.Pcmpistri] = &StringIndex;
        table[(int)Mnemonic.Pcmpestrm] = &StringMask;
        table[(int)Mnemonic.Pcmpistrm] = &StringMask;
    }

    // The next instruction may be in another mode (an exception unmasked or not), so the block ends.
    private static void LdMxcsr(LiftContext c)
    {
        c.Call(HelperId.LoadMxcsr, c.ReadSlot(0));
        c.Exit(ExitCause.Continue);
    }

    private static void StMxcsr(LiftContext c) => c.Write(0, c.Call(HelperId.StoreMxcsr));

    private static void Emms(LiftContext c) => c.Call(HelperId.Emms);

    private static void Fence(LiftContext c) => c.Call(HelperId.MemoryFence);

    // Loads and stores of the guest are the host's, whose order among themselves is already what lfence and sfence ask for; a hint
    // does not access memory and does not fault.
    private static void Hint(LiftContext c)
    {
    }

    // Faults as a load of one byte would.
    private static void ClFlush(LiftContext c) => c.Load(1, c.MemoryOperand(1));

    private static void Crc32(LiftContext c)
    {
        var size = c.OperandSize(1);
        var value = c.ReadSlot(1);
        var old = c.ReadRegister(c.Insn.Op0Register);
        c.WriteRegister(c.Insn.Op0Register, c.Call(HelperId.Crc32, old, value, c.Copy(4, Val.Const(size))));
    }

    private static void StringIndex(LiftContext c)
    {
        var result = StringCompare(c);
        var index = c.Emit(IrOpcode.Shr, 4, result, Val.Const(16));
        SetStringFlags(c, result);
        c.Op(IrOpcode.Mov, 4, Slot.Rcx, Slot.Zero, index);
    }

    private static void StringMask(LiftContext c)
    {
        var result = StringCompare(c);
        SetStringFlags(c, result);
        VectorEmitter.Compute(c, IrOpcode.VFromInt, VecOp.PcmpStrMask, VSlot.Xmm0, VSlot.Xmm0, result, c.Insn.Immediate8);
    }

    private static void SetStringFlags(LiftContext c, ushort result) =>
        c.SetFlags(FlagsKind.Explicit, 4, Slot.Zero, c.Emit(IrOpcode.Shr, 8, result, Val.Const(32)));

    // The memory operand needs no alignment.
    private static ushort StringCompare(LiftContext c)
    {
        var first = Registers.Xmm(c.Insn.Op0Register);
        var wide = c.Insn.Mnemonic is Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64;
        var isExplicit = wide || c.Insn.Mnemonic is Mnemonic.Pcmpestri or Mnemonic.Pcmpestrm;
        var what = c.Insn.Immediate8 | (first << 8) | (isExplicit ? 1 << 25 : 0) | (wide ? 1 << 26 : 0);
        if (!c.IsMemory(1))
            return c.Call(HelperId.PcmpStr, c.Copy(4, Val.Const(what | (Registers.Xmm(c.Insn.Op1Register) << 16))));
        var address = c.MemoryOperand(16);
        return c.Call(HelperId.PcmpStr, c.Copy(4, Val.Const(what | (1 << 24))), c.LinearAddress(address), c.Copy(4, Val.Const((int)address.Intent)));
    }
}
