using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>lgdt, lidt, lldt and ltr, and the stores of sgdt and sidt (SDM Vol. 2). False with the exception pending and nothing loaded.</summary>
public static unsafe class DescriptorTableLoads
{
    private const int LocalTableType = 2, AvailableTask16 = 1, AvailableTask32 = 9, Busy = 2;
    private const int TypeByte = 5;
    private const ulong TypeMask = 0x1F;

    /// <summary>lgdt, lidt. The base of a 64-bit one must be canonical.</summary>
    public static bool TryLoadTable(CpuState* s, bool interrupts, ulong @base, ushort limit)
    {
        if (!SystemCalls.IsCanonical(@base))
            return Refuse(s, ExceptionVector.GeneralProtection, 0);
        var register = new TableRegister { Base = @base, Limit = limit };
        if (interrupts)
            s->System.Idtr = register;
        else
            s->Gdtr = register;
        return true;
    }

    /// <summary>sgdt, sidt: limit, then 4 or 8 bytes of the base.</summary>
    public static bool TryStoreTable(CpuState* s, ulong linear, bool interrupts, int size, AccessIntent intent)
    {
        var register = interrupts ? s->System.Idtr : s->Gdtr;
        var bytes = stackalloc byte[10];
        *(ushort*)bytes = register.Limit;
        *(ulong*)(bytes + 2) = register.Base;
        return GuestMemory.TryWrite(s, linear, bytes, size, intent);
    }

    /// <summary>lldt. A null selector makes the register unusable.</summary>
    public static bool TryLoadLocalTable(CpuState* s, ushort selector)
    {
        if (SegmentLoads.IsNull(selector))
        {
            s->Ldtr = new SegmentRegister { Selector = selector };
            return true;
        }

        if (!TryFind(s, selector, 1 << LocalTableType, out var descriptor, out var @base, out _))
            return false;
        s->Ldtr = Register(selector, descriptor);
        s->LdtBase = @base;
        return true;
    }

    /// <summary>ltr: marks the task busy.</summary>
    public static bool TryLoadTask(CpuState* s, ushort selector)
    {
        if (SegmentLoads.IsNull(selector))
            return Refuse(s, ExceptionVector.GeneralProtection, 0);
        var types = s->IsLongMode ? 1 << AvailableTask32 : (1 << AvailableTask16) | (1 << AvailableTask32);
        if (!TryFind(s, selector, types, out var descriptor, out var @base, out var linear)
            || !GuestMemory.TryWrite(s, linear + TypeByte, 1, (descriptor.Bits >> 40 & 0xFF) | Busy, AccessIntent.Supervisor))
            return false;
        s->System.Tr = Register(selector, descriptor);
        s->System.Tr.Attributes |= Busy;
        s->System.TrBase = @base;
        return true;
    }

    // A system descriptor in the GDT; in long mode it has 16 bytes, with a type of 0 in the upper half.
    private static bool TryFind(CpuState* s, ushort selector, int types, out SegmentDescriptor descriptor, out ulong @base, out ulong linear)
    {
        var error = selector & 0xFFFCu;
        var size = s->IsLongMode ? 16u : 8u;
        var offset = selector & 0xFFF8u;
        linear = s->Gdtr.Base + offset;
        if (!s->IsLongMode)
            linear = (uint)linear;
        ulong upper = 0;
        (descriptor, @base) = (default, 0);
        if ((selector & 4) != 0 || offset + size - 1 > s->Gdtr.Limit)
            return Refuse(s, ExceptionVector.GeneralProtection, error);
        if (!GuestMemory.TryRead(s, linear, 8, out var bits, AccessIntent.Supervisor)
            || (size == 16 && !GuestMemory.TryRead(s, linear + 8, 8, out upper, AccessIntent.Supervisor)))
            return false;
        descriptor = new SegmentDescriptor(bits);
        @base = descriptor.Base | upper << 32;
        if (!descriptor.IsSystem || (types >> descriptor.Type & 1) == 0 || (upper >> 40 & TypeMask) != 0 || !SystemCalls.IsCanonical(@base))
            return Refuse(s, ExceptionVector.GeneralProtection, error);
        return descriptor.IsPresent || Refuse(s, ExceptionVector.SegmentNotPresent, error);
    }

    private static SegmentRegister Register(ushort selector, SegmentDescriptor descriptor) =>
        new() { Selector = selector, Attributes = descriptor.Attributes, Limit = descriptor.Limit };

    private static bool Refuse(CpuState* s, int vector, uint error)
    {
        CpuAccess.Raise(s, vector, error);
        return false;
    }
}
