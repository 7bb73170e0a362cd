using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>Reads and writes of DR0 to DR7 (SDM Vol. 3, 17.2; Vol. 2, MOV to/from debug registers).</summary>
public static unsafe class DebugRegisters
{
    /// <summary>DR6 after RESET: the bits that are always set.</summary>
    public const ulong Dr6Fixed = 0xFFFF0FF0;

    /// <summary>DR7 after RESET.</summary>
    public const ulong Dr7Fixed = 0x400;

    /// <summary>DR6: breakpoint 0; those of 1 to 3 follow.</summary>
    public const ulong Breakpoint0 = 1;

    /// <summary>DR6: a debug register was accessed with general detection on.</summary>
    public const ulong AccessDetected = 1 << 13;

    /// <summary>DR6: single step.</summary>
    public const ulong SingleStep = 1 << 14;

    /// <summary>DR6: a task with the T flag.</summary>
    public const ulong TaskSwitch = 1 << 15;

    /// <summary>DR7: accesses to debug registers raise #DB.</summary>
    public const ulong GeneralDetect = 1 << 13;

    private const ulong Dr6Writable = 0xE00F, Dr7Writable = 0xFFFF23FF;

    /// <summary>Reads a debug register; false with the exception pending.</summary>
    public static bool TryRead(CpuState* s, int number, out ulong value)
    {
        value = 0;
        if (!TryFind(s, ref number))
            return false;
        value = number switch { 6 => s->System.Dr6, 7 => s->System.Dr7, _ => s->System.DebugAddresses[number] };
        return true;
    }

    /// <summary>Writes a debug register; false with the exception pending.</summary>
    public static bool TryWrite(CpuState* s, int number, ulong value)
    {
        if (!TryFind(s, ref number))
            return false;
        if (number >= 6 && value > uint.MaxValue)
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return false;
        }

        switch (number)
        {
            case 6:
                s->System.Dr6 = (value & Dr6Writable) | Dr6Fixed;
                break;
            case 7:
                s->System.Dr7 = (value & Dr7Writable) | Dr7Fixed;

                // The dispatcher looks at them.
                if (DebugBreakpoints.AreActive(s))
                    Interlocked.Or(ref s->Execution.ExitRequest, (int)ExitRequests.Invalidation);
                break;
            default:
                s->System.DebugAddresses[number] = value;
                break;
        }

        return true;
    }

    // DR4 and DR5 are other names of DR6 and DR7 unless CR4.DE is set. General detection comes first, and ends with the exception that it raises.
    private static bool TryFind(CpuState* s, ref int number)
    {
        if (number is 4 or 5)
        {
            if ((s->System.Cr4 & Cr4.DebuggingExtensions) != 0)
            {
                CpuAccess.Raise(s, ExceptionVector.InvalidOpcode);
                return false;
            }

            number += 2;
        }

        if ((s->System.Dr7 & GeneralDetect) == 0)
            return true;
        s->System.Dr7 &= ~GeneralDetect;
        s->System.Dr6 |= AccessDetected;
        CpuAccess.Raise(s, ExceptionVector.Debug);
        return false;
    }
}
