using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Execution;

/// <content>A run: from trap to trap, with the host in between, and its budget.</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>
    /// Runs guest code from RIP in the state's mode.
    /// </summary>
    /// <param name="maxInstructions">Return <see cref="ExitCause.Budget"/> after exactly so many instructions.</param>
    /// <returns>Why it returned; see <see cref="ExitCause"/> for the owners and the state's fields for details.</returns>
    public ExitCause Run(ulong maxInstructions = ulong.MaxValue)
    {
        Begin(maxInstructions);
        try
        {
            EnterGuest();
            return RunToTrap();
        }
        finally
        {
            HostMxcsr.Reset();
            LeaveGuest();
        }
    }

    /// <summary>
    /// Runs guest code from RIP in the state's mode, and lets the host deliver traps, until it ends the run.
    /// </summary>
    /// <param name="traps">The host.</param>
    /// <param name="maxInstructions">Stop with <see cref="ExitCause.Budget"/> after exactly so many instructions.</param>
    /// <returns>The cause that the host ended the run with.</returns>
    public ExitCause Run(ITraps traps, ulong maxInstructions = ulong.MaxValue)
    {
        Begin(maxInstructions);
        try
        {
            while (true)
            {
                EnterGuest();
                var cause = RunToTrap();
                LeaveGuest();
                if (!traps.Deliver(this, cause))
                    return cause;
            }
        }
        finally
        {
            HostMxcsr.Reset();
            LeaveGuest();
        }
    }

    /// <summary>Takes instructions from what is left of the budget: what the host delivers costs something, too.</summary>
    public void Charge(ulong instructions)
    {
        ref var limit = ref State->Execution.InstructionLimit;
        if (limit != ulong.MaxValue)
            limit -= Math.Min(instructions, limit - Math.Min(limit, State->Execution.InstructionCount));
    }

    /// <summary>
    /// Executes one instruction, for a host in <see cref="ITraps.Deliver"/> that has something to do right after it.
    /// </summary>
    /// <returns><see cref="ExitCause.Continue"/>, or what the host has to deliver.</returns>
    public ExitCause ExecuteOne()
    {
        var s = State;
        if (s->Execution.InstructionCount >= s->Execution.InstructionLimit)
            return ExitCause.Budget;
        EnterGuest();
        var cause = IsTraced ? ExecuteTraced() : RunAlone(1);
        LeaveGuest();
        return cause;
    }

    private void Begin(ulong maxInstructions)
    {
        var s = State;
        _aloneCompilations = 0;
        _isFinishing = false;
        _invalidationsBefore = Cache.Statistics.Invalidations;
        s->Execution.InstructionLimit = maxInstructions > ulong.MaxValue - s->Execution.InstructionCount ? ulong.MaxValue : s->Execution.InstructionCount + maxInstructions;
        Times?.EnterOnThread(VcpuActivity.Dispatching);
    }

    private void EnterGuest()
    {
        State->Execution.ExceptionVector = -1;
        Times?.Enter(VcpuActivity.Dispatching);
        EnterCache();
    }

    // Between traps the host has its own MXCSR already: executors give it back.
    private void LeaveGuest()
    {
        LeaveCache();
        Times?.Enter(VcpuActivity.Other);
    }

    private ExitCause RunToTrap()
    {
        while (true)
        {
            var cause = Step();
            if (cause == ExitCause.Continue)
                continue;
            Exits[(int)cause]++;
            return cause;
        }
    }
}
