using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Precompiled;

namespace DynaTrans.Caching;

/// <summary>What became of a program when its code was to be compiled.</summary>
/// <param name="Key">The program.</param>
/// <param name="Statistics">What it took; null when nothing was done.</param>
/// <param name="Reason">Why nothing was done, in one line; null when nothing was left to do.</param>
public readonly record struct BuildResult(ProgramKey Key, PrecompileStatistics? Statistics, string? Reason);

/// <summary>Compiles what runs have recorded, in a process of its own that gives way to every other.</summary>
public static partial class CacheBuilder
{
    private const int IdleScheduling = 5, ProcessPriority = 0, LowestPriority = 19;

    /// <summary>From now on the process, and what it starts, runs only when the host has nothing else to do (SCHED_IDLE, nice 19).</summary>
    public static unsafe void GiveWay()
    {
        var parameters = 0;
        SetPriority(ProcessPriority, 0, LowestPriority);
        SetScheduler(0, IdleScheduling, &parameters);
    }

    /// <summary>The programs with a record that is newer than their image, or without image.</summary>
    public static IReadOnlyList<ProgramKey> Pending(CacheDirectory directory) =>
        [.. directory.Entries().Where(entry => IsPending(directory, entry.Key)).Select(entry => entry.Key)];

    /// <summary>Compiles a program's record.</summary>
    /// <param name="directory">The cache.</param>
    /// <param name="key">The program.</param>
    /// <param name="compiler">The compiler (<see cref="Crossgen2.Find"/>).</param>
    /// <param name="waits">Wait while another process is at it; what that makes is then not made again.</param>
    public static BuildResult Build(CacheDirectory directory, ProgramKey key, string compiler, bool waits)
    {
        using var mine = Lock(directory, key, waits, out var hasWaited);
        if (mine == null || (hasWaited && !IsPending(directory, key)))
            return new BuildResult(key, null, mine == null ? "another process is at it" : null);
        if (ReadRecord(directory.PathOf(key, CacheDirectory.RecordExtension)) is not { } record)
            return new BuildResult(key, null, "it has no record that can be read");
        if ((record.Model == CpuModel.Process.Name ? CpuModel.Process : CpuModel.Find(record.Model)) is not { } model)
            return new BuildResult(key, null, $"its processor {record.Model} is not known");
        var name = $"{key.Text}-{Guid.NewGuid():N}";
        try
        {
            var image = RegionPrecompiler.Build(record, directory.BuildPath, name, new PrecompileOptions(compiler, model), out var statistics);
            if (image == null)
                return new BuildResult(key, null, "there is nothing to compile");
            File.SetUnixFileMode(Path.Combine(directory.BuildPath, image.Assembly), UnixFileMode.UserRead | UnixFileMode.UserWrite);
            CacheDirectory.Replace(directory.PathOf(key, CacheDirectory.ImageExtension), stream => PrecompiledImageFile.Write(stream, image));
            directory.RemoveAssemblies(key, except: image.Assembly);
            directory.Evict();
            return new BuildResult(key, statistics, null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            directory.RemoveAssembly(name);
            return new BuildResult(key, null, e.Message.ReplaceLineEndings(" "));
        }
    }

    /// <summary>Reads a record; null when there is none that can be used.</summary>
    internal static CodeRecord? ReadRecord(string path)
    {
        if (!CacheDirectory.TryOpen(path, out var file, out _))
            return null;
        using (file)
            return CodeRecordFile.Read(file, out _);
    }

    /// <summary>What is wrong with a program's files, each in one line; nothing is written.</summary>
    public static IEnumerable<string> Problems(CacheDirectory directory, ProgramKey key)
    {
        var path = directory.PathOf(key, CacheDirectory.RecordExtension);
        if (File.Exists(path))
        {
            if (!CacheDirectory.TryOpen(path, out var file, out var problem))
                yield return $"record: {problem}";
            else
                using (file)
                    if (CodeRecordFile.Read(file, out problem) == null)
                        yield return $"record: {problem}";
        }

        path = directory.PathOf(key, CacheDirectory.ImageExtension);
        if (File.Exists(path) && (HostOwner.ProblemOfFile(path) ?? ProblemOfCode(path)) is { } reason)
            yield return $"image: {reason}";
    }

    private static string? ProblemOfCode(string path) =>
        PrecompiledCode.Open(path, out var reason) is { } code ? HostOwner.ProblemOfFile(code.AssemblyPath) : reason;

    private static IDisposable? Lock(CacheDirectory directory, ProgramKey key, bool waits, out bool hasWaited)
    {
        hasWaited = false;
        while (true)
        {
            if (directory.TryLock(key) is { } held)
                return held;
            if (!waits)
                return null;
            hasWaited = true;
            Thread.Sleep(100);
        }
    }

    private static bool IsPending(CacheDirectory directory, ProgramKey key)
    {
        var (record, image) = (directory.PathOf(key, CacheDirectory.RecordExtension), directory.PathOf(key, CacheDirectory.ImageExtension));
        return File.Exists(record) && (!File.Exists(image) || File.GetLastWriteTimeUtc(record) > File.GetLastWriteTimeUtc(image));
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int priority);

    [LibraryImport("libc", EntryPoint = "sched_setscheduler")]
    private static unsafe partial int SetScheduler(int process, int policy, int* parameters);
}
