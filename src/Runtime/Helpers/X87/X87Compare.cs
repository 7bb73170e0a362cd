using System.Runtime.CompilerServices;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>FCOM, FUCOM, FICOM, FCOMI, FUCOMI, FTST and FXAM on the register stack.</summary>
public static unsafe class X87Compare
{
    /// <summary>FCOM, FUCOM ST(index) and their popping forms.</summary>
    /// <param name="s">The state.</param>
    /// <param name="index">Register to compare ST(0) with.</param>
    /// <param name="quiet">True for FUCOM.</param>
    /// <param name="pops">0, 1 or 2.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Register(X87State* s, uint index, bool quiet, int pops)
    {
        uint outcome = X87State.IsValid(s, 0) && X87State.IsValid(s, index)
            ? Float80Compare.Compare(Float80.Read(X87State.St(s, 0)), Float80.Read(X87State.St(s, index)), quiet)
            : Float80Compare.Unordered | IE | SF;
        Finish(s, outcome, pops);
    }

    /// <summary>FCOM, FICOM with a memory operand.</summary>
    /// <param name="s">The state.</param>
    /// <param name="operand">The operand, widened exactly.</param>
    /// <param name="denormal">True when it was a denormal in its memory format.</param>
    /// <param name="pops">0 or 1.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Memory(X87State* s, Float80 operand, bool denormal, int pops)
    {
        uint outcome;
        if (X87State.IsValid(s, 0))
        {
            outcome = Float80Compare.Compare(Float80.Read(X87State.St(s, 0)), operand, false);
            if (denormal && (outcome & IE) == 0)
                outcome |= DE;
        }
        else
        {
            outcome = Float80Compare.Unordered | IE | SF;
        }
        Finish(s, outcome, pops);
    }

    /// <summary>FTST.</summary>
    public static void Test(X87State* s) => Memory(s, default, false, 0);

    /// <summary>FXAM.</summary>
    public static void Examine(X87State* s)
    {
        Float80 value = Float80.Read(X87State.St(s, 0));
        uint codes = X87State.IsValid(s, 0)
            ? Float80Compare.Examine(value)
            : C3 | C0 | (value.Sign != 0 ? C1 : 0);
        s->Status = (ushort)(s->Status & ~ConditionCodes | codes);
    }

    /// <summary>FCOMI, FUCOMI.</summary>
    /// <param name="s">The state.</param>
    /// <param name="index">Register to compare ST(0) with.</param>
    /// <param name="quiet">True for FUCOMI.</param>
    /// <param name="pop">True for the popping form.</param>
    /// <returns>ZF, PF and CF at their EFLAGS positions; OF, SF and AF are cleared by the instruction.</returns>
    /// <remarks>EFLAGS are written even when an unmasked exception prevents the pop.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint ToEflags(X87State* s, uint index, bool quiet, bool pop)
    {
        uint outcome = X87State.IsValid(s, 0) && X87State.IsValid(s, index)
            ? Float80Compare.Compare(Float80.Read(X87State.St(s, 0)), Float80.Read(X87State.St(s, index)), quiet)
            : Float80Compare.Unordered | IE | SF;
        // C1 stays as it is unless a stack fault clears it.
        uint flags = outcome & (Exceptions | SF);
        if ((outcome & SF) == 0)
            flags |= s->Status & C1;
        if (!X87State.SetStatus(s, flags) && pop)
            X87State.Pop(s);
        // C0, C2 and C3 are eight bits above CF, PF and ZF.
        return (outcome & (C3 | C2 | C0)) >> 8;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(X87State* s, uint outcome, int pops)
    {
        // The condition codes are set even when an unmasked exception prevents the pop.
        s->Status = (ushort)(s->Status & ~ConditionCodes | outcome);
        if ((outcome & Exceptions) != 0 && X87State.SetStatus(s, outcome))
            return;
        if (pops > 0)
            X87State.Pop(s);
        if (pops > 1)
            X87State.Pop(s);
    }
}
