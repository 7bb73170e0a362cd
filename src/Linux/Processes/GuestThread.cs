using System.Runtime.InteropServices;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Execution;

namespace DynaTrans.Linux.Processes;

/// <summary>A guest thread: a vCPU and what Linux keeps per thread. It is a host thread.</summary>
public sealed unsafe partial class GuestThread
{
    private readonly int* _words = (int*)NativeMemory.AllocZeroed(2, sizeof(int));

    internal GuestThread(GuestProcess process, int tid, Vcpu vcpu)
    {
        Process = process;
        Tid = tid;
        Vcpu = vcpu;
    }

    /// <summary>The process.</summary>
    public GuestProcess Process { get; }

    /// <summary>Number of the thread; the first thread's is the process's.</summary>
    public int Tid { get; internal set; }

    /// <summary>The processor; replaced by execve.</summary>
    public Vcpu Vcpu { get; internal set; }

    /// <summary>Not zero: a signal or an end waits, and blocking host calls return EINTR (see <see cref="HostCalls.Interruptible"/>).</summary>
    public int* InterruptWord => _words;

    /// <summary>True when blocking calls should give up now.</summary>
    public bool IsInterrupted => Volatile.Read(ref *_words) != 0;
}
