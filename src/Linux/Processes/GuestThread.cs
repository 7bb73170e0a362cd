using System.Runtime.InteropServices;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Signals;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Processes;

/// <summary>A guest thread: a vCPU and what Linux keeps per thread. It is a host thread.</summary>
public sealed unsafe partial class GuestThread
{
    // Stands for the words of threads that have ended.
    private static readonly int* s_noWords = NewWords();

    // Word 0: interrupted. Word 1: event counter.
    private int* _words = NewWords();
    private int _hostThread;
    private bool _hasEnded;
    private uint _cpuClock;
    private BusFaults.Slot* _busFaults;

    // What the processor was made for: the process may have another by now, when it ends.
    private ProcessMemory _cpuMemory;
    private CpuUsage _usage;

    // Kinds of CPU time (kernel, posix-timers.h): user and system time as sampled, user time as sampled, the scheduler's.
    private const int CpuClockSampled = 0, CpuClockUser = 1, CpuClockExact = 2;

    internal GuestThread(GuestProcess process, int tid, Vcpu vcpu)
    {
        Process = process;
        Tid = tid;
        Vcpu = vcpu;
        _cpuMemory = process.Memory;
    }

    /// <summary>The process.</summary>
    public GuestProcess Process { get; }

    /// <summary>Number of the thread; the first thread's is the process's.</summary>
    public int Tid { get; internal set; }

    /// <summary>The processor; replaced by execve.</summary>
    public Vcpu Vcpu { get; internal set; }

    /// <summary>The processor's state.</summary>
    public CpuState* State => Vcpu.State;

    /// <summary>Not zero: a signal or an end waits, and blocking host calls return EINTR (see <see cref="HostCalls.Interruptible"/>).</summary>
    public int* InterruptWord => _words;

    /// <summary>True when blocking calls should give up now.</summary>
    public bool IsInterrupted => Volatile.Read(ref *_words) != 0;

    /// <summary>Guest address of a word to clear and wake at the end (set_tid_address), or 0.</summary>
    internal ulong ClearChildTid { get; set; }

    /// <summary>Guest address of the head of the list of robust futexes, or 0.</summary>
    internal ulong RobustList { get; set; }

    /// <summary>Name of the thread (PR_SET_NAME), one char per byte; null: the process's.</summary>
    internal string? Name { get; set; }

    /// <summary>CPU time used, in nanoseconds.</summary>
    public long CpuTime() => ReadClock(CpuClockExact);

    /// <summary>CPU time used, by where it was spent. Under the kernel's gate.</summary>
    public CpuUsage CpuUsage()
    {
        // The host samples the two kinds at its ticks.
        var user = ReadClock(CpuClockUser);
        var all = ReadClock(CpuClockSampled);
        _usage = Processes.CpuUsage.Divide(CpuTime(), new CpuUsage(user, Math.Max(all - user, 0)), _usage);
        return _usage;
    }

    private long ReadClock(int kind)
    {
        if (_cpuClock == 0)
            return 0;
        TimeSpecPair time;
        return HostCalls.Call(HostSys.ClockGettime, (int)_cpuClock | kind, (nint)(&time)) == 0 ? (time.Seconds * 1_000_000_000) + time.Nanoseconds : 0;
    }

    /// <summary>Number of the host thread, or 0 before it started and after it ended.</summary>
    internal int HostThread => Volatile.Read(ref _hostThread);

    /// <summary>Makes the thread look at its signals soon, out of guest code or a blocking call. Under the kernel's gate.</summary>
    internal void Interrupt()
    {
        if (_hasEnded)
            return;
        Volatile.Write(ref *_words, 1);
        Vcpu.RequestExit();
        var host = Volatile.Read(ref _hostThread);
        if (host != 0 && host != Interruption.CurrentThread)
            Interruption.Kick(host);
    }

    /// <summary>Counts events for <see cref="WaitEvent"/>; read before the condition is looked at.</summary>
    internal int EventCount => Volatile.Read(ref _words[1]);

    /// <summary>Ends a <see cref="WaitEvent"/> of this thread. Under the kernel's gate.</summary>
    internal void WakeEvent()
    {
        if (_hasEnded)
            return;
        const int FutexWakePrivate = 129;
        Interlocked.Increment(ref _words[1]);
        HostCalls.Call(HostSys.Futex, (nint)(_words + 1), FutexWakePrivate, 1);
    }

    /// <summary>
    /// Sleeps until <see cref="WakeEvent"/>, an interruption or a deadline.
    /// </summary>
    /// <param name="seen">The event count before the condition was looked at.</param>
    /// <param name="deadline">Nanoseconds of CLOCK_MONOTONIC, or <see cref="long.MaxValue"/>.</param>
    /// <param name="interruptible">False: signals do not end the wait.</param>
    /// <returns>0, -EINTR or -ETIMEDOUT.</returns>
    internal int WaitEvent(int seen, long deadline = long.MaxValue, bool interruptible = true)
    {
        const int FutexWaitBitsetPrivate = 137, MatchAny = -1;
        var time = new TimeSpecPair { Seconds = deadline / 1_000_000_000, Nanoseconds = deadline % 1_000_000_000 };
        var timeout = deadline == long.MaxValue ? 0 : (nint)(&time);
        var never = 0;
        var result = HostCalls.Interruptible(
            interruptible ? _words : &never, HostSys.Futex, (nint)(_words + 1), FutexWaitBitsetPrivate, seen, timeout, 0, MatchAny);
        return result == -Errno.EAGAIN ? 0 : (int)result;
    }

    /// <summary>Gives back the processor and the words. The thread must have left <see cref="Vcpu.Run(ITraps, ulong)"/> for good.</summary>
    internal void DisposeCpu()
    {
        int* words;
        lock (Process.Kernel.Gate)
        {
            _hasEnded = true;
            _hostThread = 0;
            words = _words;
            _words = s_noWords;
        }

        NativeMemory.Free(words);
        Process.Kernel.Dispose(Vcpu, _cpuMemory);
    }

    // Called by the host thread itself when it starts.
    private void Attach()
    {
        var host = Interruption.CurrentThread;
        // CPUCLOCK of one thread: ~tid << 3 | per-thread | kind (kernel, posix-timers.h).
        _cpuClock = (uint)((~host << 3) | 4);
        ApplyScheduling();
        ApplyTimerSlack();
        Volatile.Write(ref _hostThread, host);
        _busFaults = BusFaults.Attach(&State->Execution.ExitRequest);
    }

    private static int* NewWords() => (int*)NativeMemory.AllocZeroed(2, sizeof(int));

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpecPair
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
