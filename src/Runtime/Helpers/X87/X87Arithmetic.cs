using System.Runtime.CompilerServices;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>A two-operand operation of the x87, as a type so that each gets code of its own.</summary>
public interface IX87Operation
{
    /// <summary>Applies it: <paramref name="destination"/> is also the register that receives the result.</summary>
    static abstract Float80Result Apply(Float80 destination, Float80 source, uint control);
}

/// <summary>destination + source.</summary>
public readonly struct X87Add : IX87Operation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80Result Apply(Float80 destination, Float80 source, uint control) =>
        Float80Math.Add(destination, source, control);
}

/// <summary>destination - source.</summary>
public readonly struct X87Subtract : IX87Operation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80Result Apply(Float80 destination, Float80 source, uint control) =>
        Float80Math.Subtract(destination, source, control);
}

/// <summary>source - destination.</summary>
public readonly struct X87SubtractReverse : IX87Operation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80Result Apply(Float80 destination, Float80 source, uint control) =>
        Float80Math.Subtract(source, destination, control);
}

/// <summary>destination × source.</summary>
public readonly struct X87Multiply : IX87Operation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80Result Apply(Float80 destination, Float80 source, uint control) =>
        Float80Math.Multiply(destination, source, control);
}

/// <summary>destination ÷ source.</summary>
public readonly struct X87Divide : IX87Operation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80Result Apply(Float80 destination, Float80 source, uint control) =>
        Float80Math.Divide(destination, source, control);
}

/// <summary>source ÷ destination.</summary>
public readonly struct X87DivideReverse : IX87Operation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80Result Apply(Float80 destination, Float80 source, uint control) =>
        Float80Math.Divide(source, destination, control);
}

/// <summary>The arithmetic instructions on the register stack: operands and tags in, result, status word and pop out.</summary>
public static unsafe class X87Arithmetic
{
    /// <summary>ST(destination) = ST(destination) op ST(source), then a pop when asked for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Register<T>(X87State* s, uint destination, uint source, bool pop)
        where T : struct, IX87Operation
    {
        uint d = X87State.Physical(s, destination);
        uint r = X87State.Physical(s, source);
        uint needed = 1u << (int)d | 1u << (int)r;
        if ((s->Valid & needed) != needed)
        {
            Underflow(s, destination, pop);
            return;
        }
        Float80* target = (Float80*)s + d;
        Finish(s, target, T.Apply(Float80.Read(target), Float80.Read((Float80*)s + r), s->Fcw), pop);
    }

    /// <summary>ST(0) = ST(0) op operand.</summary>
    /// <param name="s">The state.</param>
    /// <param name="operand">Memory operand, widened exactly.</param>
    /// <param name="denormal">True when the operand was a denormal in its memory format.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Memory<T>(X87State* s, Float80 operand, bool denormal)
        where T : struct, IX87Operation
    {
        if (!X87State.IsValid(s, 0))
        {
            Underflow(s, 0, false);
            return;
        }
        MemoryTo<T>(s, X87State.St(s, 0), operand, denormal);
    }

    /// <summary>As <see cref="Memory"/>, on the register that is known to be ST(0) and not empty.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void MemoryTo<T>(X87State* s, Float80* target, Float80 operand, bool denormal)
        where T : struct, IX87Operation
    {
        if (denormal)
        {
            MemoryDenormal<T>(s, target, operand);
            return;
        }
        Finish(s, target, T.Apply(Float80.Read(target), operand, s->Fcw), false);
    }

    /// <summary>FSQRT.</summary>
    public static void SquareRoot(X87State* s)
    {
        if (!X87State.IsValid(s, 0))
        {
            Underflow(s, 0, false);
            return;
        }
        Float80* target = X87State.St(s, 0);
        Finish(s, target, Float80Math.SquareRoot(Float80.Read(target), s->Fcw), false);
    }

    /// <summary>FRNDINT.</summary>
    public static void RoundToIntegral(X87State* s)
    {
        if (!X87State.IsValid(s, 0))
        {
            Underflow(s, 0, false);
            return;
        }
        Float80* target = X87State.St(s, 0);
        Finish(s, target, Float80Integral.RoundToIntegral(Float80.Read(target), s->Fcw), false);
    }

    /// <summary>FSCALE.</summary>
    public static void Scale(X87State* s)
    {
        if (!X87State.IsValid(s, 0) || !X87State.IsValid(s, 1))
        {
            Underflow(s, 0, false);
            return;
        }
        Float80* target = X87State.St(s, 0);
        Finish(s, target, Float80Integral.Scale(Float80.Read(target), Float80.Read(X87State.St(s, 1)), s->Fcw), false);
    }

    /// <summary>FPREM, or FPREM1 when <paramref name="nearest"/>.</summary>
    public static void Remainder(X87State* s, bool nearest)
    {
        s->Status = (ushort)(s->Status & ~C2);
        if (!X87State.IsValid(s, 0) || !X87State.IsValid(s, 1))
        {
            Underflow(s, 0, false);
            return;
        }
        Float80* target = X87State.St(s, 0);
        Float80Result result = Float80Remainder.Remainder(Float80.Read(target), Float80.Read(X87State.St(s, 1)), nearest, s->Fcw, out bool hasCodes);
        if (hasCodes)
            s->Status = (ushort)(s->Status & ~ConditionCodes);
        Finish(s, target, result, false);
    }

    /// <summary>FXTRACT: the exponent replaces ST(0), the significand is pushed.</summary>
    public static void Extract(X87State* s)
    {
        if (!X87State.IsValid(s, 0))
        {
            if (!X87State.StackFault(s, false))
                return;
            Float80.Write(X87State.St(s, 0), Float80.Indefinite);
            X87Load.PushUnchecked(s, Float80.Indefinite);
            s->Valid |= (byte)(1u << (int)X87State.Physical(s, 1));
            return;
        }
        if (X87State.IsValid(s, 7))
        {
            if (!X87State.StackFault(s, true))
                return;
            Float80.Write(X87State.St(s, 0), Float80.Indefinite);
            X87Load.PushUnchecked(s, Float80.Indefinite);
            return;
        }
        Float80* target = X87State.St(s, 0);
        (Float80Result exponent, Float80 significand) = Float80Integral.Extract(Float80.Read(target), s->Fcw);
        if (X87State.SetStatus(s, exponent.Flags))
            return;
        Write(target, exponent);
        X87Load.PushUnchecked(s, significand);
    }

    /// <summary>FABS.</summary>
    public static void Absolute(X87State* s)
    {
        if (!X87State.IsValid(s, 0))
        {
            Underflow(s, 0, false);
            return;
        }
        X87State.St(s, 0)->SignExponent &= 0x7FFF;
        s->Status = (ushort)(s->Status & ~C1);
    }

    /// <summary>FCHS.</summary>
    public static void ChangeSign(X87State* s)
    {
        if (!X87State.IsValid(s, 0))
        {
            Underflow(s, 0, false);
            return;
        }
        X87State.St(s, 0)->SignExponent ^= 0x8000;
        s->Status = (ushort)(s->Status & ~C1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(Float80* target, Float80Result result)
    {
        target->Significand = result.Significand;
        target->SignExponent = result.SignExponent;
    }

    /// <summary>Sets status and result of an operation, and pops, as its exceptions allow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Finish(X87State* s, Float80* target, Float80Result result, bool pop)
    {
        // After IE, DE or ZE that is not masked operands and stack stay; after OE, UE or PE the result is stored (SDM Vol. 1, 8.5).
        if (X87State.SetStatus(s, result.Flags) && (result.Flags & ~(uint)s->Fcw & PreExceptions) != 0)
            return;
        Write(target, result);
        if (pop)
            X87State.Pop(s);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Underflow(X87State* s, uint destination, bool pop)
    {
        if (!X87State.StackFault(s, false))
            return;
        uint d = X87State.Physical(s, destination);
        Float80.Write((Float80*)s + d, Float80.Indefinite);
        s->Valid |= (byte)(1u << (int)d);
        if (pop)
            X87State.Pop(s);
    }

    /// <summary>A denormal operand counts as one in its memory format, though it is a normal number once widened.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void MemoryDenormal<T>(X87State* s, Float80* target, Float80 operand)
        where T : struct, IX87Operation
    {
        uint control = s->Fcw;
        Float80Result result = T.Apply(Float80.Read(target), operand, control | DE);
        if ((result.Flags & (IE | ZE)) == 0 && !target->IsNaN)
        {
            result = (control & DE) == 0 ? new(operand, DE) : result.With(DE);
        }
        Finish(s, target, result, false);
    }
}
