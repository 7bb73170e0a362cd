using System.Runtime.InteropServices;

namespace DynaTrans.Pc;

/// <summary>
/// A thread that wakes the machine at the deadline of its next timer, to some ten microseconds. A deadline that moves away is not told to the thread: it finds
/// out when it wakes.
/// </summary>
internal sealed unsafe partial class HostAlarm : IDisposable
{
    private const short ReadyToRead = 1;
    private const int CloseOnExec = 0x80000, NonBlocking = 0x800;
    private const long Second = 1_000_000_000;

    private readonly Func<long> _now;
    private readonly Action _ring;
    private readonly int _wakeUp;
    private readonly Thread _thread;
    private long _deadline = long.MaxValue;

    // Until when the thread sleeps.
    private long _sleepsUntil = long.MaxValue;
    private volatile bool _isOver;

    /// <summary>Starts the thread.</summary>
    /// <param name="now">The time in which deadlines are given, in nanoseconds; called on the thread.</param>
    /// <param name="ring">Called on the thread at the deadline.</param>
    public HostAlarm(Func<long> now, Action ring)
    {
        _now = now;
        _ring = ring;
        _wakeUp = EventFile(0, CloseOnExec | NonBlocking);
        if (_wakeUp < 0)
            throw new IOException($"no eventfd: {Marshal.GetLastPInvokeErrorMessage()}");
        _thread = new Thread(Run) { IsBackground = true, Name = "machine alarm" };
        _thread.Start();
    }

    /// <summary>Sets the deadline, in nanoseconds, in place of an earlier one; <see cref="long.MaxValue"/>: none. From any thread.</summary>
    public void Set(long deadline)
    {
        Volatile.Write(ref _deadline, deadline);
        Interlocked.MemoryBarrier();
        if (deadline < Volatile.Read(ref _sleepsUntil))
            Wake();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _isOver = true;
        Wake();
        _thread.Join();
        _ = Close(_wakeUp);
    }

    private void Run()
    {
        while (!_isOver)
        {
            var deadline = Volatile.Read(ref _deadline);
            Volatile.Write(ref _sleepsUntil, deadline);
            Interlocked.MemoryBarrier();
            if (Volatile.Read(ref _deadline) < deadline)
                continue;
            Sleep(deadline);
            deadline = Volatile.Read(ref _deadline);
            if (deadline == long.MaxValue || _now() < deadline || _isOver)
                continue;

            // It rings once; the machine sets the next deadline.
            if (Interlocked.CompareExchange(ref _deadline, long.MaxValue, deadline) == deadline)
                _ring();
        }
    }

    private void Sleep(long deadline)
    {
        var time = deadline == long.MaxValue ? 0 : Math.Max(0, deadline - _now());
        var limit = stackalloc long[2] { time / Second, time % Second };
        var file = new PollEntry { File = _wakeUp, Events = ReadyToRead };
        _ = Poll(&file, 1, deadline == long.MaxValue ? null : limit, null);
        ulong count;
        _ = Read(_wakeUp, &count, sizeof(ulong));
    }

    private void Wake()
    {
        ulong one = 1;
        _ = Write(_wakeUp, &one, sizeof(ulong));
    }

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int EventFile(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "ppoll")]
    private static partial int Poll(PollEntry* files, nuint count, long* limit, void* signals);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint Read(int file, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write")]
    private static partial nint Write(int file, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int File;
        public short Events;
        public short Returned;
    }
}
