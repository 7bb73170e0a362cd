using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Processes;

/// <summary>What a change of the process's local descriptor table does to segment registers that name its entries.</summary>
public sealed unsafe partial class GuestThread
{
    // Of the local table; the segment registers are as of then.
    private int _descriptorGeneration;

    /// <summary>The thread has written the local descriptor table: the others that share it look at it soon.</summary>
    internal void LocalDescriptorsChanged()
    {
        var memory = Process.Memory;
        lock (Process.Kernel.Gate)
        {
            foreach (var process in Process.Kernel.Processes)
                if (process.Memory == memory)
                    foreach (var thread in process.Threads)
                        if (thread != this)
                            thread.Vcpu.RequestExit();
        }
    }

    // ES and DS are loaded anew (refresh_ldt_segments), CS and SS by every return from the kernel; FS and GS keep what they have.
    private void FollowLocalDescriptors()
    {
        var generation = Process.Memory.LocalDescriptors.Generation;
        if (generation == _descriptorGeneration)
            return;
        _descriptorGeneration = generation;
        var s = State;
        if (ThreadDescriptors.IsLocal(s->Es.Selector))
            SegmentLoads.ReloadUser(s, 0, s->Es.Selector);
        if (ThreadDescriptors.IsLocal(s->Ds.Selector))
            SegmentLoads.ReloadUser(s, 3, s->Ds.Selector);
        if ((ThreadDescriptors.IsLocal(s->Cs.Selector) || ThreadDescriptors.IsLocal(s->Ss.Selector))
            && ThreadDescriptors.Return(s, s->Cs.Selector, s->Ss.Selector) is { } fault)
            RaiseSegmentFault(fault.Vector, fault.Error);
    }
}
