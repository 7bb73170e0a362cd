using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>
/// The memory type range registers (SDM Vol. 3, 11.11). They can be read and written as the CPU has them; there are no caches for which they
/// could count.
/// </summary>
internal static unsafe class MemoryTypeRanges
{
    // Fixed ranges and write combining, beside the number of variable ranges.
    private const ulong Capabilities = SystemRegisters.VariableRangeCount | (1 << 8) | (1 << 10);
    private const ulong DefaultTypeBits = 0xCFF, MaskValid = 1 << 11;

    /// <summary>Reads a register; false when the number is none of these.</summary>
    public static bool TryRead(CpuState* s, uint number, out ulong value)
    {
        ref var system = ref s->System;
        value = number switch
        {
            Msr.MtrrCapabilities => Capabilities,
            Msr.MtrrDefaultType => system.MtrrDefaultType,
            _ when IsVariable(number) => system.MtrrVariable[number - Msr.MtrrVariable],
            _ when FixedIndex(number) is var index && index >= 0 => system.MtrrFixed[index],
            _ => ulong.MaxValue,
        };
        return value != ulong.MaxValue;
    }

    /// <summary>Writes a register; false when the number is none of these, or the value is none for it.</summary>
    public static bool TryWrite(CpuState* s, uint number, ulong value)
    {
        ref var system = ref s->System;
        if (number == Msr.MtrrDefaultType)
        {
            if ((value & ~DefaultTypeBits) != 0 || !IsType((byte)value))
                return false;
            system.MtrrDefaultType = value;
            return true;
        }

        if (IsVariable(number))
        {
            var address = ((1UL << Vcpu.Of(s).Model.PhysicalAddressBits) - 1) & ~0xFFFUL;
            var isMask = (number & 1) != 0;
            if ((value & ~(address | (isMask ? MaskValid : 0xFF))) != 0 || (!isMask && !IsType((byte)value)))
                return false;
            system.MtrrVariable[number - Msr.MtrrVariable] = value;
            return true;
        }

        var index = FixedIndex(number);
        if (index < 0)
            return false;
        for (var i = 0; i < 64; i += 8)
            if (!IsType((byte)(value >> i)))
                return false;
        system.MtrrFixed[index] = value;
        return true;
    }

    private static bool IsVariable(uint number) => number - Msr.MtrrVariable < SystemRegisters.VariableRangeCount * 2;

    private static int FixedIndex(uint number) => number switch
    {
        Msr.MtrrFixed64K => 0,
        Msr.MtrrFixed16K or Msr.MtrrFixed16K + 1 => (int)(number - Msr.MtrrFixed16K) + 1,
        >= Msr.MtrrFixed4K and < Msr.MtrrFixed4K + 8 => (int)(number - Msr.MtrrFixed4K) + 3,
        _ => -1,
    };

    // Uncacheable, write combining, write through, write protected, write back.
    private static bool IsType(byte type) => type is 0 or 1 or 4 or 5 or 6;
}
