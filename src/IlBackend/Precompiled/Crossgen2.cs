using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>
/// The compiler of .NET that works ahead of time, run in a process of its own at low priority. It is an optional component: without it nothing is
/// precompiled.
/// </summary>
public static class Crossgen2
{
    private const string Package = "microsoft.netcore.app.crossgen2.linux-x64";

    /// <summary>How to get it, for messages.</summary>
    public const string HowToGet =
        "crossgen2 was not found: unpack the NuGet package Microsoft.NETCore.App.Crossgen2.linux-x64 of the runtime's version, and put its folder tools beside dynatrans as crossgen2";

    /// <summary>Names of the host's instruction sets, as far as the compiler is told of them: code made for one value must not run where it is another.</summary>
    public static string InstructionSets { get; } = FindInstructionSets();

    /// <summary>
    /// Finds the compiler: in the folder crossgen2 beside the tool, or in the NuGet cache (NUGET_PACKAGES, or .nuget/packages in the home directory), there the
    /// version of this runtime, or else the last one with the same major and minor version. Null when there is none.
    /// </summary>
    public static string? Find()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return null;
        var beside = Path.Combine(AppContext.BaseDirectory, "crossgen2", "crossgen2");
        if (File.Exists(beside))
            return beside;
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES");
        if (string.IsNullOrEmpty(packages))
            packages = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        var root = Path.Combine(packages, Package);
        if (!Directory.Exists(root))
            return null;
        var own = Environment.Version;
        return Directory.EnumerateDirectories(root)
            .Select(directory => (Path: Path.Combine(directory, "tools", "crossgen2"), Version: Version.TryParse(Path.GetFileName(directory), out var version) ? version : null))
            .Where(found => found.Version is { } version && version.Major == own.Major && version.Minor == own.Minor && File.Exists(found.Path))
            .OrderByDescending(found => found.Version!.Build == own.Build).ThenByDescending(found => found.Version)
            .Select(found => found.Path).FirstOrDefault();
    }

    /// <summary>Compiles an assembly.</summary>
    /// <param name="compiler">What <see cref="Find"/> has found.</param>
    /// <param name="input">The assembly.</param>
    /// <param name="output">The file to write.</param>
    /// <param name="bubble">Assemblies whose code and types the result depends on in every detail; it can be used with exactly these only.</param>
    /// <param name="references">Other assemblies that may be referred to.</param>
    /// <param name="parallelism">Threads.</param>
    /// <param name="cancellation">Ends the compiler.</param>
    /// <returns>How long it took.</returns>
    /// <exception cref="InvalidOperationException">It failed; the message says why in one line.</exception>
    internal static TimeSpan Run(
        string compiler, string input, string output, IEnumerable<string> bubble, IEnumerable<string> references, int parallelism, CancellationToken cancellation)
    {
        var answers = Path.ChangeExtension(input, ".rsp");
        List<string> lines =
        [
            input, "-o", output, "--targetos", "linux", "--targetarch", "x64", "-O", "--inputbubble", "--instruction-set", InstructionSets,
            "--parallelism", parallelism.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ];
        foreach (var file in bubble)
            lines.AddRange(["-r", file, "--inputbubbleref", file]);
        foreach (var file in references)
            lines.AddRange(["-r", file]);
        File.WriteAllLines(answers, lines.Select(line => $"\"{line}\""));
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo(compiler, ["@" + answers]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true },
        };
        var messages = new Queue<string>();
        process.OutputDataReceived += (_, e) => Note(e.Data);
        process.ErrorDataReceived += (_, e) => Note(e.Data);
        var start = Stopwatch.GetTimestamp();
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        LowerPriority(process);
        try
        {
            process.WaitForExitAsync(cancellation).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }

        if (process.ExitCode != 0 || !File.Exists(output))
            throw new InvalidOperationException($"crossgen2 failed with status {process.ExitCode}: {string.Join(" | ", messages)}");
        return Stopwatch.GetElapsedTime(start);

        void Note(string? line)
        {
            if (string.IsNullOrWhiteSpace(line))
                return;
            lock (messages)
            {
                messages.Enqueue(line.Trim());
                if (messages.Count > 4)
                    messages.Dequeue();
            }
        }
    }

    // What threads it will start have its priority.
    private static void LowerPriority(Process process)
    {
        try
        {
            process.PriorityClass = ProcessPriorityClass.Idle;
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException)
        {
            // It has ended, or priorities are not ours to change.
        }
    }

    private static string FindInstructionSets()
    {
        List<string> names = [Avx2.IsSupported && Fma.IsSupported && Bmi2.IsSupported && Lzcnt.IsSupported ? "x86-64-v3" : "x86-64-v2"];
        if (Avx512F.IsSupported && Avx512BW.IsSupported && Avx512CD.IsSupported && Avx512DQ.IsSupported)
            names.Add("avx512");
        if (Avx512Vbmi.IsSupported)
            names.Add("avx512v2");
        if (Aes.IsSupported && Pclmulqdq.IsSupported)
            names.Add("aes");
        return string.Join(',', names);
    }
}
