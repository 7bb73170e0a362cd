using DynaTrans.Linux.Tests.Loading;

namespace DynaTrans.Linux.Tests.Processes;

/// <summary>ptrace: a program that traces others (Programs/tracing.c) prints as a guest what it prints natively.</summary>
public sealed class TracingTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tracing").FullName;

    [SkippableFact]
    public void AGuestPrintsWhatTheProgramPrintsNatively()
    {
        var program = NativePrograms.TryCompile(_folder, "tracing", "-O1", "-w", "-static", "-m64");
        Skip.If(program == null, "needs gcc");
        Skip.If(NativePrograms.Run(program!, program + ".native") != 0, "ptrace does not work here");
        var expected = File.ReadAllLines(program + ".native");
        Skip.IfNot(expected.Contains("attach: ok"), "ptrace is not allowed here");
        foreach (var threshold in new int?[] { null, 0 })
        {
            var output = $"{program}.{threshold}";
            var (status, messages) = TestPrograms.RunFile(program!, threshold, null, output);
            Assert.Equal(string.Empty, messages);
            Assert.Equal(expected, File.ReadAllLines(output));
            Assert.Equal(0, status);
        }
    }

    public void Dispose() => Directory.Delete(_folder, true);
}
