using System.Runtime.CompilerServices;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>
/// Stores. Those to memory come in two steps, so that a fault of the access leaves the state alone: a To method computes what to write and
/// the status bits, and <see cref="Commit"/> applies them and pops.
/// </summary>
public static unsafe class X87Store
{
    /// <summary>FST m32.</summary>
    /// <returns>False when an unmasked exception forbids the write.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool ToSingle(X87State* s, out uint bits, out uint flags)
    {
        if (X87State.IsValid(s, 0))
        {
            bits = Float80Convert.ToSingle(Float80.Read(X87State.St(s, 0)), s->Fcw, out flags);
        }
        else
        {
            flags = IE | SF;
            bits = 0xFFC00000;
        }
        return MayWrite(s, flags);
    }

    /// <summary>FST m64.</summary>
    /// <inheritdoc cref="ToSingle"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool ToDouble(X87State* s, out ulong bits, out uint flags)
    {
        if (X87State.IsValid(s, 0))
        {
            bits = Float80Convert.ToDouble(Float80.Read(X87State.St(s, 0)), s->Fcw, out flags);
        }
        else
        {
            flags = IE | SF;
            bits = 0xFFF8000000000000;
        }
        return MayWrite(s, flags);
    }

    /// <summary>FSTP m80.</summary>
    /// <inheritdoc cref="ToSingle"/>
    public static bool ToExtended(X87State* s, out Float80 value, out uint flags)
    {
        if (X87State.IsValid(s, 0))
        {
            flags = 0;
            value = Float80.Read(X87State.St(s, 0));
        }
        else
        {
            flags = IE | SF;
            value = Float80.Indefinite;
        }
        return MayWrite(s, flags);
    }

    /// <summary>FIST, and FISTTP when <paramref name="truncate"/>.</summary>
    /// <inheritdoc cref="ToSingle"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool ToInteger(X87State* s, int width, bool truncate, out long value, out uint flags)
    {
        if (X87State.IsValid(s, 0))
        {
            uint control = truncate ? s->Fcw | RoundZero : s->Fcw;
            value = Float80Convert.ToInteger(Float80.Read(X87State.St(s, 0)), width, control, out flags);
        }
        else
        {
            flags = IE | SF;
            value = long.MinValue >> (64 - width);
        }
        return MayWrite(s, flags);
    }

    /// <summary>FBSTP.</summary>
    /// <inheritdoc cref="ToSingle"/>
    public static bool ToDecimal(X87State* s, out ulong digits, out ushort top, out uint flags)
    {
        if (X87State.IsValid(s, 0))
        {
            (digits, top) = Float80Convert.ToDecimal(Float80.Read(X87State.St(s, 0)), s->Fcw, out flags);
        }
        else
        {
            flags = IE | SF;
            digits = 0xC000000000000000;
            top = 0xFFFF;
        }
        return MayWrite(s, flags);
    }

    /// <summary>Sets the status bits of a store to memory and pops, unless an exception kept the store from happening.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Commit(X87State* s, uint flags, bool pop)
    {
        if (X87State.SetStatus(s, flags) && !MayWrite(s, flags))
            return;
        if (pop)
            X87State.Pop(s);
    }

    /// <summary>FST ST(i), FSTP ST(i): the bits are copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Register(X87State* s, uint index, bool pop)
    {
        Float80 value;
        if (X87State.IsValid(s, 0))
        {
            value = Float80.Read(X87State.St(s, 0));
            s->Status = (ushort)(s->Status & ~C1);
        }
        else
        {
            if (!X87State.StackFault(s, false))
                return;
            value = Float80.Indefinite;
        }
        uint d = X87State.Physical(s, index);
        Float80.Write((Float80*)s + d, value);
        s->Valid |= (byte)(1u << (int)d);
        if (pop)
            X87State.Pop(s);
    }

    /// <summary>FSTPNCE: as FSTP ST(i), but with an empty ST(0) only the pop is done and nothing raised.</summary>
    public static void RegisterUnchecked(X87State* s, uint index)
    {
        if (X87State.IsValid(s, 0))
        {
            Register(s, index, true);
            return;
        }
        s->Status = (ushort)(s->Status & ~C1);
        X87State.Pop(s);
    }

    /// <summary>FXCH; an empty register counts as the indefinite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exchange(X87State* s, uint index)
    {
        if (!X87State.IsValid(s, 0) || !X87State.IsValid(s, index))
        {
            ExchangeEmpty(s, index);
            return;
        }
        s->Status = (ushort)(s->Status & ~C1);
        Float80* a = X87State.St(s, 0);
        Float80* b = X87State.St(s, index);
        Float80 first = Float80.Read(a);
        Float80.Write(a, Float80.Read(b));
        Float80.Write(b, first);
    }

    /// <summary>FCMOVcc with the condition decided.</summary>
    public static void ConditionalMove(X87State* s, uint index, bool condition)
    {
        if (!X87State.IsValid(s, 0) || !X87State.IsValid(s, index))
        {
            if (!X87State.StackFault(s, false))
                return;
            Float80.Write(X87State.St(s, 0), Float80.Indefinite);
            s->Valid |= (byte)(1u << (int)X87State.Physical(s, 0));
            return;
        }
        if (condition)
            Float80.Write(X87State.St(s, 0), Float80.Read(X87State.St(s, index)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool MayWrite(X87State* s, uint flags) => (flags & ~(uint)s->Fcw & Exceptions & ~PE) == 0;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ExchangeEmpty(X87State* s, uint index)
    {
        if (!X87State.StackFault(s, false))
            return;
        Float80* a = X87State.St(s, 0);
        Float80* b = X87State.St(s, index);
        if (!X87State.IsValid(s, 0))
            Float80.Write(a, Float80.Indefinite);
        if (!X87State.IsValid(s, index))
            Float80.Write(b, Float80.Indefinite);
        s->Valid |= (byte)(1u << (int)X87State.Physical(s, 0) | 1u << (int)X87State.Physical(s, index));
        Float80 first = Float80.Read(a);
        Float80.Write(a, Float80.Read(b));
        Float80.Write(b, first);
    }
}
