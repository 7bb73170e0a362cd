using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>The helpers of the stores and moves; the arguments are described at <see cref="HelperId"/>.</summary>
internal static unsafe class X87StoreHelpers
{
    /// <summary>Enters the family into <see cref="HelperTable"/>.</summary>
    public static void RegisterHelpers()
    {
        Add(HelperId.X87FstSingle, &FstSingle, nameof(FstSingle));
        Add(HelperId.X87FstpSingle, &FstpSingle, nameof(FstpSingle));
        Add(HelperId.X87FstDouble, &FstDouble, nameof(FstDouble));
        Add(HelperId.X87FstpDouble, &FstpDouble, nameof(FstpDouble));
        Add(HelperId.X87FstpExtended, &FstpExtended, nameof(FstpExtended));
        Add(HelperId.X87FistWord, &FistWord, nameof(FistWord));
        Add(HelperId.X87FistpWord, &FistpWord, nameof(FistpWord));
        Add(HelperId.X87FistInt, &FistInt, nameof(FistInt));
        Add(HelperId.X87FistpInt, &FistpInt, nameof(FistpInt));
        Add(HelperId.X87FistpLong, &FistpLong, nameof(FistpLong));
        Add(HelperId.X87FisttpWord, &FisttpWord, nameof(FisttpWord));
        Add(HelperId.X87FisttpInt, &FisttpInt, nameof(FisttpInt));
        Add(HelperId.X87FisttpLong, &FisttpLong, nameof(FisttpLong));
        Add(HelperId.X87Fbstp, &Fbstp, nameof(Fbstp));
        Add(HelperId.X87FstRegister, &FstRegister, nameof(FstRegister));
        Add(HelperId.X87FstpRegister, &FstpRegister, nameof(FstpRegister));
        Add(HelperId.X87Fstpnce, &Fstpnce, nameof(Fstpnce));
        Add(HelperId.X87Fxch, &Fxch, nameof(Fxch));
        Add(HelperId.X87Fcmov, &Fcmov, nameof(Fcmov));
    }

    internal static ulong FstSingle(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToSingle(&s->X87, out uint bits, out uint flags) && !X87Access.Store(s, a, b, bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, false);
        return 0;
    }

    internal static ulong FstpSingle(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToSingle(&s->X87, out uint bits, out uint flags) && !X87Access.Store(s, a, b, bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, true);
        return 0;
    }

    internal static ulong FstDouble(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToDouble(&s->X87, out ulong bits, out uint flags) && !X87Access.Store(s, a, b, bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, false);
        return 0;
    }

    internal static ulong FstpDouble(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToDouble(&s->X87, out ulong bits, out uint flags) && !X87Access.Store(s, a, b, bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, true);
        return 0;
    }

    internal static ulong FstpExtended(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToExtended(&s->X87, out Float80 value, out uint flags) && !X87Access.StoreExtended(s, a, b, value.Significand, value.SignExponent))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, true);
        return 0;
    }

    internal static ulong FistWord(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToInteger(&s->X87, 16, false, out long value, out uint flags) && !X87Access.Store(s, a, b, (short)value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, false);
        return 0;
    }

    internal static ulong FistpWord(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToInteger(&s->X87, 16, false, out long value, out uint flags) && !X87Access.Store(s, a, b, (short)value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, true);
        return 0;
    }

    internal static ulong FistInt(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToInteger(&s->X87, 32, false, out long value, out uint flags) && !X87Access.Store(s, a, b, (int)value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, false);
        return 0;
    }

    internal static ulong FistpInt(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToInteger(&s->X87, 32, false, out long value, out uint flags) && !X87Access.Store(s, a, b, (int)value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, true);
        return 0;
    }

    internal static ulong FistpLong(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToInteger(&s->X87, 64, false, out long value, out uint flags) && !X87Access.Store(s, a, b, value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, true);
        return 0;
    }

    internal static ulong FisttpWord(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToInteger(&s->X87, 16, true, out long value, out uint flags) && !X87Access.Store(s, a, b, (short)value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, true);
        return 0;
    }

    internal static ulong FisttpInt(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToInteger(&s->X87, 32, true, out long value, out uint flags) && !X87Access.Store(s, a, b, (int)value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, true);
        return 0;
    }

    internal static ulong FisttpLong(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToInteger(&s->X87, 64, true, out long value, out uint flags) && !X87Access.Store(s, a, b, value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, true);
        return 0;
    }

    internal static ulong Fbstp(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        if (X87Store.ToDecimal(&s->X87, out ulong digits, out ushort top, out uint flags) && !X87Access.StoreExtended(s, a, b, digits, top))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Store.Commit(&s->X87, flags, true);
        return 0;
    }

    internal static ulong FstRegister(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Store.Register(&s->X87, X87State.RegisterOf(b), false);
        return 0;
    }

    internal static ulong FstpRegister(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Store.Register(&s->X87, X87State.RegisterOf(b), true);
        return 0;
    }

    internal static ulong Fstpnce(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Store.RegisterUnchecked(&s->X87, X87State.RegisterOf(b));
        return 0;
    }

    internal static ulong Fxch(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Store.Exchange(&s->X87, X87State.RegisterOf(b));
        return 0;
    }

    internal static ulong Fcmov(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Store.ConditionalMove(&s->X87, X87State.RegisterOf(b), a != 0);
        return 0;
    }

    private static void Add(HelperId id, delegate*<CpuState*, ulong, ulong, ulong, ulong> pointer, string name) =>
        HelperTable.Add(id, pointer, typeof(X87StoreHelpers), name, HelperEffects.MayFault);
}
