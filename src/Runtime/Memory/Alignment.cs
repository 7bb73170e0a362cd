using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Memory;

/// <summary>Alignment checking (SDM Vol. 3, 6.15, interrupt 17): the rule for each size of operand.</summary>
internal static unsafe class Alignment
{
    /// <summary>True when an access that no other rule forbids is aligned, else #AC is pending.</summary>
    public static bool Check(CpuState* s, ulong linear, int size)
    {
        if (IsAligned(linear, size))
            return true;
        CpuAccess.Raise(s, ExceptionVector.AlignmentCheck);
        return false;
    }

    /// <summary>True when an operand of so many bytes is aligned. (Images of the x87 state are accessed field by field.)</summary>
    public static bool IsAligned(ulong linear, int size)
    {
        var mask = size switch
        {
            2 or 14 or 94 => 1u,
            4 or 28 or 108 => 3u,
            8 or 10 => 7u,
            16 => 15u,
            _ => 0u,
        };
        return (linear & mask) == 0;
    }
}
