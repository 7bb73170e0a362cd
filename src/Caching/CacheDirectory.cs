using System.Diagnostics.CodeAnalysis;

namespace DynaTrans.Caching;

/// <summary>
/// The directory of the translation cache. What lies in it is executed by the host process, so it is used only if it belongs to the
/// effective user and nobody else may even look into it. Below it is one directory for each <see cref="BuildIdentity"/>; in it, for each
/// program, <c>KEY.record</c> (what was executed), <c>KEY.image</c> (what was made of it) and the assembly that the image names. A file is
/// written under another name and renamed, so that a reader finds a whole one or none.
/// </summary>
public sealed class CacheDirectory
{
    /// <summary>Extensions of the files of a program.</summary>
    public const string RecordExtension = ".record", ImageExtension = ".image", AssemblyExtension = ".dll", LockExtension = ".lock";

    /// <summary>Bytes above which what was used longest ago is removed.</summary>
    public const long SizeLimit = 512L << 20;

    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    // What a write that was interrupted leaves; another process may still be at it.
    private static readonly TimeSpan s_abandoned = TimeSpan.FromHours(1);

    private CacheDirectory(string path, string build) => (Path, BuildPath) = (path, build);

    /// <summary>The directory.</summary>
    public string Path { get; }

    /// <summary>What this build of DynaTrans reads and writes.</summary>
    public string BuildPath { get; }

    /// <summary>Where the cache is by default: <c>dynatrans</c> in XDG_CACHE_HOME or ~/.cache; null when there is no home.</summary>
    public static string? DefaultPath
    {
        get
        {
            var home = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            if (string.IsNullOrEmpty(home) || !System.IO.Path.IsPathRooted(home))
            {
                home = Environment.GetEnvironmentVariable("HOME");
                if (string.IsNullOrEmpty(home) || !System.IO.Path.IsPathRooted(home))
                    return null;
                home = System.IO.Path.Combine(home, ".cache");
            }

            return System.IO.Path.Combine(home, "dynatrans");
        }
    }

    /// <summary>Opens a directory, which is made if need be.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="CacheException">It cannot be trusted, or not be made.</exception>
    public static CacheDirectory Open(string path)
    {
        var full = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        var build = System.IO.Path.Combine(full, BuildIdentity.Current);
        Make(full);
        if (IsInside(Environment.CurrentDirectory, full))
            throw new CacheException($"cache directory {full}: the working directory is in it");
        Make(build);
        return new CacheDirectory(full, build);
    }

    private static void Make(string path)
    {
        try
        {
            if (!Directory.Exists(path))
                Directory.CreateDirectory(path, DirectoryMode);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CacheException($"cache directory {path}: {e.Message}");
        }

        if (HostOwner.ProblemOfDirectory(path) is { } problem)
            throw new CacheException($"cache directory {path} {problem}: not used");
    }

    /// <summary>True when a path is a directory or lies in it. Both are absolute.</summary>
    public static bool IsInside(string path, string directory) =>
        path == directory || path.StartsWith(directory.EndsWith('/') ? directory : directory + '/', StringComparison.Ordinal);

    /// <summary>A file of a program.</summary>
    public string PathOf(ProgramKey key, string extension) => System.IO.Path.Combine(BuildPath, key.Text + extension);

    /// <summary>Opens a file to read.</summary>
    /// <returns>False when there is none, or when it cannot be trusted: <paramref name="problem"/> then says why.</returns>
    public static bool TryOpen(string path, [NotNullWhen(true)] out FileStream? file, out string? problem)
    {
        (file, problem) = (null, null);
        try
        {
            if (!File.Exists(path))
                return false;
            problem = HostOwner.ProblemOfFile(path);
            if (problem != null)
                return false;
            file = new FileStream(path, System.IO.FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = e.Message;
            return false;
        }
    }

    /// <summary>Writes a file whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes its contents.</param>
    /// <exception cref="IOException">The host has no room, or the like; what was there is still there.</exception>
    public static void Replace(string path, Action<Stream> write)
    {
        var temporary = $"{path}.{Environment.ProcessId:x}-{Guid.NewGuid():N}.tmp";
        try
        {
            var options = new FileStreamOptions { Mode = System.IO.FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = FileMode };
            using (var stream = new FileStream(temporary, options))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            TryDelete(temporary);
            throw;
        }
    }

    /// <summary>
    /// Takes what only one process at a time may do for a program: it goes with the process, however that ends.
    /// </summary>
    /// <returns>Null when another process has it.</returns>
    public IDisposable? TryLock(ProgramKey key)
    {
        try
        {
            // FileShare.None is flock(2).
            return new FileStream(
                PathOf(key, LockExtension),
                new FileStreamOptions { Mode = System.IO.FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, UnixCreateMode = FileMode });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Takes what only one background build at a time may have: runs that end together do not start as many compilers.</summary>
    /// <returns>Null when another process has it.</returns>
    public IDisposable? TryLockBackground() => TryLock(new ProgramKey(new string('0', ProgramKey.Length)));

    /// <summary>The programs of this build, what was used last first.</summary>
    public IReadOnlyList<CacheEntry> Entries() => Entries(BuildPath);

    /// <summary>Says that a program's translations are used now.</summary>
    public void Touch(ProgramKey key)
    {
        try
        {
            File.SetLastAccessTimeUtc(PathOf(key, ImageExtension), DateTime.UtcNow);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A note for the eviction only.
        }
    }

    /// <summary>
    /// Removes what was used longest ago until the rest is within a limit, what other builds have left first, and what interrupted writes have left.
    /// </summary>
    public void Evict(long limit = SizeLimit)
    {
        var builds = Directory.GetDirectories(Path).Where(directory => HostOwner.ProblemOfDirectory(directory) == null).ToList();
        var entries = builds.SelectMany(Entries).OrderBy(entry => entry.Build == BuildIdentity.Current).ThenBy(entry => entry.LastUse).ToList();
        var total = entries.Sum(entry => entry.Size);
        foreach (var entry in entries)
        {
            if (total <= limit)
                break;
            Remove(entry);
            total -= entry.Size;
        }

        foreach (var build in builds)
        {
            foreach (var file in Directory.GetFiles(build, "*.tmp"))
                if (DateTime.UtcNow - File.GetLastWriteTimeUtc(file) > s_abandoned)
                    TryDelete(file);
            foreach (var scratch in Directory.GetDirectories(build, ".*"))
                if (DateTime.UtcNow - Directory.GetLastWriteTimeUtc(scratch) > s_abandoned)
                    TryDeleteDirectory(scratch, recursive: true);
            if (build != BuildPath && Entries(build).Count == 0)
                TryDeleteDirectory(build);
        }
    }

    /// <summary>Removes everything that the cache has in the directory, of all builds; nothing else.</summary>
    /// <returns>Number of programs removed.</returns>
    public int Clear()
    {
        var count = 0;
        foreach (var build in Directory.GetDirectories(Path))
        {
            if (!IsBuild(build) || HostOwner.ProblemOfDirectory(build) != null)
                continue;
            foreach (var entry in Entries(build))
            {
                Remove(entry);
                count++;
            }

            foreach (var file in Directory.GetFiles(build))
                if (IsOurs(file))
                    TryDelete(file);
            foreach (var scratch in Directory.GetDirectories(build, ".*"))
                TryDeleteDirectory(scratch, recursive: true);
            if (build != BuildPath)
                TryDeleteDirectory(build);
        }

        return count;
    }

    /// <summary>Removes a program's assemblies but one. A process that has loaded another keeps it.</summary>
    public void RemoveAssemblies(ProgramKey key, string except)
    {
        foreach (var file in Directory.GetFiles(BuildPath, $"{key.Text}-*{AssemblyExtension}"))
            if (System.IO.Path.GetFileName(file) != except)
                TryDelete(file);
    }

    /// <summary>Removes an assembly.</summary>
    /// <param name="name">Its name without extension.</param>
    public void RemoveAssembly(string name) => TryDelete(System.IO.Path.Combine(BuildPath, name + AssemblyExtension));

    /// <summary>Removes a program's files.</summary>
    public static void Remove(CacheEntry entry)
    {
        foreach (var file in entry.Files)
            TryDelete(file);
    }

    private static List<CacheEntry> Entries(string build)
    {
        if (!IsBuild(build))
            return [];
        var name = System.IO.Path.GetFileName(build);
        return
        [
            .. Directory.GetFiles(build)
                .Where(IsOurs)
                .GroupBy(file => System.IO.Path.GetFileName(file)[..ProgramKey.Length])
                .Where(group => group.Any(file => !file.EndsWith(LockExtension, StringComparison.Ordinal)))
                .Select(group => new CacheEntry(name, new ProgramKey(group.Key), [.. group]))
                .OrderByDescending(entry => entry.LastUse),
        ];
    }

    private static bool IsBuild(string directory) =>
        System.IO.Path.GetFileName(directory) is { Length: 16 } name && name.All(char.IsAsciiHexDigitLower);

    private static bool IsOurs(string file)
    {
        var name = System.IO.Path.GetFileName(file);
        return name.Length > ProgramKey.Length && ProgramKey.IsKey(name[..ProgramKey.Length]);
    }

    private static void TryDelete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another process has removed it, or it stays.
        }
    }

    private static void TryDeleteDirectory(string directory, bool recursive = false)
    {
        try
        {
            Directory.Delete(directory, recursive);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not empty, or gone.
        }
    }
}
