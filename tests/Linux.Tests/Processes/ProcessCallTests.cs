using DynaTrans.Linux.Tests.Loading;

namespace DynaTrans.Linux.Tests.Processes;

/// <summary>
/// Programs that print what calls about processes and threads do (Programs/*.c): as guests they print what they print natively. Some of
/// what they ask for is new, so that an older kernel gives other answers than those that DynaTrans models.
/// </summary>
public sealed class ProcessCallTests : IDisposable
{
    private static readonly Version s_modelled = new(6, 17);

    private readonly string _folder = Directory.CreateTempSubdirectory("processes").FullName;

    [SkippableTheory]
    [InlineData("scheduling", false)]
    [InlineData("scheduling", true)]
    [InlineData("process-control", false)]
    [InlineData("process-control", true)]
    [InlineData("pidfd", false)]
    [InlineData("pidfd", true)]
    public void AGuestPrintsWhatTheProgramPrintsNatively(string name, bool is32)
    {
        Skip.If(Environment.OSVersion.Version < s_modelled, $"needs Linux {s_modelled}");
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root");
        var program = NativePrograms.TryCompile(_folder, name, "-O1", "-w", "-static", "-pthread", is32 ? "-m32" : "-m64");
        Skip.If(program == null, is32 ? "needs gcc with -m32" : "needs gcc");
        Skip.If(NativePrograms.Run(program!, program + ".native") != 0, "does not work here natively");
        foreach (var translated in new[] { false, true })
        {
            var output = $"{program}.{translated}";
            var (status, messages) = TestPrograms.RunFile(program!, translated, output);
            Assert.Equal(string.Empty, messages);
            Assert.Equal(File.ReadAllLines(program + ".native"), File.ReadAllLines(output));
            Assert.Equal(0, status);
        }
    }

    public void Dispose() => Directory.Delete(_folder, true);
}
