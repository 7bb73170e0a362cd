using System.Numerics;
using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.State;

/// <summary>
/// Reads the flags record: the one place that says how each status flag follows from (op, res, src, aux). The executors call it when the
/// kind is known only at run time; a known kind becomes a plain compare by <see cref="IrOpcode"/> rules of their own that are tested
/// against this. Source: SDM Vol. 1, 3.4.3.1.
/// </summary>
public static unsafe class FlagsRecord
{
    /// <summary>The value of <see cref="Slot.FlagsOp"/> for a kind and a size.</summary>
    public static ulong Code(FlagsKind kind, int sizeLog2) => (ulong)(((int)kind * 4) + sizeLog2);

    /// <summary>The six status flags at their EFLAGS positions.</summary>
    public static uint Status(CpuState* s) =>
        Status(s->Slots[Slot.FlagsOp], s->Slots[Slot.FlagsRes], s->Slots[Slot.FlagsSrc], s->Slots[Slot.FlagsAux]);

    /// <summary>The six status flags of a record given by its parts.</summary>
    public static uint Status(ulong op, ulong res, ulong src, ulong aux)
    {
        var kind = (FlagsKind)(op >> 2);
        if (kind == FlagsKind.Explicit)
            return (uint)src & Eflags.Status;
        var top = (8 << (int)(op & 3)) - 1;
        var flags = res == 0 ? Eflags.ZF : 0;
        flags |= (uint)(res >> top << 7) & Eflags.SF;
        flags |= (BitOperations.PopCount((byte)res) & 1) == 0 ? Eflags.PF : 0;
        flags |= Carry(op, res, src, aux) ? Eflags.CF : 0;
        flags |= Overflow(op, res, src, aux) ? Eflags.OF : 0;
        return flags | AuxiliaryCarry(kind, res, src, CarryIn(op, aux));
    }

    /// <summary>Makes the record explicit with the status bits of <paramref name="eflags"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetStatus(CpuState* s, uint eflags)
    {
        s->Slots[Slot.FlagsOp] = 0;
        s->Slots[Slot.FlagsRes] = 0;
        s->Slots[Slot.FlagsSrc] = eflags & Eflags.Status;
        s->Slots[Slot.FlagsAux] = 0;
    }

    /// <summary>
    /// After a rotate: makes the record explicit with the CF and OF that follow from its result, the other flags as they are. OF, defined for
    /// a count of 1, is computed as for 1 whatever the count.
    /// </summary>
    public static void Rotate(CpuState* s, bool left, int sizeLog2, ulong result)
    {
        var top = (8 << sizeLog2) - 1;
        var sign = (uint)(result >> top) & 1;
        var carry = left ? (uint)result & 1 : sign;
        var overflow = sign ^ (left ? carry : (uint)(result >> (top - 1)) & 1);
        SetStatus(s, (Status(s) & ~(Eflags.CF | Eflags.OF)) | carry | (overflow << 11));
    }

    /// <summary>Replaces CF of the record, which becomes explicit.</summary>
    public static void ReplaceCarry(CpuState* s, ulong carry) => SetStatus(s, (Status(s) & ~Eflags.CF) | ((uint)carry & Eflags.CF));

    /// <summary>The record of a signed multiplication of the low parts of two values.</summary>
    public static void SetProduct(CpuState* s, int sizeLog2, ulong a, ulong b)
    {
        var unused = 64 - (8 << sizeLog2);
        var high = Math.BigMul((long)(a << unused) >> unused, (long)(b << unused) >> unused, out var low);
        if (unused != 0)
            (high, low) = (low >> (64 - unused), low << unused);
        var mask = ulong.MaxValue >> unused;
        s->Slots[Slot.FlagsOp] = Code(FlagsKind.Mul, sizeLog2);
        s->Slots[Slot.FlagsRes] = (ulong)high & mask;
        s->Slots[Slot.FlagsSrc] = (ulong)(high ^ (low >> 63)) & mask;
        s->Slots[Slot.FlagsAux] = 0;
    }

    /// <summary>CF.</summary>
    public static bool Carry(ulong op, ulong res, ulong src, ulong aux)
    {
        var top = (8 << (int)(op & 3)) - 1;
        var mask = ulong.MaxValue >> (63 - top);
        switch ((FlagsKind)(op >> 2))
        {
            case FlagsKind.Add: return res < src;
            case FlagsKind.Adc: return aux != 0 ? res <= src : res < src;
            case FlagsKind.Sub: return ((res + src) & mask) < src;
            case FlagsKind.Sbb:
                var left = (res + src + aux) & mask;
                return aux != 0 ? left <= src : left < src;
            case FlagsKind.Inc or FlagsKind.Dec or FlagsKind.Explicit: return (src & 1) != 0;
            case FlagsKind.Shl: return (src >> top & 1) != 0;
            case FlagsKind.Shr or FlagsKind.Sar: return (src & 1) != 0;
            case FlagsKind.Mul: return src != 0;
            default: return false;
        }
    }

    /// <summary>OF.</summary>
    public static bool Overflow(ulong op, ulong res, ulong src, ulong aux)
    {
        var top = (8 << (int)(op & 3)) - 1;
        ulong bits;
        switch ((FlagsKind)(op >> 2))
        {
            case FlagsKind.Add or FlagsKind.Adc:
                var left = res - src - CarryIn(op, aux);
                bits = ~(left ^ src) & (left ^ res);
                break;
            case FlagsKind.Sub or FlagsKind.Sbb:
                left = res + src + CarryIn(op, aux);
                bits = (left ^ src) & (left ^ res);
                break;
            case FlagsKind.Inc: bits = res & ~(res - 1); break;
            case FlagsKind.Dec: bits = ~res & (res + 1); break;
            case FlagsKind.Shl: bits = src ^ res; break;
            case FlagsKind.Shr: bits = src; break;
            case FlagsKind.Mul: return src != 0;
            case FlagsKind.Explicit: return (src & Eflags.OF) != 0;
            default: return false;
        }

        return (bits >> top & 1) != 0;
    }

    /// <summary>Evaluates a condition of a record whose kind is not known before run time.</summary>
    public static bool Holds(Condition condition, ulong op, ulong res, ulong src, ulong aux)
    {
        var result = ((int)condition >> 1) switch
        {
            0 => Overflow(op, res, src, aux),
            1 => Carry(op, res, src, aux),
            2 => Zero(op, res, src),
            3 => Zero(op, res, src) || Carry(op, res, src, aux),
            4 => Sign(op, res, src),
            5 => op < 4 ? (src & Eflags.PF) != 0 : (BitOperations.PopCount((byte)res) & 1) == 0,
            6 => Sign(op, res, src) != Overflow(op, res, src, aux),
            _ => Zero(op, res, src) || Sign(op, res, src) != Overflow(op, res, src, aux),
        };
        return result ^ (((int)condition & 1) != 0);
    }

    /// <summary>As <see cref="Holds(Condition, ulong, ulong, ulong, ulong)"/>, of the state's record.</summary>
    public static bool Holds(CpuState* s, Condition condition) => Holds(
        condition, s->Slots[Slot.FlagsOp], s->Slots[Slot.FlagsRes], s->Slots[Slot.FlagsSrc], s->Slots[Slot.FlagsAux]);

    // Only adc and sbb store a carry; for other kinds aux is whatever was there.
    private static ulong CarryIn(ulong op, ulong aux) => (FlagsKind)(op >> 2) is FlagsKind.Adc or FlagsKind.Sbb ? aux : 0;

    private static bool Zero(ulong op, ulong res, ulong src) => op < 4 ? (src & Eflags.ZF) != 0 : res == 0;

    private static bool Sign(ulong op, ulong res, ulong src) =>
        op < 4 ? (src & Eflags.SF) != 0 : (res >> ((8 << (int)(op & 3)) - 1) & 1) != 0;

    private static uint AuxiliaryCarry(FlagsKind kind, ulong res, ulong src, ulong aux) => kind switch
    {
        FlagsKind.Add or FlagsKind.Adc => (uint)((res - src - aux) ^ src ^ res) & Eflags.AF,
        FlagsKind.Sub or FlagsKind.Sbb => (uint)((res + src + aux) ^ src ^ res) & Eflags.AF,
        FlagsKind.Mul => Eflags.AF,
        FlagsKind.Inc => (uint)((res - 1) ^ res) & Eflags.AF,
        FlagsKind.Dec => (uint)((res + 1) ^ res) & Eflags.AF,

        // Undefined (SDM Vol. 2, SAL/SAR/SHL/SHR); this is what the 80286 does.
        FlagsKind.Shl => (uint)res & Eflags.AF,
        FlagsKind.Shr or FlagsKind.Sar => Eflags.AF,
        _ => 0,
    };
}
