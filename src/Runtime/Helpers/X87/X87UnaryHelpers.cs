using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>The helpers of the functions of ST(0); the arguments are described at <see cref="HelperId"/>.</summary>
internal static unsafe class X87UnaryHelpers
{
    /// <summary>Enters the family into <see cref="HelperTable"/>.</summary>
    public static void RegisterHelpers()
    {
        Add(HelperId.X87Fsqrt, &Fsqrt, nameof(Fsqrt));
        Add(HelperId.X87Frndint, &Frndint, nameof(Frndint));
        Add(HelperId.X87Fscale, &Fscale, nameof(Fscale));
        Add(HelperId.X87Fprem, &Fprem, nameof(Fprem));
        Add(HelperId.X87Fprem1, &Fprem1, nameof(Fprem1));
        Add(HelperId.X87Fxtract, &Fxtract, nameof(Fxtract));
        Add(HelperId.X87Fabs, &Fabs, nameof(Fabs));
        Add(HelperId.X87Fchs, &Fchs, nameof(Fchs));
        Add(HelperId.X87Transcendental, &Transcendental, nameof(Transcendental));
    }

    internal static ulong Fsqrt(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Arithmetic.SquareRoot(&s->X87);
        return 0;
    }

    internal static ulong Frndint(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Arithmetic.RoundToIntegral(&s->X87);
        return 0;
    }

    internal static ulong Fscale(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Arithmetic.Scale(&s->X87);
        return 0;
    }

    internal static ulong Fprem(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Arithmetic.Remainder(&s->X87, false);
        return 0;
    }

    internal static ulong Fprem1(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Arithmetic.Remainder(&s->X87, true);
        return 0;
    }

    internal static ulong Fxtract(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Arithmetic.Extract(&s->X87);
        return 0;
    }

    internal static ulong Fabs(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Arithmetic.Absolute(&s->X87);
        return 0;
    }

    internal static ulong Fchs(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Arithmetic.ChangeSign(&s->X87);
        return 0;
    }

    internal static ulong Transcendental(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Transcendental.Execute(&s->X87, (uint)a);
        return 0;
    }

    private static void Add(HelperId id, delegate*<CpuState*, ulong, ulong, ulong, ulong> pointer, string name) =>
        HelperTable.Add(id, pointer, typeof(X87UnaryHelpers), name, HelperEffects.MayFault);
}
