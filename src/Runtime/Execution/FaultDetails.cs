using System.Runtime.Intrinsics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using Iced.Intel;

namespace DynaTrans.Runtime.Execution;

/// <summary>
/// What an exception reports beyond its vector and address, worked out from the faulting instruction after the fact, so that the fast
/// paths of memory accesses need not carry it.
/// </summary>
internal static unsafe class FaultDetails
{
    private const uint Present = 1;
    private const uint WriteAccess = 2;
    private const uint Fetch = 16;
    private const int MaxLength = 15;

    /// <summary>
    /// Corrects the pending exception: a page fault on an operand that is read and then written reports a write (SDM Vol. 3, 4.7), and an
    /// address that is not canonical raises #SS instead of #GP when it is relative to SS (SDM Vol. 3, 6.15, interrupt 12), and RIP of the
    /// trap #OF is that of the next instruction.
    /// </summary>
    public static void Refine(Vcpu vcpu)
    {
        var s = vcpu.State;
        if (s->Execution.ExceptionVector == ExceptionVector.Overflow)
        {
            // A trap, which only into raises: it has completed, and its helper kept the address of the next instruction.
            s->Slots[Slot.Rip] = s->Execution.ExitDetail;
            s->Execution.InstructionCount++;
            return;
        }

        var mode = (GuestMode)s->Mode;
        var isRead = s->Execution.ExceptionVector == ExceptionVector.PageFault && (s->Execution.ExceptionError & (WriteAccess | Fetch)) == 0;
        var mayBeStack = s->Execution.ExceptionVector == ExceptionVector.GeneralProtection && mode.Is64();
        var isSimd = s->Execution.ExceptionVector == ExceptionVector.SimdFloatingPoint && s->Execution.ExceptionError == HostMxcsr.InexactIsOpen;
        if (!isRead && !mayBeStack && !isSimd)
            return;
        var bytes = new byte[MaxLength];
        var rip = s->Slots[Slot.Rip];
        var length = vcpu.Cache.Memory.Read(mode.Is64() ? rip : (uint)(rip + s->Slots[Slot.CsBase]), bytes);
        var decoder = Decoder.Create(mode.Bitness(), new ByteArrayCodeReader(bytes, 0, length));
        decoder.IP = rip;
        decoder.Decode(out var instruction);
        if (instruction.IsInvalid || instruction.IsPrivileged)
            return;

        // 64-bit mode ignores these prefixes; without one, Iced gives the segment that goes with the base register.
        if (mode.Is64() && instruction.SegmentPrefix is not (Register.FS or Register.GS))
            instruction.SegmentPrefix = Register.None;
        if (isSimd)
        {
            RefineSimd(vcpu, instruction);
            return;
        }

        foreach (var memory in new InstructionInfoFactory().GetInfo(instruction).GetUsedMemory())
        {
            var address = memory.GetVirtualAddress(0, (register, _, _) => Value(vcpu, register));
            if (!mode.Is64())
                address = (uint)address;
            var last = address + (uint)Math.Max(1, memory.MemorySize.GetSize()) - 1;
            if (mayBeStack && (!IsCanonical(address) || !IsCanonical(last)))
            {
                if (memory.Segment == Register.SS && !IsMisaligned(instruction, memory.MemorySize, address))
                    s->Execution.ExceptionVector = ExceptionVector.StackFault;
                return;
            }

            // arpl reads first, and writes only what it changes.
            if (isRead && instruction.Mnemonic != Mnemonic.Arpl && memory.Access is OpAccess.ReadWrite or OpAccess.ReadCondWrite
                && (IsBitString(instruction) || Covers(address, memory.MemorySize, s->Execution.FaultAddress)))
                ReportWrite(vcpu, Covers(address, memory.MemorySize, s->Execution.FaultAddress) ? address : s->Execution.FaultAddress);
        }
    }

    // The fault is that of a write; its page may be the one before, which can be read but not written.
    private static void ReportWrite(Vcpu vcpu, ulong address)
    {
        var s = vcpu.State;
        s->Execution.ExceptionError |= WriteAccess;
        if ((vcpu.Cache.Memory.Query(address) & (PagePermission.Mapped | PagePermission.Write)) != PagePermission.Mapped)
            return;
        s->Execution.ExceptionError |= Present;
        s->Execution.FaultAddress = address;
    }

    private static bool IsCanonical(ulong address) => (long)(address << 16) >> 16 == (long)address;

    // Operands of 16 bytes that must be aligned raise #GP for that first.
    private static bool IsMisaligned(in Instruction instruction, MemorySize size, ulong address) =>
        size.GetSize() == 16 && (address & 15) != 0 && instruction.Mnemonic is not (Mnemonic.Movups or Mnemonic.Movupd or Mnemonic.Movdqu
            or Mnemonic.Lddqu or Mnemonic.Pcmpestri or Mnemonic.Pcmpestrm or Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64
            or Mnemonic.Pcmpistri or Mnemonic.Pcmpistrm);

    // A bit index in a register reaches beyond the operand that the instruction names.
    private static bool IsBitString(in Instruction instruction) => instruction.Mnemonic is Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc;

    private static void RefineSimd(Vcpu vcpu, in Instruction instruction)
    {
        var s = vcpu.State;
        s->Execution.ExceptionError = 0;
        Vector128<byte> second = default;
        if (instruction.Op1Kind == OpKind.Register)
            second = *CpuAccess.Vector(s, Registers.Xmm(instruction.Op1Register));
        else
        {
            var address = instruction.GetVirtualAddress(1, 0, (register, _, _) => Value(vcpu, register));
            vcpu.Cache.Memory.Read(((GuestMode)s->Mode).Is64() ? address : (uint)address, new Span<byte>(&second, instruction.MemorySize.GetSize()));
        }

        SimdFaultDetails.Refine(s, instruction, *CpuAccess.Vector(s, Registers.Xmm(instruction.Op0Register)), second);
    }

    private static bool Covers(ulong address, MemorySize size, ulong fault) => fault - address < (uint)Math.Max(1, size.GetSize());

    private static ulong Value(Vcpu vcpu, Register register)
    {
        var s = vcpu.State;
        if (register.IsSegmentRegister())
            return s->Slots[Slot.EsBase + register.GetNumber()];
        var value = s->Slots[register.GetNumber()];
        return register.GetSize() switch { 1 => (byte)value, 2 => (ushort)value, 4 => (uint)value, _ => value };
    }
}
