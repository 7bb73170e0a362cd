using System.Buffers.Binary;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Execution;

/// <summary>
/// Delivery of interrupts and exceptions in real-address mode, through the table of far pointers at address 0 (SDM Vol. 2, INT n, and
/// Vol. 3, 21.1.4). For hosts: the vCPU itself returns to its host at an interrupt.
/// </summary>
public static unsafe class RealModeInterrupt
{
    /// <summary>
    /// Pushes FLAGS, CS and IP, clears IF, TF and AC, and continues at the handler of <paramref name="vector"/>. RIP must be what the vector
    /// reports: of the instruction for a fault, behind it for a trap.
    /// </summary>
    public static void Deliver(Vcpu vcpu, int vector)
    {
        var s = vcpu.State;
        Span<byte> pointer = stackalloc byte[4];
        vcpu.Cache.Memory.Read((uint)(vector & 0xFF) * 4, pointer);
        Push(vcpu, (ushort)CpuAccess.GetEflags(s));
        Push(vcpu, s->Cs.Selector);
        Push(vcpu, (ushort)s->Slots[Slot.Rip]);
        s->Slots[Slot.Eflags] &= ~(ulong)(Eflags.IF | Eflags.TF | Eflags.AC);
        s->Slots[Slot.Rip] = BinaryPrimitives.ReadUInt16LittleEndian(pointer);
        s->Cs.Selector = BinaryPrimitives.ReadUInt16LittleEndian(pointer[2..]);
        s->Slots[Slot.CsBase] = (ulong)s->Cs.Selector << 4;
    }

    private static void Push(Vcpu vcpu, ushort value)
    {
        var s = vcpu.State;
        var sp = (ushort)(s->Slots[Slot.Rsp] - 2);
        s->Slots[Slot.Rsp] = (s->Slots[Slot.Rsp] & ~0xFFFFUL) | sp;
        Span<byte> bytes = [(byte)value, (byte)(value >> 8)];
        vcpu.Cache.Memory.Write(s->Slots[Slot.SsBase] + sp, bytes[..1]);
        vcpu.Cache.Memory.Write(s->Slots[Slot.SsBase] + (ushort)(sp + 1), bytes[1..]);
    }
}
