using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Processes;

/// <summary>
/// Wakes timers when they are due: one host thread, which sleeps without the slack that the host allows itself. It ends when for a second
/// there is no timer.
/// </summary>
internal sealed unsafe class TimerQueue
{
    private const long IdleTime = 1_000_000_000;

    private readonly PriorityQueue<GuestTimer, long> _queue = new();
    private readonly int[] _changes = GC.AllocateArray<int>(1, pinned: true);
    private bool _isRunning;

    private int* Word => (int*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(_changes, 0);

    /// <summary>Has <see cref="GuestTimer.Wake"/> called, once.</summary>
    /// <param name="timer">The timer; an earlier time of it is forgotten.</param>
    /// <param name="time">When, in nanoseconds of CLOCK_MONOTONIC.</param>
    public void Schedule(GuestTimer timer, long time)
    {
        const int FutexWakePrivate = 129;
        lock (_queue)
        {
            _queue.Remove(timer, out _, out _);
            _queue.Enqueue(timer, time);
            if (_queue.Peek() != timer)
                return;
            Volatile.Write(ref *Word, *Word + 1);
            if (!_isRunning)
            {
                _isRunning = true;
                new Thread(Run, 256 << 10) { IsBackground = true, Name = "timers" }.Start();
                return;
            }
        }

        HostCalls.Call(HostSys.Futex, (nint)Word, FutexWakePrivate, 1);
    }

    /// <summary>Takes a timer out.</summary>
    public void Remove(GuestTimer timer)
    {
        lock (_queue)
            _queue.Remove(timer, out _, out _);
    }

    private void Run()
    {
        const int SetTimerSlack = 29, FutexWaitBitsetPrivate = 137, MatchAny = -1;
        HostCalls.Call(HostSys.Prctl, SetTimerSlack, 1);
        var idleSince = HostClock.Monotonic();
        while (true)
        {
            GuestTimer? due = null;
            long until;
            int seen;
            lock (_queue)
            {
                seen = *Word;
                var now = HostClock.Monotonic();
                if (_queue.TryPeek(out due, out until))
                {
                    idleSince = now;
                    if (until <= now)
                        _queue.Dequeue();
                    else
                        due = null;
                }
                else if (now - idleSince >= IdleTime)
                {
                    _isRunning = false;
                    return;
                }
                else
                {
                    until = idleSince + IdleTime;
                }
            }

            if (due != null)
            {
                due.Wake();
                continue;
            }

            var time = Syscalls.TimeSpec.FromNanoseconds(until);
            HostCalls.Call(HostSys.Futex, (nint)Word, FutexWaitBitsetPrivate, seen, (nint)(&time), 0, MatchAny);
        }
    }
}
