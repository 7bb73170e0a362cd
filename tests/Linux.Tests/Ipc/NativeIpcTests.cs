using System.Diagnostics;
using DynaTrans.Linux.Tests.Loading;

namespace DynaTrans.Linux.Tests.Ipc;

/// <summary>Programs that print what System V IPC and message queue calls do (Programs/*.c): as guests they print what they print natively.</summary>
public sealed class NativeIpcTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ipc").FullName;

    [SkippableTheory]
    [InlineData("messages", false)]
    [InlineData("messages", true)]
    [InlineData("semaphores", false)]
    [InlineData("semaphores", true)]
    [InlineData("segments", false)]
    [InlineData("segments", true)]
    [InlineData("queues", false)]
    [InlineData("queues", true)]
    public void AGuestPrintsWhatTheProgramPrintsNatively(string name, bool is32)
    {
        var program = Compile(name, is32);
        Skip.If(program == null, is32 ? "needs gcc with -m32" : "needs gcc");
        Assert.Equal(0, Run("sh", "-c", $"{program} >{program}.native"));
        Assert.Equal((0, string.Empty), RunGuest(program!, $"{program}.guest"));
        Assert.Equal(File.ReadAllLines($"{program}.native"), File.ReadAllLines($"{program}.guest"));
    }

    public void Dispose() => Directory.Delete(_folder, true);

    // The guest's output is its shell's: a guest too.
    private static (int Status, string Messages) RunGuest(string program, string output) =>
        TestPrograms.RunFile("/bin/sh", false, "-c", $"exec {program} >{output}");

    private static int? Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(program, arguments);
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private string? Compile(string name, bool is32)
    {
        foreach (var file in new[] { "ipc.h", name + ".c" })
        {
            using var from = typeof(NativeIpcTests).Assembly.GetManifestResourceStream(file)!;
            using var to = File.Create(Path.Combine(_folder, file));
            from.CopyTo(to);
        }

        var program = Path.Combine(_folder, name);
        return Run("gcc", "-O1", "-w", "-static", is32 ? "-m32" : "-m64", program + ".c", "-o", program) == 0 ? program : null;
    }
}
