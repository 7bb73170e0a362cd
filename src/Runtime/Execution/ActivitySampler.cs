using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.Execution;

/// <summary>
/// The thread that looks at what the vCPUs with <see cref="ActivityTimes"/> are doing. It takes some 2 % of a processor, and there is none while there are no such
/// vCPUs. Thread-safe.
/// </summary>
internal static unsafe partial class ActivitySampler
{
    // Between two looks: much shorter than what there is to be told apart in a run of some tenths of a second.
    private const long IntervalNanoseconds = 200_000;

    private static readonly Lock Gate = new();
    private static readonly List<ActivityTimes> Watched = [];
    private static bool s_isRunning;

    /// <summary>Begins to look at what a vCPU is doing. Where no thread is to be had all of its time counts as what it does last.</summary>
    public static void Add(ActivityTimes times)
    {
        lock (Gate)
        {
            Watched.Add(times);
            if (s_isRunning)
                return;
            try
            {
                new Thread(Work, 128 << 10) { IsBackground = true, Name = "activities" }.Start();
                s_isRunning = true;
            }
            catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
            {
                System.Diagnostics.Debug.WriteLine(e);
            }
        }
    }

    /// <summary>Looks for the last time.</summary>
    public static void Remove(ActivityTimes times)
    {
        lock (Gate)
            if (Watched.Remove(times))
                times.Look();
    }

    private static void Work()
    {
        while (true)
        {
            lock (Gate)
            {
                if (Watched.Count == 0)
                {
                    s_isRunning = false;
                    return;
                }

                foreach (var times in Watched)
                    times.Look();
            }

            var interval = new Interval { Nanoseconds = IntervalNanoseconds };
            _ = Sleep(&interval, null);
        }
    }

    // Thread.Sleep knows milliseconds only.
    [LibraryImport("libc", EntryPoint = "nanosleep")]
    private static partial int Sleep(Interval* time, Interval* left);

    // timespec of a 64-bit host.
    [StructLayout(LayoutKind.Sequential)]
    private struct Interval
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
