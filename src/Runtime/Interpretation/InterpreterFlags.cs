using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>Conditions of the flags record in the interpreter: the frequent kinds first, the rest by <see cref="FlagsRecord"/>.</summary>
internal static unsafe class InterpreterFlags
{
    /// <summary>CF as 0 or 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Carry(ulong* r)
    {
        if (r[Slot.FlagsOp] >> 2 == (ulong)FlagsKind.Logic)
            return 0;
        return FlagsRecord.Carry(r[Slot.FlagsOp], r[Slot.FlagsRes], r[Slot.FlagsSrc], r[Slot.FlagsAux]) ? 1UL : 0;
    }

    /// <summary>True when the condition holds.</summary>
    public static bool Holds(ulong* r, Condition condition)
    {
        var op = r[Slot.FlagsOp];
        var res = r[Slot.FlagsRes];
        if (op >= 4)
        {
            switch (condition)
            {
                case Condition.E: return res == 0;
                case Condition.Ne: return res != 0;
                case Condition.S: return (res >> ((8 << (int)(op & 3)) - 1) & 1) != 0;
                case Condition.Ns: return (res >> ((8 << (int)(op & 3)) - 1) & 1) == 0;
                default: break;
            }
        }

        return FlagsRecord.Holds(condition, op, res, r[Slot.FlagsSrc], r[Slot.FlagsAux]);
    }
}
