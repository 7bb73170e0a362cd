using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>syscall, sysret, sysenter and sysexit (SDM Vol. 2). Each gives the new RIP; with an exception pending nothing has changed.</summary>
public static unsafe class SystemCalls
{
    private const int CodeSegment = 1, StackSegment = 2;

    // What sysret takes from R11.
    private const uint ReturnedFlags = 0x3C7FD7;

    private static readonly SegmentDescriptor s_code64 = new(0x00AF9B000000FFFF), s_code32 = new(0x00CF9B000000FFFF), s_data = new(0x00CF93000000FFFF);

    /// <summary>True when bits 63:47 are equal.</summary>
    public static bool IsCanonical(ulong address) => (long)(address << 16) >> 16 == (long)address;

    /// <summary>syscall by 64-bit code.</summary>
    public static ulong Syscall(CpuState* s, ulong next)
    {
        if ((s->System.Efer & Efer.SyscallEnable) == 0)
        {
            CpuAccess.Raise(s, ExceptionVector.InvalidOpcode);
            return 0;
        }

        var r = s->Slots;
        var flags = CpuAccess.GetEflags(s) & ~Eflags.RF;
        r[Slot.Rcx] = next;
        r[11] = flags;
        CpuAccess.SetEflags(s, flags & ~(uint)s->System.SyscallMask);
        Load(s, (ushort)(s->System.Star >> 32), s_code64, 8);
        FlagWrites.Changed(s, flags, CpuAccess.GetEflags(s));
        return s->System.LongStar;
    }

    /// <summary>sysret by privileged 64-bit code.</summary>
    public static ulong Sysret(CpuState* s, bool to64)
    {
        var r = s->Slots;
        if ((s->System.Efer & Efer.SyscallEnable) == 0)
        {
            CpuAccess.Raise(s, ExceptionVector.InvalidOpcode);
            return 0;
        }

        var target = to64 ? r[Slot.Rcx] : (uint)r[Slot.Rcx];
        if (!IsCanonical(target))
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return 0;
        }

        var old = CpuAccess.GetEflags(s);
        CpuAccess.SetEflags(s, (uint)r[11] & ReturnedFlags);
        var selector = (ushort)(s->System.Star >> 48);
        if (to64)
            LoadUser(s, (ushort)(selector + 16), s_code64, (ushort)(selector + 8));
        else
            LoadUser(s, selector, s_code32, (ushort)(selector + 8));
        FlagWrites.Changed(s, old, CpuAccess.GetEflags(s));
        return target;
    }

    /// <summary>sysenter outside real mode.</summary>
    public static ulong Sysenter(CpuState* s)
    {
        if ((s->System.SysenterCs & 0xFFFC) == 0)
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return 0;
        }

        var old = CpuAccess.GetEflags(s);
        CpuAccess.SetEflags(s, old & ~(Eflags.VM | Eflags.IF | Eflags.RF));
        Load(s, (ushort)s->System.SysenterCs, s->IsLongMode ? s_code64 : s_code32, 8);
        s->Slots[Slot.Rsp] = s->IsLongMode ? s->System.SysenterEsp : (uint)s->System.SysenterEsp;
        return s->IsLongMode ? s->System.SysenterEip : (uint)s->System.SysenterEip;
    }

    /// <summary>sysexit by privileged code.</summary>
    public static ulong Sysexit(CpuState* s, bool to64)
    {
        var r = s->Slots;
        var (target, stack) = to64 ? (r[Slot.Rdx], r[Slot.Rcx]) : ((uint)r[Slot.Rdx], (uint)r[Slot.Rcx]);
        if ((s->System.SysenterCs & 0xFFFC) == 0 || !IsCanonical(target) || !IsCanonical(stack))
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return 0;
        }

        var code = (ushort)(s->System.SysenterCs + (to64 ? 32u : 16u));
        LoadUser(s, code, to64 ? s_code64 : s_code32, (ushort)(code + 8));
        r[Slot.Rsp] = stack;
        return target;
    }

    private static void Load(CpuState* s, ushort selector, SegmentDescriptor code, int toStack)
    {
        selector &= 0xFFFC;
        SegmentLoads.Set(s, CodeSegment, selector, code);
        SegmentLoads.Set(s, StackSegment, (ushort)(selector + toStack), s_data);
        CodeModes.Update(s);
    }

    private static void LoadUser(CpuState* s, ushort code, SegmentDescriptor descriptor, ushort stack)
    {
        const ulong Level3 = 3UL << 45;
        SegmentLoads.Set(s, CodeSegment, (ushort)(code | 3), new SegmentDescriptor(descriptor.Bits | Level3));
        SegmentLoads.Set(s, StackSegment, (ushort)(stack | 3), new SegmentDescriptor(s_data.Bits | Level3));
        CodeModes.Update(s);
    }
}
