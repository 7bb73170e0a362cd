using System.Reflection;
using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>
/// The helpers of x87 instructions whose registers are known when they are translated: all exceptions are masked, nothing forbids x87
/// instructions, the operands are not empty, and what is pushed goes to an empty register. They compute by the same functions as the
/// general helpers; TOP, tags and the last instruction are the translation's business. Registers are given by their addresses.
/// Not inlined: inside a region the arithmetic is no faster, and many times as large.
/// </summary>
public static unsafe class X87KnownHelpers
{
    private const BindingFlags Any = BindingFlags.Static | BindingFlags.NonPublic;

    /// <summary>The helper (state, destination, source) of an operation on two registers, by the id of its <c>Top</c> form.</summary>
    public static MethodInfo OfRegisters(HelperId operation) => Arithmetic(operation).GetMethod("Registers", Any)!;

    /// <summary>The helper (state, linear address, destination, last) of an operation with a memory operand of 4 or 8 bytes.</summary>
    public static MethodInfo OfMemory(HelperId operation, bool wide) => Arithmetic(operation).GetMethod(wide ? "Double" : "Single", Any)!;

    /// <summary>The helper (state, linear address, destination, last) of FLD m32 or m64.</summary>
    public static MethodInfo OfLoad(bool wide) => typeof(X87KnownHelpers).GetMethod(wide ? nameof(LoadDouble) : nameof(LoadSingle), Any)!;

    /// <summary>The helper (state, linear address, source, last) of FST m32 or m64.</summary>
    public static MethodInfo OfStore(bool wide) => typeof(X87KnownHelpers).GetMethod(wide ? nameof(StoreDouble) : nameof(StoreSingle), Any)!;

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void LoadSingle(CpuState* s, ulong linear, Float80* target, ulong last)
    {
        if (X87Access.Load(s, linear, last, out uint bits))
            X87Load.SingleTo(&s->X87, target, bits);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void LoadDouble(CpuState* s, ulong linear, Float80* target, ulong last)
    {
        if (X87Access.Load(s, linear, last, out ulong bits))
            X87Load.DoubleTo(&s->X87, target, bits);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void StoreSingle(CpuState* s, ulong linear, Float80* source, ulong last)
    {
        uint bits = Float80Convert.ToSingle(Float80.Read(source), s->X87.Fcw, out uint flags);
        if (X87Access.Store(s, linear, last, bits))
            X87State.SetStatus(&s->X87, flags);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void StoreDouble(CpuState* s, ulong linear, Float80* source, ulong last)
    {
        ulong bits = Float80Convert.ToDouble(Float80.Read(source), s->X87.Fcw, out uint flags);
        if (X87Access.Store(s, linear, last, bits))
            X87State.SetStatus(&s->X87, flags);
    }

    private static Type Arithmetic(HelperId operation) => operation switch
    {
        HelperId.X87AddTop => typeof(X87KnownArithmetic<X87Add>),
        HelperId.X87MultiplyTop => typeof(X87KnownArithmetic<X87Multiply>),
        HelperId.X87SubtractTop => typeof(X87KnownArithmetic<X87Subtract>),
        HelperId.X87SubtractReverseTop => typeof(X87KnownArithmetic<X87SubtractReverse>),
        HelperId.X87DivideTop => typeof(X87KnownArithmetic<X87Divide>),
        _ => typeof(X87KnownArithmetic<X87DivideReverse>),
    };
}

/// <summary>The two-operand operations of <see cref="X87KnownHelpers"/>.</summary>
internal static unsafe class X87KnownArithmetic<T>
    where T : struct, IX87Operation
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Registers(CpuState* s, Float80* target, Float80* source) =>
        X87Arithmetic.Finish(&s->X87, target, T.Apply(Float80.Read(target), Float80.Read(source), s->X87.Fcw), false);

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Single(CpuState* s, ulong linear, Float80* target, ulong last)
    {
        if (X87Access.Load(s, linear, last, out uint bits))
            X87Arithmetic.MemoryTo<T>(&s->X87, target, Float80Convert.FromSingle(bits), Float80Convert.IsDenormalSingle(bits));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Double(CpuState* s, ulong linear, Float80* target, ulong last)
    {
        if (X87Access.Load(s, linear, last, out ulong bits))
            X87Arithmetic.MemoryTo<T>(&s->X87, target, Float80Convert.FromDouble(bits), Float80Convert.IsDenormalDouble(bits));
    }
}
