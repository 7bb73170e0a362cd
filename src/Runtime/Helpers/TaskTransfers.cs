using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>Task switches that an instruction makes.</summary>
internal static unsafe class TaskTransfers
{
    /// <summary>
    /// Switches to a task and gives the RIP to go on at. When an exception is pending after it the old task is as it was; an exception of the new one comes
    /// before its first instruction.
    /// </summary>
    public static ulong Switch(CpuState* s, ushort selector, TaskSwitchCause cause, ulong next)
    {
        var result = TaskSwitch.Switch(s, selector, cause, 0, (uint)next, CpuAccess.GetEflags(s));
        if (result == TaskSwitchResult.Refused)
            return 0;
        if (result == TaskSwitchResult.Faulted)
        {
            CpuAccess.RaiseLater(s, s->Execution.ExceptionVector, s->Execution.ExceptionError);
            s->Execution.ExceptionVector = -1;
        }

        return s->Slots[Slot.Rip];
    }
}
