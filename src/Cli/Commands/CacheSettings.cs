using System.CommandLine;
using System.Diagnostics;
using DynaTrans.Caching;
using DynaTrans.IlBackend.Precompiled;
using DynaTrans.Linux.Files;

namespace DynaTrans.Cli.Commands;

/// <summary>The option <c>--cache</c> and the variable DYNATRANS_CACHE, and what a run does at its ends.</summary>
internal static class CacheSettings
{
    /// <summary>Names of the options, and the value that turns the cache off.</summary>
    public const string Name = "--cache", BackgroundName = "--background", Off = "off";

    // The second, set to off: builds are not started by runs.
    private const string Variable = "DYNATRANS_CACHE", BuildVariable = "DYNATRANS_CACHE_BUILD";

    /// <summary>The option.</summary>
    public static Option<string?> Option() => new(Name)
    {
        Description = "Directory of translations that are kept between runs, or off; the default is DYNATRANS_CACHE, or dynatrans in the user's cache directory.",
        HelpName = "DIR|off",
    };

    /// <summary>The directory that is meant; null: none.</summary>
    /// <param name="value">The option's value, or null.</param>
    public static string? PathOf(string? value)
    {
        value ??= Environment.GetEnvironmentVariable(Variable);
        return value == Off ? null : string.IsNullOrEmpty(value) ? CacheDirectory.DefaultPath : value;
    }

    /// <summary>Opens the cache for a run of guests.</summary>
    /// <param name="value">The option's value, or null.</param>
    /// <param name="root">The guests' root directory, or null.</param>
    /// <returns>Null when there is none, or nothing that could fill it.</returns>
    /// <exception cref="CommandException">The directory was named and cannot be used.</exception>
    public static TranslationCache? Open(string? value, string? root = null)
    {
        if (PathOf(value) is not { } path || Crossgen2.Find() == null)
            return null;
        try
        {
            var directory = CacheDirectory.Open(path);
            if (root != null && CacheDirectory.IsInside(directory.Path, Path.TrimEndingDirectorySeparator(Path.GetFullPath(root))))
                throw new CacheException($"cache directory {directory.Path}: it lies in the guests' root directory");
            return new TranslationCache(directory, static line => Console.Error.WriteLine($"dynatrans: {line}"));
        }
        catch (Exception e) when (e is CacheException or IOException)
        {
            if (value != null)
                throw new CommandException(ExitStatus.Usage, e.Message);
            Console.Error.WriteLine($"dynatrans: {e.Message}");
            return null;
        }
    }

    /// <summary>
    /// Hides from guests every directory that a later run may take code from, whether this one uses it or not: the named one, that of the environment,
    /// the default.
    /// </summary>
    /// <param name="value">The option's value, or null.</param>
    /// <exception cref="CommandException">One cannot be hidden.</exception>
    public static void HideAll(string? value)
    {
        foreach (var path in new HashSet<string?> { PathOf(value), PathOf(null), CacheDirectory.DefaultPath })
        {
            try
            {
                if (path != null && Directory.Exists(path))
                    HiddenDirectory.Hide(path);
            }
            catch (IOException e)
            {
                throw new CommandException(ExitStatus.Usage, e.Message);
            }
        }
    }

    /// <summary>Writes the records of a run, and starts to compile what is worth it, in the background.</summary>
    public static void Close(TranslationCache? cache)
    {
        if (cache?.Save() is not { Count: > 0 } worth || Environment.ProcessPath is not { } self || Environment.GetEnvironmentVariable(BuildVariable) == Off)
            return;
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = false };
        var own = Path.GetFileNameWithoutExtension(self) == "dotnet" ? $"\"$0\" \"{typeof(CacheSettings).Assembly.Location}\"" : "\"$0\"";

        // In a session of its own: it goes on when the terminal is closed, and nobody waits for it.
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add($"setsid {own} cache build \"$@\" </dev/null >/dev/null 2>&1 &");
        start.ArgumentList.Add(self);
        foreach (var argument in (string[])[Name, cache.Directory.Path, BackgroundName, .. worth.Select(key => key.Text)])
            start.ArgumentList.Add(argument);
        try
        {
            using var process = Process.Start(start);
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            // Whoever wants it compiled can say so: dynatrans cache build.
        }
    }
}
