using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>The helpers of the loads; the arguments are described at <see cref="HelperId"/>.</summary>
internal static unsafe class X87LoadHelpers
{
    /// <summary>Enters the family into <see cref="HelperTable"/>.</summary>
    public static void RegisterHelpers()
    {
        Add(HelperId.X87FldSingle, &FldSingle, nameof(FldSingle));
        Add(HelperId.X87FldDouble, &FldDouble, nameof(FldDouble));
        Add(HelperId.X87FldExtended, &FldExtended, nameof(FldExtended));
        Add(HelperId.X87FildWord, &FildWord, nameof(FildWord));
        Add(HelperId.X87FildInt, &FildInt, nameof(FildInt));
        Add(HelperId.X87FildLong, &FildLong, nameof(FildLong));
        Add(HelperId.X87Fbld, &Fbld, nameof(Fbld));
        Add(HelperId.X87FldRegister, &FldRegister, nameof(FldRegister));
        Add(HelperId.X87FldConstant, &FldConstant, nameof(FldConstant));
    }

    internal static ulong FldSingle(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out uint bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Load.Single(&s->X87, bits);
        return 0;
    }

    internal static ulong FldDouble(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out ulong bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Load.Double(&s->X87, bits);
        return 0;
    }

    internal static ulong FldExtended(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.LoadExtended(s, a, b, out Float80 value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Load.Push(&s->X87, value);
        return 0;
    }

    internal static ulong FildWord(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out short value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Load.Push(&s->X87, Float80Convert.FromInteger(value));
        return 0;
    }

    internal static ulong FildInt(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out int value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Load.Push(&s->X87, Float80Convert.FromInteger(value));
        return 0;
    }

    internal static ulong FildLong(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out long value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Load.Push(&s->X87, Float80Convert.FromInteger(value));
        return 0;
    }

    internal static ulong Fbld(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.LoadExtended(s, a, b, out Float80 packed))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Load.Push(&s->X87, Float80Convert.FromDecimal(packed.Significand, packed.SignExponent));
        return 0;
    }

    internal static ulong FldRegister(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Load.Register(&s->X87, X87State.RegisterOf(b));
        return 0;
    }

    internal static ulong FldConstant(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Load.Constant(&s->X87, X87State.RegisterOf(b));
        return 0;
    }

    private static void Add(HelperId id, delegate*<CpuState*, ulong, ulong, ulong, ulong> pointer, string name) =>
        HelperTable.Add(id, pointer, typeof(X87LoadHelpers), name, HelperEffects.MayFault);
}
