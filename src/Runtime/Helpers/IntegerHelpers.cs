using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>Division, rotates through carry, bit fields and decimal adjustment. Arguments as <see cref="HelperId"/> says; SDM Vol. 2.</summary>
internal static unsafe class IntegerHelpers
{
    internal static void RegisterHelpers()
    {
        HelperTable.Add(HelperId.DivU8, &DivU8, typeof(IntegerHelpers), nameof(DivU8), HelperEffects.MayFault);
        HelperTable.Add(HelperId.DivU16, &DivU16, typeof(IntegerHelpers), nameof(DivU16), HelperEffects.MayFault);
        HelperTable.Add(HelperId.DivU32, &DivU32, typeof(IntegerHelpers), nameof(DivU32), HelperEffects.MayFault);
        HelperTable.Add(HelperId.DivU64, &DivU64, typeof(IntegerHelpers), nameof(DivU64), HelperEffects.MayFault);
        HelperTable.Add(HelperId.DivS8, &DivS8, typeof(IntegerHelpers), nameof(DivS8), HelperEffects.MayFault);
        HelperTable.Add(HelperId.DivS16, &DivS16, typeof(IntegerHelpers), nameof(DivS16), HelperEffects.MayFault);
        HelperTable.Add(HelperId.DivS32, &DivS32, typeof(IntegerHelpers), nameof(DivS32), HelperEffects.MayFault);
        HelperTable.Add(HelperId.DivS64, &DivS64, typeof(IntegerHelpers), nameof(DivS64), HelperEffects.MayFault);
        HelperTable.Add(HelperId.RotateLeftCarry, &RotateLeftCarry, typeof(IntegerHelpers), nameof(RotateLeftCarry), HelperEffects.Pure);
        HelperTable.Add(HelperId.RotateLeftCarryOut, &RotateLeftCarryOut, typeof(IntegerHelpers), nameof(RotateLeftCarryOut), HelperEffects.Pure);
        HelperTable.Add(HelperId.RotateRightCarry, &RotateRightCarry, typeof(IntegerHelpers), nameof(RotateRightCarry), HelperEffects.Pure);
        HelperTable.Add(HelperId.RotateRightCarryOut, &RotateRightCarryOut, typeof(IntegerHelpers), nameof(RotateRightCarryOut), HelperEffects.Pure);
        HelperTable.Add(HelperId.BitExtract, &BitExtract, typeof(IntegerHelpers), nameof(BitExtract), HelperEffects.Pure);
        HelperTable.Add(HelperId.BitDeposit, &BitDeposit, typeof(IntegerHelpers), nameof(BitDeposit), HelperEffects.Pure);
        HelperTable.Add(HelperId.BitGather, &BitGather, typeof(IntegerHelpers), nameof(BitGather), HelperEffects.Pure);
        HelperTable.Add(HelperId.Daa, &Daa, typeof(IntegerHelpers), nameof(Daa), HelperEffects.Pure);
        HelperTable.Add(HelperId.Das, &Das, typeof(IntegerHelpers), nameof(Das), HelperEffects.Pure);
        HelperTable.Add(HelperId.Aaa, &Aaa, typeof(IntegerHelpers), nameof(Aaa), HelperEffects.Pure);
        HelperTable.Add(HelperId.Aas, &Aas, typeof(IntegerHelpers), nameof(Aas), HelperEffects.Pure);
        HelperTable.Add(HelperId.Aam, &Aam, typeof(IntegerHelpers), nameof(Aam), HelperEffects.Pure);
        HelperTable.Add(HelperId.Bound, &Bound, typeof(IntegerHelpers), nameof(Bound), HelperEffects.MayFault);
        HelperTable.Add(
            HelperId.Into, &Into, typeof(IntegerHelpers), nameof(Into), HelperEffects.MayFault | HelperEffects.ReadsState);
    }

    private static ulong DivU8(CpuState* s, ulong dividend, ulong divisor, ulong c) => Unsigned(s, dividend, divisor, byte.MaxValue);

    private static ulong DivU16(CpuState* s, ulong dividend, ulong divisor, ulong c) => Unsigned(s, dividend, divisor, ushort.MaxValue);

    private static ulong DivU32(CpuState* s, ulong dividend, ulong divisor, ulong c) => Unsigned(s, dividend, divisor, uint.MaxValue);

    private static ulong DivU64(CpuState* s, ulong high, ulong low, ulong divisor)
    {
        if (high >= divisor)
            return DivideError(s);
        return high == 0 ? low / divisor : Wide(high, low, divisor);
    }

    // 128-bit values cannot be compiled ahead of time; most dividends are not that wide.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong Wide(ulong high, ulong low, ulong divisor) => (ulong)(new UInt128(high, low) / divisor);

    private static ulong DivS8(CpuState* s, ulong dividend, ulong divisor, ulong c) => Signed(s, (long)dividend, (long)divisor, sbyte.MaxValue);

    private static ulong DivS16(CpuState* s, ulong dividend, ulong divisor, ulong c) => Signed(s, (long)dividend, (long)divisor, short.MaxValue);

    private static ulong DivS32(CpuState* s, ulong dividend, ulong divisor, ulong c) => Signed(s, (long)dividend, (long)divisor, int.MaxValue);

    private static ulong DivS64(CpuState* s, ulong high, ulong low, ulong divisor)
    {
        if ((long)high == (long)low >> 63)
            return Signed(s, (long)low, (long)divisor, long.MaxValue);
        return WideSigned(s, high, low, divisor);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong WideSigned(CpuState* s, ulong high, ulong low, ulong divisor)
    {
        var dividend = new Int128(high, low);
        if (divisor == 0 || (dividend == Int128.MinValue && (long)divisor == -1))
            return DivideError(s);
        var quotient = dividend / (long)divisor;
        return quotient > long.MaxValue || quotient < long.MinValue ? DivideError(s) : (ulong)(long)quotient;
    }

    private static ulong Unsigned(CpuState* s, ulong dividend, ulong divisor, ulong max)
    {
        if (divisor == 0)
            return DivideError(s);
        var quotient = dividend / divisor;
        return quotient > max ? DivideError(s) : quotient;
    }

    private static ulong Signed(CpuState* s, long dividend, long divisor, long max)
    {
        if (divisor == 0 || (divisor == -1 && dividend == long.MinValue))
            return DivideError(s);
        var quotient = dividend / divisor;
        return quotient > max || quotient < -max - 1 ? DivideError(s) : (ulong)quotient;
    }

    private static ulong DivideError(CpuState* s)
    {
        CpuAccess.Raise(s, ExceptionVector.DivideError);
        return 0;
    }

    private static ulong RotateLeftCarry(CpuState* s, ulong value, ulong count, ulong packed) => (ulong)Rotated(value, count, packed, true);

    private static ulong RotateLeftCarryOut(CpuState* s, ulong value, ulong count, ulong packed) => Carry(Rotated(value, count, packed, true), packed);

    private static ulong RotateRightCarry(CpuState* s, ulong value, ulong count, ulong packed) => (ulong)Rotated(value, count, packed, false);

    private static ulong RotateRightCarryOut(CpuState* s, ulong value, ulong count, ulong packed) => Carry(Rotated(value, count, packed, false), packed);

    // The carry is the bit above the value's top one; both rotate together.
    private static UInt128 Rotated(ulong value, ulong count, ulong packed, bool left)
    {
        var bits = (int)(packed >> 8) * 8;
        var width = bits + 1;
        var n = (int)count % width;
        var all = new UInt128(0, value) | ((UInt128)(packed & 1) << bits);
        if (n == 0)
            return all;
        if (!left)
            n = width - n;
        return ((all << n) | (all >> (width - n))) & ((UInt128.One << width) - 1);
    }

    private static ulong Carry(UInt128 rotated, ulong packed) => (ulong)(rotated >> ((int)(packed >> 8) * 8)) & 1;

    private static ulong BitExtract(CpuState* s, ulong value, ulong control, ulong c)
    {
        var start = (byte)control;
        var length = (byte)(control >> 8);
        var shifted = start < 64 ? value >> start : 0;
        return length < 64 ? shifted & ((1UL << length) - 1) : shifted;
    }

    private static ulong BitDeposit(CpuState* s, ulong value, ulong mask, ulong c)
    {
        if (Bmi2.X64.IsSupported)
            return Bmi2.X64.ParallelBitDeposit(value, mask);
        ulong result = 0;
        for (; mask != 0; mask &= mask - 1, value >>= 1)
            if ((value & 1) != 0)
                result |= mask & (0 - mask);
        return result;
    }

    private static ulong BitGather(CpuState* s, ulong value, ulong mask, ulong c)
    {
        if (Bmi2.X64.IsSupported)
            return Bmi2.X64.ParallelBitExtract(value, mask);
        ulong result = 0;
        for (var bit = 1UL; mask != 0; mask &= mask - 1, bit <<= 1)
            if ((value & mask & (0 - mask)) != 0)
                result |= bit;
        return result;
    }

    private static ulong Daa(CpuState* s, ulong al, ulong flags, ulong c)
    {
        var old = (byte)al;
        var result = old;
        var carry = (flags & Eflags.CF) != 0 || old > 0x99;
        var adjust = (flags & Eflags.AF) != 0 || (old & 15) > 9;
        if (adjust)
            result += 6;
        if (carry)
            result += 0x60;
        return Adjusted(result, carry, adjust, (~(old ^ (result - old)) & (old ^ result) & 0x80) != 0);
    }

    private static ulong Das(CpuState* s, ulong al, ulong flags, ulong c)
    {
        var old = (byte)al;
        var result = old;
        var adjust = (flags & Eflags.AF) != 0 || (old & 15) > 9;
        var high = (flags & Eflags.CF) != 0 || old > 0x99;
        if (adjust)
            result -= 6;
        if (high)
            result -= 0x60;
        return Adjusted(result, high || (adjust && old < 6), adjust, ((old ^ (old - result)) & (old ^ result) & 0x80) != 0);
    }

    private static ulong Aaa(CpuState* s, ulong ax, ulong flags, ulong c) => Ascii(ax, flags, 0x106);

    private static ulong Aas(CpuState* s, ulong ax, ulong flags, ulong c) => Ascii(ax, flags, -0x106);

    // SF, ZF, PF and OF are undefined; an 80286 sets them by the addition or subtraction before the high digit is dropped, and so do we.
    private static ulong Ascii(ulong ax, ulong flags, int correction)
    {
        var adjust = (flags & Eflags.AF) != 0 || (ax & 15) > 9;
        var value = (uint)ax;
        if (adjust)
            value += (uint)correction;
        var overflow = correction > 0 ? ~ax & value & 0x80 : ax & ~value & 0x80;
        return (value & 0xFF0F) | (Adjusted((byte)value, adjust, adjust, overflow != 0) & 0xFFFF0000);
    }

    private static ulong Adjusted(byte value, bool carry, bool adjust, bool overflow)
    {
        var flags = FlagsRecord.Status(FlagsRecord.Code(FlagsKind.Logic, 0), value, 0, 0) | (overflow ? Eflags.OF : 0);
        return value | ((ulong)(flags | (carry ? Eflags.CF : 0) | (adjust ? Eflags.AF : 0)) << 16);
    }

    private static ulong Aam(CpuState* s, ulong al, ulong divisor, ulong c) => ((al / divisor) << 8) | (al % divisor);

    // The upper bound is read only when the lower one holds.
    private static ulong Bound(CpuState* s, ulong index, ulong lowerAddress, ulong upperAddress)
    {
        var size = (int)(upperAddress >> 32);
        var unused = 64 - (size * 8);
        if (!GuestMemory.TryRead(s, lowerAddress, size, out var lower))
            return 0;
        if ((long)index < (long)(lower << unused) >> unused)
            CpuAccess.Raise(s, ExceptionVector.BoundRange);
        else if (GuestMemory.TryRead(s, (uint)upperAddress, size, out var upper) && (long)index > (long)(upper << unused) >> unused)
            CpuAccess.Raise(s, ExceptionVector.BoundRange);
        return 0;
    }

    private static ulong Into(CpuState* s, ulong a, ulong detail, ulong c)
    {
        if (FlagsRecord.Holds(s, Condition.O))
        {
            s->Execution.ExitDetail = detail;
            CpuAccess.Raise(s, ExceptionVector.Overflow);
        }

        return 0;
    }
}
