using System.Runtime.CompilerServices;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>Instructions that push: loads from memory and registers, and the constants.</summary>
public static unsafe class X87Load
{
    /// <summary>Number of constants: FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ (the order of their opcodes).</summary>
    public const int ConstantCount = 7;

    /// <summary>Pushes a value as it is: FLD m80, FILD, FBLD.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Push(X87State* s, Float80 value)
    {
        uint top = s->Top - 1u & 7;
        uint bit = 1u << (int)top;
        if ((s->Valid & bit) != 0)
        {
            PushOverflow(s);
            return;
        }
        s->Top = (byte)top;
        s->Status = (ushort)(s->Status & ~C1);
        s->Valid |= (byte)bit;
        Float80.Write((Float80*)s + top, value);
    }

    /// <summary>FLD m32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Single(X87State* s, uint bits)
    {
        if ((bits & 0x7F800000) - 0x00800000 < 0x7F000000 || (bits & 0x7FFFFFFF) == 0)
            Push(s, Float80Convert.FromSingle(bits));
        else
            PushSpecial(s, Float80Convert.FromSingle(bits), Float80Convert.IsDenormalSingle(bits));
    }

    /// <summary>FLD m64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Double(X87State* s, ulong bits)
    {
        if ((bits & 0x7FF0000000000000) - 0x0010000000000000 < 0x7FE0000000000000 || bits << 1 == 0)
            Push(s, Float80Convert.FromDouble(bits));
        else
            PushSpecial(s, Float80Convert.FromDouble(bits), Float80Convert.IsDenormalDouble(bits));
    }

    /// <summary>FLD m32 to the register that is known to become ST(0) and to be empty, all exceptions masked. TOP and tags stay.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void SingleTo(X87State* s, Float80* target, uint bits)
    {
        if ((bits & 0x7F800000) - 0x00800000 < 0x7F000000 || (bits & 0x7FFFFFFF) == 0)
        {
            s->Status = (ushort)(s->Status & ~C1);
            Float80.Write(target, Float80Convert.FromSingle(bits));
        }
        else
        {
            SpecialTo(s, target, Float80Convert.FromSingle(bits), Float80Convert.IsDenormalSingle(bits));
        }
    }

    /// <summary>FLD m64, as <see cref="SingleTo"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void DoubleTo(X87State* s, Float80* target, ulong bits)
    {
        if ((bits & 0x7FF0000000000000) - 0x0010000000000000 < 0x7FE0000000000000 || bits << 1 == 0)
        {
            s->Status = (ushort)(s->Status & ~C1);
            Float80.Write(target, Float80Convert.FromDouble(bits));
        }
        else
        {
            SpecialTo(s, target, Float80Convert.FromDouble(bits), Float80Convert.IsDenormalDouble(bits));
        }
    }

    /// <summary>FLD ST(i).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Register(X87State* s, uint index)
    {
        if (!X87State.IsValid(s, index))
        {
            if (X87State.StackFault(s, false))
                PushUnchecked(s, Float80.Indefinite);
            return;
        }
        Push(s, Float80.Read(X87State.St(s, index)));
    }

    /// <summary>FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: the exact constant rounded as the control word asks.</summary>
    /// <param name="s">The state.</param>
    /// <param name="index">0 to 6, in the order above.</param>
    public static void Constant(X87State* s, uint index)
    {
        uint rounding = s->Fcw & RoundingMask;
        // The stored significands are rounded to nearest; how the exact value lies beside them says where the other modes differ.
        Float80 value = index switch
        {
            0 => new(Float80.IntegerBit, 0x3FFF),
            1 => new(0xD49A784BCD1B8AFEul + (rounding == RoundUp ? 1u : 0u), 0x4000),
            2 => new(0xB8AA3B295C17F0BCul - (rounding is RoundDown or RoundZero ? 1u : 0u), 0x3FFF),
            3 => new(0xC90FDAA22168C235ul - (rounding is RoundDown or RoundZero ? 1u : 0u), 0x4000),
            4 => new(0x9A209A84FBCFF799ul - (rounding is RoundDown or RoundZero ? 1u : 0u), 0x3FFD),
            5 => new(0xB17217F7D1CF79ACul - (rounding is RoundDown or RoundZero ? 1u : 0u), 0x3FFE),
            _ => default,
        };
        Push(s, value);
    }

    /// <summary>Decrements TOP and writes the new ST(0) whatever was there; the status bits have been set.</summary>
    internal static void PushUnchecked(X87State* s, Float80 value)
    {
        uint top = s->Top - 1u & 7;
        s->Top = (byte)top;
        s->Valid |= (byte)(1u << (int)top);
        Float80.Write((Float80*)s + top, value);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void PushOverflow(X87State* s)
    {
        if (X87State.StackFault(s, true))
            PushUnchecked(s, Float80.Indefinite);
    }

    /// <summary>Infinities, NaNs and denormals of the short formats: signalling NaNs raise IE and are quieted, denormals raise DE.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void PushSpecial(X87State* s, Float80 value, bool denormal)
    {
        if (X87State.IsValid(s, 7))
        {
            PushOverflow(s);
            return;
        }
        // A denormal is loaded even when DE is not masked.
        if (!X87State.SetStatus(s, QuietSpecial(ref value, denormal)) || denormal)
            PushUnchecked(s, value);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void SpecialTo(X87State* s, Float80* target, Float80 value, bool denormal)
    {
        X87State.SetStatus(s, QuietSpecial(ref value, denormal));
        Float80.Write(target, value);
    }

    // Makes a NaN quiet; returns the exceptions of the load.
    private static uint QuietSpecial(ref Float80 value, bool denormal)
    {
        uint flags = denormal ? DE : value.IsSignalingNaN ? IE : 0;
        if (value.IsNaN)
            value = value.Quieted;
        return flags;
    }
}
