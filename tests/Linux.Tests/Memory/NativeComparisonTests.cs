using System.Collections.Concurrent;
using System.Diagnostics;
using DynaTrans.Linux.Tests.Loading;

namespace DynaTrans.Linux.Tests.Memory;

/// <summary>
/// Programs that print what memory calls and accesses do (Programs/*.c): as guests they print what they print natively. Some of what they ask
/// for is new, so that an older kernel gives other answers than those that DynaTrans models.
/// </summary>
public sealed class NativeComparisonTests : IDisposable
{
    private static readonly Version s_modelled = new(6, 17);
    private static readonly ConcurrentDictionary<(string, bool), string?> s_compiled = new();
    private static readonly string s_folder = Directory.CreateTempSubdirectory("memory").FullName;

    private readonly string _output = Path.GetTempFileName();

    public static TheoryData<string, bool, bool> Programs
    {
        get
        {
            var data = new TheoryData<string, bool, bool>();
            foreach (var name in new[] { "mapping", "protection", "remapping", "ranges", "locking", "limits", "file-ends", "seals", "sharing", "random" })
                foreach (var is32 in new[] { false, true })
                    foreach (var translated in new[] { false, true })
                        data.Add(name, is32, translated);
            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Programs))]
    public void AGuestPrintsWhatTheProgramPrintsNatively(string name, bool is32, bool translated)
    {
        Skip.If(Environment.OSVersion.Version < s_modelled, $"needs Linux {s_modelled}");
        var program = s_compiled.GetOrAdd((name, is32), static key => Compile(key.Item1, key.Item2));
        Skip.If(program == null, is32 ? "needs gcc with -m32" : "needs gcc");
        var native = Path.ChangeExtension(program, ".native");
        if (!File.Exists(native))
        {
            using var process = Process.Start(program!, [native])!;
            process.WaitForExit();
        }

        var (status, messages) = TestPrograms.RunFile(program!, translated, _output);
        Assert.Equal(string.Empty, messages);
        Assert.Equal(File.ReadAllLines(native), File.ReadAllLines(_output));
        Assert.Equal(0, status);
    }

    public void Dispose() => File.Delete(_output);

    private static string? Compile(string name, bool is32)
    {
        foreach (var file in new[] { "memory.h", name + ".c" })
        {
            using var from = typeof(NativeComparisonTests).Assembly.GetManifestResourceStream(file)!;
            using var to = File.Create(Path.Combine(s_folder, file));
            from.CopyTo(to);
        }

        var program = Path.Combine(s_folder, $"{name}-{(is32 ? 32 : 64)}");
        try
        {
            using var gcc = Process.Start("gcc", ["-O1", "-w", "-static", is32 ? "-m32" : "-m64", Path.Combine(s_folder, name + ".c"), "-o", program]);
            gcc.WaitForExit();
            return gcc.ExitCode == 0 ? program : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
