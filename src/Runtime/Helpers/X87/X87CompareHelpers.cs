using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>The helpers of the comparisons; the arguments are described at <see cref="HelperId"/>.</summary>
internal static unsafe class X87CompareHelpers
{
    /// <summary>Enters the family into <see cref="HelperTable"/>.</summary>
    public static void RegisterHelpers()
    {
        Add(HelperId.X87Fcom, &Fcom, nameof(Fcom));
        Add(HelperId.X87Fcomp, &Fcomp, nameof(Fcomp));
        Add(HelperId.X87Fcompp, &Fcompp, nameof(Fcompp));
        Add(HelperId.X87Fucom, &Fucom, nameof(Fucom));
        Add(HelperId.X87Fucomp, &Fucomp, nameof(Fucomp));
        Add(HelperId.X87Fucompp, &Fucompp, nameof(Fucompp));
        Add(HelperId.X87Fcomi, &Fcomi, nameof(Fcomi));
        Add(HelperId.X87Fcomip, &Fcomip, nameof(Fcomip));
        Add(HelperId.X87Fucomi, &Fucomi, nameof(Fucomi));
        Add(HelperId.X87Fucomip, &Fucomip, nameof(Fucomip));
        Add(HelperId.X87FcomSingle, &FcomSingle, nameof(FcomSingle));
        Add(HelperId.X87FcompSingle, &FcompSingle, nameof(FcompSingle));
        Add(HelperId.X87FcomDouble, &FcomDouble, nameof(FcomDouble));
        Add(HelperId.X87FcompDouble, &FcompDouble, nameof(FcompDouble));
        Add(HelperId.X87FicomWord, &FicomWord, nameof(FicomWord));
        Add(HelperId.X87FicompWord, &FicompWord, nameof(FicompWord));
        Add(HelperId.X87FicomInt, &FicomInt, nameof(FicomInt));
        Add(HelperId.X87FicompInt, &FicompInt, nameof(FicompInt));
        Add(HelperId.X87Ftst, &Ftst, nameof(Ftst));
        Add(HelperId.X87Fxam, &Fxam, nameof(Fxam));
    }

    internal static ulong Fcom(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Compare.Register(&s->X87, X87State.RegisterOf(b), false, 0);
        return 0;
    }

    internal static ulong Fcomp(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Compare.Register(&s->X87, X87State.RegisterOf(b), false, 1);
        return 0;
    }

    internal static ulong Fcompp(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Compare.Register(&s->X87, 1, false, 2);
        return 0;
    }

    internal static ulong Fucom(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Compare.Register(&s->X87, X87State.RegisterOf(b), true, 0);
        return 0;
    }

    internal static ulong Fucomp(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Compare.Register(&s->X87, X87State.RegisterOf(b), true, 1);
        return 0;
    }

    internal static ulong Fucompp(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Compare.Register(&s->X87, 1, true, 2);
        return 0;
    }

    internal static ulong Fcomi(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        return X87Compare.ToEflags(&s->X87, X87State.RegisterOf(b), false, false);
    }

    internal static ulong Fcomip(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        return X87Compare.ToEflags(&s->X87, X87State.RegisterOf(b), false, true);
    }

    internal static ulong Fucomi(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        return X87Compare.ToEflags(&s->X87, X87State.RegisterOf(b), true, false);
    }

    internal static ulong Fucomip(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        return X87Compare.ToEflags(&s->X87, X87State.RegisterOf(b), true, true);
    }

    internal static ulong FcomSingle(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out uint bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Compare.Memory(&s->X87, Float80Convert.FromSingle(bits), Float80Convert.IsDenormalSingle(bits), 0);
        return 0;
    }

    internal static ulong FcompSingle(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out uint bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Compare.Memory(&s->X87, Float80Convert.FromSingle(bits), Float80Convert.IsDenormalSingle(bits), 1);
        return 0;
    }

    internal static ulong FcomDouble(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out ulong bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Compare.Memory(&s->X87, Float80Convert.FromDouble(bits), Float80Convert.IsDenormalDouble(bits), 0);
        return 0;
    }

    internal static ulong FcompDouble(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out ulong bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Compare.Memory(&s->X87, Float80Convert.FromDouble(bits), Float80Convert.IsDenormalDouble(bits), 1);
        return 0;
    }

    internal static ulong FicomWord(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out short value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Compare.Memory(&s->X87, Float80Convert.FromInteger(value), false, 0);
        return 0;
    }

    internal static ulong FicompWord(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out short value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Compare.Memory(&s->X87, Float80Convert.FromInteger(value), false, 1);
        return 0;
    }

    internal static ulong FicomInt(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out int value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Compare.Memory(&s->X87, Float80Convert.FromInteger(value), false, 0);
        return 0;
    }

    internal static ulong FicompInt(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out int value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Compare.Memory(&s->X87, Float80Convert.FromInteger(value), false, 1);
        return 0;
    }

    internal static ulong Ftst(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Compare.Test(&s->X87);
        return 0;
    }

    internal static ulong Fxam(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Compare.Examine(&s->X87);
        return 0;
    }

    private static void Add(HelperId id, delegate*<CpuState*, ulong, ulong, ulong, ulong> pointer, string name) =>
        HelperTable.Add(id, pointer, typeof(X87CompareHelpers), name, HelperEffects.MayFault);
}
