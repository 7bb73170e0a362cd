using DynaTrans.Conformance.Native;
using DynaTrans.Runtime.SoftFloat;
using Iced.Intel;

namespace DynaTrans.Conformance.Cases;

/// <summary>Fills registers and memory for one run of an encoding: random and edge values, addresses that mostly hit and sometimes fault.</summary>
public sealed unsafe class OperandGenerator(Rng rng)
{
    private const int Rax = 0, Rcx = 1, Rdx = 2, Rbx = 3, Rsp = 4, Rbp = 5, Rsi = 6, Rdi = 7;
    private const ulong ArithmeticFlags = 0x8D5, DirectionFlag = 0x400;

    private enum Lane { Integer, Single, Double }

    private uint _pinned;

    /// <summary>Fills memory with fresh noise: once per encoding is enough, the operands' own bytes change with every case.</summary>
    public void FillBackground(CaseData data)
    {
        rng.Fill(data.Data);
        rng.Fill(data.Stack);
    }

    /// <summary>Writes a case for <paramref name="encoding"/> into <paramref name="data"/>.</summary>
    public void Generate(Encoding encoding, CaseData data)
    {
        ref readonly var instruction = ref encoding.Instruction;
        ref var s = ref data.State;
        s = default;
        _pinned = 0;
        for (var i = 0; i < 16; i++) s.Gpr[i] = rng.Integer();
        s.Rip = encoding.Address;
        s.Rflags = 0x202 | rng.Next() & ArithmeticFlags | (rng.OneIn(instruction.IsStringInstruction ? 2 : 8) ? DirectionFlag : 0);
        (s.FsBase, s.GsBase) = (encoding.Segments.Fs ? TestMemory.FsBase : 0, encoding.Segments.Gs ? TestMemory.GsBase : 0);
        var lane = LaneOf(instruction);
        FillVectors(ref s, lane);
        FillFloatingPoint(ref s);
        FillStack(instruction, data);
        FillImplied(instruction, data);
        if (encoding.Memory is { } memory) FillMemory(instruction, memory, data, lane);
        FillSpecial(encoding, data);
        if (!encoding.Is32) return;
        for (var i = 0; i < 16; i++) s.Gpr[i] = i < 8 ? (uint)s.Gpr[i] : 0;
        for (var i = 8; i < 16; i++) s.Xmm(i, 0) = s.Xmm(i, 1) = 0;
    }

    private Lane LaneOf(in Instruction instruction)
    {
        if (rng.OneIn(8)) return (Lane)rng.Below(3);
        var name = instruction.Code.ToString();
        if (name.StartsWith("Movs", StringComparison.Ordinal) || name.StartsWith('P')) return Lane.Integer;
        var mnemonic = name.Split('_')[0];
        if (mnemonic.EndsWith("ps", StringComparison.Ordinal) || mnemonic.EndsWith("ss", StringComparison.Ordinal) || mnemonic.Contains("ps2", StringComparison.Ordinal)
            || mnemonic.Contains("ss2", StringComparison.Ordinal)) return Lane.Single;
        if (mnemonic.EndsWith("pd", StringComparison.Ordinal) || mnemonic.EndsWith("sd", StringComparison.Ordinal) || mnemonic.Contains("pd2", StringComparison.Ordinal)
            || mnemonic.Contains("sd2", StringComparison.Ordinal)) return Lane.Double;
        return Lane.Integer;
    }

    private ulong Word(Lane lane) => lane switch
    {
        Lane.Single => rng.Single() | (ulong)rng.Single() << 32,
        Lane.Double => rng.Double(),
        _ => rng.OneIn(2) ? rng.Lanes(8 << rng.Below(4)) : rng.Integer(),
    };

    private void FillVectors(ref MachineState s, Lane lane)
    {
        for (var i = 0; i < 16; i++) (s.Xmm(i, 0), s.Xmm(i, 1)) = (Word(lane), Word(lane));
        // Equal operands, and operands that differ by little, are rare among random ones.
        if (rng.OneIn(4)) (s.Xmm(rng.Below(8), 0), s.Xmm(rng.Below(8), 1)) = (s.Xmm(rng.Below(8), 0), s.Xmm(rng.Below(8), 1));
        var masks = rng.Below(10) < 7 ? 0x1F80u : (uint)rng.Next() & 0x1F80;
        s.Mxcsr = masks | (uint)rng.Below(4) << 13 | (rng.OneIn(5) ? 0x8000u : 0) | (rng.OneIn(5) ? 0x40u : 0) | (rng.OneIn(3) ? (uint)rng.Below(64) : 0);
    }

    private void FillFloatingPoint(ref MachineState s)
    {
        for (var i = 0; i < 8; i++) (s.StExponent(i), s.StSignificand(i)) = rng.Extended();
        if (rng.OneIn(6))
            for (var i = 0; i < 8; i++) (s.StExponent(i), s.StSignificand(i)) = (0xFFFF, rng.Lanes(8 << rng.Below(4)));
        s.Ftw = rng.Below(6) switch { 0 => (byte)rng.Next(), 1 => 0, _ => 0xFF };
        var masks = rng.Below(10) < 7 ? 0x3F : rng.Below(64);
        s.Fcw = (ushort)(masks | 0x40 | (rng.OneIn(2) ? 3 : rng.Below(4)) << 8 | rng.Below(4) << 10);
        s.Fsw = (ushort)(rng.Next() & 0x7F00);
        if (rng.OneIn(4)) s.Fsw |= (ushort)(rng.Below(128) & (rng.OneIn(4) ? 0x7F : masks | 0x40));
        s.Fsw = Summarized(s.Fsw, s.Fcw);
    }

    // ES and B follow from the exception flags that the control word does not mask (SDM vol. 1, 8.1.3.3).
    private static ushort Summarized(int status, int control) =>
        (ushort)(status & 0x7F7F | ((status & ~control & 0x3F) != 0 ? 0x8080 : 0));

    private ulong DataAddress(int size, bool aligned)
    {
        switch (rng.Below(96))
        {
            case < 6: return TestMemory.Data + TestMemory.PageSize - (ulong)rng.Below(size + 1);
            case < 10: return TestMemory.DataEnd - (ulong)rng.Below(size + 1);
            case < 12: return TestMemory.ReadOnly + (ulong)(rng.Below(64) << 4);
            case 12: return TestMemory.Data - (ulong)rng.Below(size + 1);
            case 13: return rng.OneIn(2) ? TestMemory.DataEnd + 16 : 0x8000_0000_0000_0000 | rng.Next() >> 1;
            default:
                var address = TestMemory.Data + 0x100 + (ulong)(rng.Below(0x1C0) << 4) - (ulong)size;
                return aligned ? address + (ulong)(size & 15) & ~15UL : address + (ulong)rng.Below(16);
        }
    }

    private void FillStack(in Instruction instruction, CaseData data)
    {
        ref var s = ref data.State;
        _pinned |= 1u << Rsp;
        s.Gpr[Rsp] = TestMemory.Stack + TestMemory.PageSize + (ulong)(rng.Below(64) << 3);
        if (rng.OneIn(6)) s.Gpr[Rsp] += (ulong)rng.Below(8);
        var usesStack = instruction.IsStackInstruction || instruction.StackPointerIncrement != 0;
        if (!usesStack) return;
        if (rng.OneIn(24)) s.Gpr[Rsp] = TestMemory.Stack + TestMemory.StackSize - (ulong)rng.Below(12);
        if (rng.OneIn(24)) s.Gpr[Rsp] = TestMemory.Stack + (ulong)rng.Below(12);
        if (instruction.Mnemonic is Mnemonic.Enter or Mnemonic.Leave)
        {
            _pinned |= 1u << Rbp;
            var frame = TestMemory.Stack + TestMemory.PageSize + (ulong)(rng.Below(128) << 3) + (ulong)(rng.OneIn(6) ? rng.Below(8) : 0);
            if (rng.OneIn(24)) frame = TestMemory.Stack + TestMemory.StackSize - (ulong)rng.Below(12);
            if (rng.OneIn(24)) frame = TestMemory.Stack - 4 + (ulong)rng.Below(40);
            s.Gpr[Rbp] = frame;
        }
        for (var i = -32; i < 64; i += 8) data.Put(s.Gpr[Rsp] + (ulong)i, 8, rng.Integer());
    }

    private void FillImplied(in Instruction instruction, CaseData data)
    {
        ref var s = ref data.State;
        bool source = false, destination = false;
        var bits = 64;
        for (var i = 0; i < instruction.OpCount; i++)
        {
            var kind = instruction.GetOpKind(i);
            if (kind is OpKind.MemorySegESI or OpKind.MemoryESEDI or OpKind.MemorySegEDI) bits = 32;
            source |= kind is OpKind.MemorySegESI or OpKind.MemorySegRSI;
            destination |= kind is OpKind.MemoryESEDI or OpKind.MemoryESRDI or OpKind.MemorySegEDI or OpKind.MemorySegRDI;
        }
        if (!source && !destination) return;
        _pinned |= 1u << Rsi | 1u << Rdi;
        var maskedMove = instruction.Mnemonic is Mnemonic.Maskmovdqu or Mnemonic.Maskmovq;
        var size = maskedMove ? 16 : Math.Max(1, instruction.MemorySize.GetSize());
        var (from, to) = (StringAddress(size), maskedMove ? TestMemory.Data + 0x100 + (ulong)rng.Below(0x1C00) : StringAddress(size));
        if (rng.OneIn(4)) to = from + (ulong)(rng.Below(33) - 16);
        // Whether a masked store faults on a page that it does not write to is implementation dependent.
        if (maskedMove && to % TestMemory.PageSize > TestMemory.PageSize - 16) to &= ~15UL;
        var segment = instruction.SegmentPrefix switch { Register.FS => TestMemory.FsBase, Register.GS => TestMemory.GsBase, _ => 0u };
        var high = bits == 32 ? rng.Next() & 0xFFFFFFFF00000000 : 0;
        if (source) s.Gpr[Rsi] = from - segment + high;
        if (destination) s.Gpr[Rdi] = to - (maskedMove ? segment : 0) + high;
        if (bits == 32)
        {
            s.Gpr[Rsi] = s.Gpr[Rsi] & 0xFFFFFFFF | high;
            s.Gpr[Rdi] = s.Gpr[Rdi] & 0xFFFFFFFF | high;
        }
        s.Gpr[Rcx] = (uint)rng.Below(rng.OneIn(8) ? 600 : 24) | (bits == 32 && !maskedMove ? rng.Next() & 0xFFFFFFFF00000000 : 0);
        // Runs of equal elements let REPE and REPNE go on for more than one step.
        if (!rng.OneIn(2)) return;
        var fill = (byte)rng.Next();
        data.Data.AsSpan((int)(Math.Clamp((long)from, TestMemory.Data + 300L, TestMemory.DataEnd - 400L) - TestMemory.Data - 300), 600).Fill(fill);
        data.Data.AsSpan((int)(Math.Clamp((long)to, TestMemory.Data + 300L, TestMemory.DataEnd - 400L) - TestMemory.Data - 300), 600).Fill(fill);
        data.Data[rng.Below(data.Data.Length)] ^= 1;
        if (rng.OneIn(2)) s.Gpr[Rax] = fill * 0x0101010101010101UL;
    }

    private ulong StringAddress(int size) => rng.Below(16) switch
    {
        0 => TestMemory.DataEnd - (ulong)rng.Below(12 * size),
        1 => TestMemory.Data + (ulong)rng.Below(12 * size) - (ulong)size,
        2 => TestMemory.Data + TestMemory.PageSize - (ulong)rng.Below(12 * size),
        3 => rng.OneIn(2) ? TestMemory.ReadOnly + 0x800 : TestMemory.DataEnd + 64,
        _ => TestMemory.Data + 0x400 + (ulong)rng.Below(0x1800),
    };

    private void FillMemory(in Instruction instruction, MemoryOperand memory, CaseData data, Lane lane)
    {
        ref var s = ref data.State;
        var wanted = DataAddress(memory.Size, memory.Size >= 16 && !rng.OneIn(6));
        if (instruction.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc && instruction.Op1Kind == OpKind.Register)
        {
            wanted = TestMemory.Data + 0x800 + (ulong)rng.Below(0x1000);
            var register = instruction.Op1Register.GetNumber();
            var offset = (ulong)(rng.Below(1 << 13) - (1 << 12));
            var mask = instruction.Op1Register.GetSize() switch { 2 => 0xFFFFUL, 4 => 0xFFFFFFFFUL, _ => ulong.MaxValue };
            s.Gpr[register] = s.Gpr[register] & ~mask | offset & mask;
            _pinned |= 1u << register;
        }
        // A pointer that lies half outside the pages would be random, and a branch could then go anywhere.
        if (instruction.FlowControl != FlowControl.Next && !rng.OneIn(16)) wanted = TestMemory.Data + 0x100 + (ulong)rng.Below(0x1C00);
        // RSP stays in the stack only where the instruction itself uses it.
        if (!(instruction.IsStackInstruction || instruction.StackPointerIncrement != 0)) _pinned &= ~(1u << Rsp);
        var address = instruction.Mnemonic == Mnemonic.Xlatb ? SolveTranslate(memory, ref s, wanted) : memory.Solve(ref s, wanted, _pinned, rng);
        if (memory.Base >= 0) _pinned |= 1u << memory.Base;
        if (memory.Index >= 0) _pinned |= 1u << memory.Index;
        FillOperand(instruction.MemorySize, data, address, memory.Size, lane);
    }

    // xlat's index is AL alone.
    private ulong SolveTranslate(MemoryOperand memory, ref MachineState s, ulong wanted)
    {
        var (accumulator, index) = (s.Gpr[Rax], s.Gpr[Rax] & 0xFF);
        s.Gpr[Rax] = index;
        var address = memory.Solve(ref s, wanted, 1u << Rax, rng);
        s.Gpr[Rax] = accumulator;
        _pinned |= 1u << Rax;
        return address;
    }

    private void FillOperand(MemorySize kind, CaseData data, ulong address, int size, Lane lane)
    {
        var at = data.At(address, size);
        if (at.IsEmpty) return;
        switch (kind)
        {
            case MemorySize.Float80:
                var (exponent, significand) = rng.Extended();
                BitConverter.TryWriteBytes(at, significand);
                BitConverter.TryWriteBytes(at[8..], exponent);
                break;
            case MemorySize.Bcd:
                for (var i = 0; i < 9; i++) at[i] = (byte)(rng.Below(10) << 4 | rng.Below(10));
                if (rng.OneIn(4)) at[rng.Below(9)..9].Clear();
                at[9] = (byte)rng.Next();
                break;
            case MemorySize.Float32: BitConverter.TryWriteBytes(at, rng.Single()); break;
            case MemorySize.Float64: BitConverter.TryWriteBytes(at, rng.Double()); break;
            default:
                for (var i = 0; i < size; i += 8)
                {
                    var word = Word(lane);
                    for (var j = 0; j < 8 && i + j < size; j++) at[i + j] = (byte)(word >> (8 * j));
                }
                break;
        }
        FillImage(kind, at);
    }

    // State images must hold words that the CPU accepts, or nearly every load of one would fault.
    private void FillImage(MemorySize kind, Span<byte> at)
    {
        var image = default(MachineState);
        FillFloatingPoint(ref image);
        FillVectors(ref image, Lane.Integer);
        switch (kind)
        {
            case MemorySize.Fxsave_512Byte or MemorySize.Fxsave64_512Byte:
                BitConverter.TryWriteBytes(at, image.Fcw);
                BitConverter.TryWriteBytes(at[2..], image.Fsw);
                at[4] = image.Ftw;
                BitConverter.TryWriteBytes(at[24..], image.Mxcsr | (rng.OneIn(16) ? (uint)ReservedMxcsrBit() : 0));
                break;
            case MemorySize.FpuEnv28 or MemorySize.FpuState108:
                BitConverter.TryWriteBytes(at, image.Fcw);
                BitConverter.TryWriteBytes(at[4..], image.Fsw);
                break;
            case MemorySize.FpuEnv14 or MemorySize.FpuState94:
                BitConverter.TryWriteBytes(at, image.Fcw);
                BitConverter.TryWriteBytes(at[2..], image.Fsw);
                break;
            default: break;
        }
    }

    // Bit 17 exists on some CPUs (misaligned SSE accesses).
    private ulong ReservedMxcsrBit() => 1UL << (18 + rng.Below(14));

    private void FillSpecial(Encoding encoding, CaseData data)
    {
        ref readonly var instruction = ref encoding.Instruction;
        ref var s = ref data.State;
        var address = encoding.Memory?.Address(ref s) ?? 0;
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Div or Mnemonic.Idiv: FillDividend(instruction, ref s); break;
            case Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr or Mnemonic.Shl or Mnemonic.Shr or Mnemonic.Sal or Mnemonic.Sar
                or Mnemonic.Shld or Mnemonic.Shrd:
                if ((_pinned & 1u << Rcx) == 0) s.Gpr[Rcx] = s.Gpr[Rcx] & ~0xFFUL | (uint)(rng.OneIn(4) ? rng.Below(256) : rng.Below(34));
                break;
            case Mnemonic.Loop or Mnemonic.Loope or Mnemonic.Loopne or Mnemonic.Jcxz or Mnemonic.Jecxz or Mnemonic.Jrcxz:
                s.Gpr[Rcx] = rng.Below(6) switch { 0 => 0, 1 => 1, 2 => 2, 3 => rng.Next() << 32, 4 => rng.Next() << 16, _ => rng.Next() };
                break;
            case Mnemonic.Cmpxchg when rng.OneIn(2):
                var size = Math.Max(1, instruction.Op1Register.GetSize());
                if (encoding.Memory is not null) data.Put(address, size, s.Gpr[Rax]);
                else if (instruction.Op0Register is not (Register.AH or Register.CH or Register.DH or Register.BH)) s.Gpr[instruction.Op0Register.GetNumber() & 15] = s.Gpr[Rax];
                break;
            case Mnemonic.Cmpxchg8b when rng.OneIn(2):
                data.Put(address, 8, (uint)s.Gpr[Rax] | s.Gpr[Rdx] << 32);
                break;
            case Mnemonic.Cmpxchg16b when rng.OneIn(2):
                data.Put(address, 8, s.Gpr[Rax]);
                data.Put(address + 8, 8, s.Gpr[Rdx]);
                break;
            case Mnemonic.Pcmpestri or Mnemonic.Pcmpestrm or Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64:
                if (!rng.OneIn(4) && (_pinned & 1u << Rax) == 0) s.Gpr[Rax] = (ulong)(rng.Below(41) - 20);
                if (!rng.OneIn(4) && (_pinned & 1u << Rdx) == 0) s.Gpr[Rdx] = (ulong)(rng.Below(41) - 20);
                FillText(encoding, data, address);
                break;
            case Mnemonic.Pcmpistri or Mnemonic.Pcmpistrm: FillText(encoding, data, address); break;
            case Mnemonic.Popf or Mnemonic.Popfd or Mnemonic.Popfq:
                // TF would raise a debug trap, AC alignment checks: neither is what is compared here.
                data.Put(s.Gpr[Rsp], instruction.StackPointerIncrement, rng.Next() & ~0x40100UL & (rng.OneIn(2) ? ulong.MaxValue : 0xCD5));
                break;
            default: FillBranch(encoding, data, address); break;
        }
        if (encoding.Memory is not null && instruction.Mnemonic == Mnemonic.Ldmxcsr)
            data.Put(address, 4, s.Mxcsr ^ (rng.Next() & 0xFFFF) | (rng.OneIn(8) ? ReservedMxcsrBit() : 0));
    }

    private void FillDividend(in Instruction instruction, ref MachineState s)
    {
        if (rng.OneIn(4) || (_pinned & (1u << Rax | 1u << Rdx)) != 0) return;
        var signed = instruction.Mnemonic == Mnemonic.Idiv;
        var bits = 8 * (instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() : instruction.MemorySize.GetSize());
        if (bits == 8)
            s.Gpr[Rax] = s.Gpr[Rax] & ~0xFFFFUL | (ushort)(signed ? (short)rng.Next() >> rng.Below(12) : (ushort)rng.Next() >> rng.Below(12));
        else
            s.Gpr[Rdx] = signed ? (ulong)((long)(s.Gpr[Rax] << (64 - bits)) >> 63) + (ulong)(rng.OneIn(3) ? rng.Below(5) - 2 : 0) : (ulong)rng.Below(rng.OneIn(2) ? 1 : 4);
    }

    // Strings over a small alphabet with an end somewhere, so that the string compares find something.
    private void FillText(Encoding encoding, CaseData data, ulong address)
    {
        ref var s = ref data.State;
        var letters = 2 + rng.Below(4);
        for (var i = 0; i < 16; i++)
            (s.Xmm(i, 0), s.Xmm(i, 1)) = (Text(letters), Text(letters));
        if (encoding.Memory is null) return;
        data.Put(address, 8, Text(letters));
        data.Put(address + 8, 8, Text(letters));
    }

    private ulong Text(int letters)
    {
        var word = 0UL;
        for (var i = 0; i < 8; i++) word = word << 8 | (rng.OneIn(14) ? 0 : (uint)(0x40 + rng.Below(letters)) ^ (rng.OneIn(10) ? 0x80UL : 0));
        return rng.OneIn(6) ? rng.Next() : word;
    }

    private ulong CodeTarget() => TestMemory.Code + 0x40 + (ulong)rng.Below(0x600);

    // Nothing is mapped there; half of the addresses are not canonical.
    private ulong NoCode() => rng.OneIn(2) ? rng.Next() | 1UL << 63 : TestMemory.Base - 0x1000_0000 + (ulong)rng.Below(0x800_0000);

    private void FillBranch(Encoding encoding, CaseData data, ulong address)
    {
        ref readonly var instruction = ref encoding.Instruction;
        ref var s = ref data.State;
        var selector = encoding.Is32 ? 0x23UL : 0x33UL;
        var size = encoding.Is32 ? 4 : 8;
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Ret: data.Put(s.Gpr[Rsp], 8, rng.OneIn(24) ? NoCode() : CodeTarget()); break;
            case Mnemonic.Retf:
                size = Math.Abs(FarSize(instruction.Code));
                data.Put(s.Gpr[Rsp], size, CodeTarget());
                data.Put(s.Gpr[Rsp] + (ulong)size, size, selector);
                break;
            case Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq:
                size = FarSize(instruction.Code);
                ulong[] frame = [CodeTarget(), selector, 0x202 | rng.Next() & 0xCD5, TestMemory.Stack + TestMemory.PageSize + (ulong)rng.Below(256), 0x2B];
                for (var i = 0; i < 5; i++) data.Put(s.Gpr[Rsp] + (ulong)(i * size), size, frame[i]);
                break;
            case Mnemonic.Jmp or Mnemonic.Call:
                if (instruction.Op0Kind == OpKind.Register) s.Gpr[instruction.Op0Register.GetNumber()] = rng.OneIn(24) ? NoCode() : CodeTarget();
                else if (instruction.IsJmpFarIndirect || instruction.IsCallFarIndirect)
                {
                    size = FarSize(instruction.Code);
                    data.Put(address, size, CodeTarget());
                    data.Put(address + (ulong)size, 2, selector);
                }
                else if (instruction.Op0Kind == OpKind.Memory) data.Put(address, 8, rng.OneIn(24) ? NoCode() : CodeTarget());
                break;
            default: break;
        }
    }

    private static int FarSize(Code code) => code switch
    {
        Code.Retfw or Code.Retfw_imm16 or Code.Iretw or Code.Jmp_m1616 or Code.Call_m1616 => 2,
        Code.Retfq or Code.Retfq_imm16 or Code.Iretq or Code.Jmp_m1664 or Code.Call_m1664 => 8,
        _ => 4,
    };
}
