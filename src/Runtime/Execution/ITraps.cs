using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.Execution;

/// <summary>
/// What a host does about traps: exceptions, software interrupts, system calls, halts, requests. <see cref="Vcpu.Run(ITraps, ulong)"/> calls it without
/// leaving its loop.
/// </summary>
public interface ITraps
{
    /// <summary>
    /// A vCPU has stopped with its state exact. The host does what the cause asks for and changes the state as it likes: the vCPU counts as outside,
    /// so that this may block, map memory, and run for as long as it wants.
    /// </summary>
    /// <param name="vcpu">The vCPU, on its thread.</param>
    /// <param name="cause">Why; details are in the state.</param>
    /// <returns>
    /// True: guest code goes on at RIP. False: the run ends with the cause; the vCPU is not touched any more and may have been disposed of.
    /// </returns>
    bool Deliver(Vcpu vcpu, ExitCause cause);
}
