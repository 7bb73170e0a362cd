using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>The helpers of the six two-operand operations, in all their operand forms; the arguments are described at <see cref="HelperId"/>.</summary>
internal static unsafe class X87ArithmeticHelpers<T>
    where T : struct, IX87Operation
{
    /// <summary>Registers the seven forms of the operation, whose ids begin at <paramref name="first"/>.</summary>
    public static void RegisterHelpers(HelperId first)
    {
        Add(first, &Top, nameof(Top));
        Add(first + 1, &Register, nameof(Register));
        Add(first + 2, &Pop, nameof(Pop));
        Add(first + 3, &Single, nameof(Single));
        Add(first + 4, &Double, nameof(Double));
        Add(first + 5, &Word, nameof(Word));
        Add(first + 6, &Int, nameof(Int));
    }

    internal static ulong Top(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Arithmetic.Register<T>(&s->X87, 0, X87State.RegisterOf(b), false);
        return 0;
    }

    internal static ulong Register(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Arithmetic.Register<T>(&s->X87, X87State.RegisterOf(b), 0, false);
        return 0;
    }

    internal static ulong Pop(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Arithmetic.Register<T>(&s->X87, X87State.RegisterOf(b), 0, true);
        return 0;
    }

    internal static ulong Single(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out uint bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Arithmetic.Memory<T>(&s->X87, Float80Convert.FromSingle(bits), Float80Convert.IsDenormalSingle(bits));
        return 0;
    }

    internal static ulong Double(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out ulong bits))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Arithmetic.Memory<T>(&s->X87, Float80Convert.FromDouble(bits), Float80Convert.IsDenormalDouble(bits));
        return 0;
    }

    internal static ulong Word(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out short value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Arithmetic.Memory<T>(&s->X87, Float80Convert.FromInteger(value), false);
        return 0;
    }

    internal static ulong Int(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s) || !X87Access.Load(s, a, b, out int value))
            return 0;
        X87Access.Note(s, b, a, c);
        X87Arithmetic.Memory<T>(&s->X87, Float80Convert.FromInteger(value), false);
        return 0;
    }

    private static void Add(HelperId id, delegate*<CpuState*, ulong, ulong, ulong, ulong> pointer, string name) =>
        HelperTable.Add(id, pointer, typeof(X87ArithmeticHelpers<T>), name, HelperEffects.MayFault);
}
