using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace DynaTrans.Runtime.Helpers.Vector;

/// <summary>
/// The inexact flag beside an unmasked overflow or underflow (#XM). The result is not delivered then, and the flag says whether it would be
/// inexact if its exponent were not bounded (SDM Vol. 1, 4.9.1.4 and 4.9.1.5), which the host does not tell while its exceptions are masked.
/// </summary>
internal static unsafe class SimdInexact
{
    private const uint Overflow = 8, Underflow = 16, Inexact = 32;
    private const int MaskShift = 7;

    /// <summary>
    /// The helper after an operation of a mode with unmasked exceptions: #XM when it is due. <paramref name="a"/> is the result, so that no
    /// compiler drops the operation, <paramref name="b"/> says which operation on which cells it was.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static ulong EndSimdCheck(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!HostMxcsr.EndCheck(s, out var open))
            return 0;
        if (open == 0)
            Raise(s);
        else if (s->Execution.IsStepping == 0)
        {
            // The interpreter has all operands in the state.
            s->Execution.ExceptionVector = ExecutionState.RestartAlone;
        }
        else
            RaiseOpen(s, open, b);
        return 0;
    }

    [UnderHostMxcsr]
    private static void RaiseOpen(CpuState* s, uint flags, ulong operation)
    {
        var mxcsr = HostMxcsr.Suspend();
        s->Mxcsr |= flags;
        SetIfDue(s, (VecOp)(ushort)operation, *CpuAccess.Vector(s, (byte)(operation >> 16)), *CpuAccess.Vector(s, (byte)(operation >> 24)));
        Raise(s);
        HostMxcsr.Resume(mxcsr);
    }

    /// <summary>Sets the flag in MXCSR if it is due. Runs outside the guest's MXCSR.</summary>
    /// <param name="s">The state, at the instruction that raised #XM.</param>
    /// <param name="op">The operation of the IR that raised it.</param>
    /// <param name="a">Its first operand.</param>
    /// <param name="b">Its second operand.</param>
    private static void SetIfDue(CpuState* s, VecOp op, V a, V b)
    {
        switch (op)
        {
            case VecOp.AddSs or VecOp.AddPs: Lanes(s, Kind.Add, true, op == VecOp.AddPs, a, b); break;
            case VecOp.AddSd or VecOp.AddPd: Lanes(s, Kind.Add, false, op == VecOp.AddPd, a, b); break;
            case VecOp.SubSs or VecOp.SubPs: Lanes(s, Kind.Sub, true, op == VecOp.SubPs, a, b); break;
            case VecOp.SubSd or VecOp.SubPd: Lanes(s, Kind.Sub, false, op == VecOp.SubPd, a, b); break;
            case VecOp.MulSs or VecOp.MulPs: Lanes(s, Kind.Mul, true, op == VecOp.MulPs, a, b); break;
            case VecOp.MulSd or VecOp.MulPd: Lanes(s, Kind.Mul, false, op == VecOp.MulPd, a, b); break;
            case VecOp.DivSs or VecOp.DivPs: Lanes(s, Kind.Div, true, op == VecOp.DivPs, a, b); break;
            case VecOp.DivSd or VecOp.DivPd: Lanes(s, Kind.Div, false, op == VecOp.DivPd, a, b); break;
            case VecOp.CvtSd2Ss or VecOp.CvtPd2Ps: Lanes(s, Kind.Narrow, false, op == VecOp.CvtPd2Ps, b, b); break;
            case VecOp.AddSubPs or VecOp.AddSubPd: AddSub(s, op == VecOp.AddSubPs, a, b); break;
            case VecOp.HAddPs or VecOp.HAddPd: Horizontal(s, Kind.Add, op == VecOp.HAddPs, a, b); break;
            case VecOp.HSubPs or VecOp.HSubPd: Horizontal(s, Kind.Sub, op == VecOp.HSubPs, a, b); break;
            default: throw new InvalidOperationException($"{op} neither overflows nor underflows");
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

    private static void Lanes(CpuState* s, Kind kind, bool isSingle, bool isPacked, V a, V b)
    {
        var count = !isPacked ? 1 : isSingle ? 4 : 2;
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

    // A system that does not say that it handles #XM gets #UD (SDM Vol. 3, 2.5, CR4.OSXMMEXCPT).
    private static void Raise(CpuState* s)
    {
        var isExpected = !CpuAccess.Mode(s).IsSystem() || (s->System.Cr4 & Cr4.OsXmmExceptions) != 0;
        CpuAccess.Raise(s, isExpected ? ExceptionVector.SimdFloatingPoint : ExceptionVector.InvalidOpcode);
    }
}
