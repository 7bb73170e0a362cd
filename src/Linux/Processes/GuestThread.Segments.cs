using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Processes;

/// <summary>What a change of the process's local descriptor table does to segment registers that name its entries.</summary>
public sealed unsafe partial class GuestThread
{
    // Of the local table; the segment registers are as of then.
    private int _descriptorGeneration;

    /// <summary>
    /// The thread has written the local descriptor table: waits until the others that share it run no code that goes by the old one.
    /// </summary>
    internal void LocalDescriptorsChanged()
    {
        var memory = Process.Memory;
        var generation = memory.LocalDescriptors.Generation;
        var others = new List<GuestThread>();
        lock (Process.Kernel.Gate)
        {
            foreach (var process in Process.Kernel.Processes)
                if (process.Memory == memory)
                    others.AddRange(process.Threads.Where(thread => thread != this));
        }

        // One that is outside meets the request before it runs guest code again, and looks at the table then.
        foreach (var thread in others)
            thread.Vcpu.RequestExit();

        // Sleeps at last: a waiting thread with a real-time policy would keep the others from going on.
        SpinWait wait = default;
        foreach (var thread in others)
            while (thread.Vcpu.IsInGuest && Volatile.Read(ref thread._descriptorGeneration) < generation)
                wait.SpinOnce(sleep1Threshold: 1000);
    }

    // ES and DS are loaded anew (refresh_ldt_segments), CS and SS by every return from the kernel; FS and GS keep what they have.
    private void FollowLocalDescriptors()
    {
        var generation = Process.Memory.LocalDescriptors.Generation;
        if (generation == _descriptorGeneration)
            return;
        Volatile.Write(ref _descriptorGeneration, generation);
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
