using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Helpers.Vector;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;
using Iced.Intel;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace DynaTrans.Runtime.Execution;

/// <summary>
/// The inexact flag beside an unmasked overflow or underflow (#XM). The result is not delivered then, and the flag says whether it would be
/// inexact if its exponent were not bounded (SDM Vol. 1, 4.9.1.4 and 4.9.1.5), which the host does not tell while its exceptions are masked.
/// </summary>
internal static unsafe class SimdFaultDetails
{
    private const uint Overflow = 8, Underflow = 16, Inexact = 32;
    private const int MaskShift = 7;

    /// <summary>Sets the flag in MXCSR if it is due. Runs outside the guest's MXCSR.</summary>
    /// <param name="s">The state, at the instruction that raised #XM.</param>
    /// <param name="instruction">That instruction.</param>
    /// <param name="a">Its first operand.</param>
    /// <param name="b">Its second operand.</param>
    public static void Refine(CpuState* s, in Instruction instruction, V a, V b)
    {
        var isSingle = instruction.Mnemonic is not (Mnemonic.Cvtsd2ss or Mnemonic.Cvtpd2ps) && instruction.MemorySizeOfLane() == 4;
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Addps or Mnemonic.Addpd or Mnemonic.Addss or Mnemonic.Addsd: Lanes(s, Kind.Add, isSingle, Count(instruction), a, b); break;
            case Mnemonic.Subps or Mnemonic.Subpd or Mnemonic.Subss or Mnemonic.Subsd: Lanes(s, Kind.Sub, isSingle, Count(instruction), a, b); break;
            case Mnemonic.Mulps or Mnemonic.Mulpd or Mnemonic.Mulss or Mnemonic.Mulsd: Lanes(s, Kind.Mul, isSingle, Count(instruction), a, b); break;
            case Mnemonic.Divps or Mnemonic.Divpd or Mnemonic.Divss or Mnemonic.Divsd: Lanes(s, Kind.Div, isSingle, Count(instruction), a, b); break;
            case Mnemonic.Cvtsd2ss: Lanes(s, Kind.Narrow, false, 1, b, b); break;
            case Mnemonic.Cvtpd2ps: Lanes(s, Kind.Narrow, false, 2, b, b); break;
            case Mnemonic.Addsubps or Mnemonic.Addsubpd: AddSub(s, isSingle, a, b); break;
            case Mnemonic.Haddps or Mnemonic.Haddpd: Horizontal(s, Kind.Add, isSingle, a, b); break;
            case Mnemonic.Hsubps or Mnemonic.Hsubpd: Horizontal(s, Kind.Sub, isSingle, a, b); break;
            case Mnemonic.Dpps or Mnemonic.Dppd: DotProduct(s, isSingle, instruction.Immediate8, a, b); break;
            default: break;
        }
    }

    private enum Kind
    {
        Add,
        Sub,
        Mul,
        Div,
        Narrow,
    }

    private static int MemorySizeOfLane(this in Instruction instruction) =>
        instruction.Mnemonic.ToString() is [.., 's' or 'p', 's'] ? 4 : 8;

    private static int Count(in Instruction instruction) => instruction.Mnemonic.ToString() switch
    {
        [.., 'p', 's'] => 4,
        [.., 'p', 'd'] => 2,
        _ => 1,
    };

    private static void Lanes(CpuState* s, Kind kind, bool isSingle, int count, V a, V b)
    {
        for (var i = 0; i < count; i++)
            Lane(s, kind, isSingle, Element(a, i, isSingle), Element(b, i, isSingle));
    }

    private static void AddSub(CpuState* s, bool isSingle, V a, V b)
    {
        for (var i = 0; i < (isSingle ? 4 : 2); i++)
            Lane(s, (i & 1) == 0 ? Kind.Sub : Kind.Add, isSingle, Element(a, i, isSingle), Element(b, i, isSingle));
    }

    private static void Horizontal(CpuState* s, Kind kind, bool isSingle, V a, V b)
    {
        for (var i = 0; i < (isSingle ? 4 : 2); i += 2)
        {
            Lane(s, kind, isSingle, Element(a, i, isSingle), Element(a, i + 1, isSingle));
            Lane(s, kind, isSingle, Element(b, i, isSingle), Element(b, i + 1, isSingle));
        }
    }

    // Products, sums, sums of sums: the first step that raises is the one that raised; the steps before have left their flags already.
    private static void DotProduct(CpuState* s, bool isSingle, byte imm, V a, V b)
    {
        var used = (byte)(imm >> 4 & (isSingle ? 15 : 3));
        var x = isSingle ? VectorMethods.BlendPs(V.Zero, a, used) : VectorMethods.BlendPd(V.Zero, a, used);
        var y = isSingle ? VectorMethods.BlendPs(V.Zero, b, used) : VectorMethods.BlendPd(V.Zero, b, used);
        var flags = HostMxcsr.FlagsOf(s, isSingle ? &VectorMethods.MulPs : &VectorMethods.MulPd, x, y, out var products);
        if (IsRaised(s, flags))
        {
            Lanes(s, Kind.Mul, isSingle, isSingle ? 4 : 2, x, y);
            return;
        }

        if (!isSingle)
        {
            Horizontal(s, Kind.Add, false, products, products);
            return;
        }

        flags = HostMxcsr.FlagsOf(s, &VectorMethods.HAddPs, products, products, out var sums);
        Horizontal(s, Kind.Add, true, IsRaised(s, flags) ? products : sums, IsRaised(s, flags) ? products : sums);
    }

    private static bool IsRaised(CpuState* s, uint flags) => (flags & ~(s->Mxcsr >> MaskShift) & (Overflow | Underflow)) != 0;

    private static ulong Element(V v, int i, bool isSingle) => isSingle ? ((uint*)&v)[i] : ((ulong*)&v)[i];

    // One element on its own: the host's flag where its result would be delivered, else whether the exact result has too many bits.
    private static void Lane(CpuState* s, Kind kind, bool isSingle, ulong a, ulong b)
    {
        delegate*<V, V, V> method = kind switch
        {
            Kind.Add => isSingle ? &VectorMethods.AddSs : &VectorMethods.AddSd,
            Kind.Sub => isSingle ? &VectorMethods.SubSs : &VectorMethods.SubSd,
            Kind.Mul => isSingle ? &VectorMethods.MulSs : &VectorMethods.MulSd,
            Kind.Div => isSingle ? &VectorMethods.DivSs : &VectorMethods.DivSd,
            _ => &VectorMethods.CvtSd2Ss,
        };
        var flags = HostMxcsr.FlagsOf(s, method, VectorMethods.FromQ(default, a), VectorMethods.FromQ(default, b), out _);
        var inexact = IsRaised(s, flags) ? IsInexact(kind, isSingle, a, b) : (flags & Inexact) != 0;
        if (inexact)
            s->Mxcsr |= Inexact;
    }

    private static bool IsInexact(Kind kind, bool isSingle, ulong a, ulong b)
    {
        var (x, xExponent) = Parts(a, isSingle);
        var (y, yExponent) = Parts(b, isSingle);
        var bits = isSingle || kind == Kind.Narrow ? 24 : 53;
        switch (kind)
        {
            case Kind.Mul: return SignificantBits((UInt128)Magnitude(x) * Magnitude(y)) > bits;
            case Kind.Narrow: return SignificantBits(Magnitude(x)) > bits;
            // A quotient is exact when the odd part of the divisor divides; it then has no more bits than the dividend.
            case Kind.Div: return Magnitude(x) % (Magnitude(y) >> System.Numerics.BitOperations.TrailingZeroCount(y)) != 0;
            default: break;
        }

        if (kind == Kind.Sub)
            y = -y;
        if (xExponent < yExponent)
            (x, xExponent, y, yExponent) = (y, yExponent, x, xExponent);
        var distance = xExponent - yExponent;
        // Further apart than both significands are wide, the sum has the bits of both and a gap.
        if (distance > 64)
            return x != 0 && y != 0;
        var sum = ((Int128)x << distance) + y;
        return SignificantBits((UInt128)(sum < 0 ? -sum : sum)) > bits;
    }

    private static ulong Magnitude(long value) => (ulong)Math.Abs(value);

    private static int SignificantBits(UInt128 value) =>
        value == 0 ? 0 : 128 - (int)UInt128.LeadingZeroCount(value) - (int)UInt128.TrailingZeroCount(value);

    // Signed significand and exponent: value = significand * 2^exponent (biased alike for both operands).
    private static (long Significand, int Exponent) Parts(ulong value, bool isSingle)
    {
        var width = isSingle ? 23 : 52;
        var exponent = (int)(value >> width) & (isSingle ? 0xFF : 0x7FF);
        var significand = (long)(value & ((1UL << width) - 1));
        if (exponent != 0)
            significand |= 1L << width;
        else
            exponent = 1;
        return ((value >> (isSingle ? 31 : 63) & 1) != 0 ? -significand : significand, exponent);
    }
}
