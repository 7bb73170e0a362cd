using DynaTrans.Cli.Tests.Tools;
using Xunit.Abstractions;

namespace DynaTrans.Cli.Tests.Signals;

/// <summary>
/// Programs about signals, timers and interrupted calls, which print the same whenever they run natively: a guest must print that, in both
/// interfaces and by both executors. The command is the one that the build leaves for users.
/// </summary>
public sealed class SignalTests(ITestOutputHelper output) : IDisposable
{
    // Some programs wait a while for another thread or process to come to a place; on a loaded machine it may come later.
    private const int Attempts = 3;

    private readonly string _folder = Directory.CreateTempSubdirectory("signals").FullName;

    public static TheoryData<string, string> Programs
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var file in Directory.GetFiles(Repository.At("tests", "Cli.Tests", "Signals"), "*.c").Order())
                foreach (var machine in new[] { "-m64", "-m32" })
                    data.Add(Path.GetFileNameWithoutExtension(file), machine);
            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Programs))]
    public void AGuestPrintsWhatItPrintsNatively(string name, string machine)
    {
        var program = Compile(name, machine);
        AssertSame(program, ["auto", "jit"]);
    }

    [SkippableTheory]
    [InlineData("-m64")]
    [InlineData("-m32")]
    public void HandlersWithRestartLetCallsGoOn(string machine) => AssertSame(Compile("interrupted", machine), ["auto"], "restart");

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, true);

    private void AssertSame(string program, string[] engines, params string[] arguments)
    {
        var native = Command.Run(null, _folder, program, arguments);
        Assert.Equal(0, native.Status);
        foreach (var engine in engines)
        {
            for (var attempt = 1; ; attempt++)
            {
                var guest = Command.Run(null, _folder, ShippedCommand.Program, ["run", "--engine", engine, program, .. arguments]);
                if (attempt == Attempts || (guest.Status, guest.Output) == (native.Status, native.Output))
                {
                    Assert.Equal((native.Status, native.Output), (guest.Status, guest.Output));
                    break;
                }

                output.WriteLine($"{Path.GetFileName(program)}, {engine}, attempt {attempt} differs, status {guest.Status}:\n{guest.Output}");
                native = Command.Run(null, _folder, program, arguments);
            }
        }
    }

    private string Compile(string name, string machine)
    {
        Skip.IfNot(Command.Exist("gcc"), "gcc is missing");
        var program = Path.Join(_folder, name);
        var source = Repository.At("tests", "Cli.Tests", "Signals", name + ".c");
        var compiled = Command.Run(null, null, "gcc", "-O1", "-w", machine, "-o", program, source, "-lpthread", "-lrt");
        Skip.IfNot(compiled.Status == 0, $"gcc {machine} does not work: {compiled.Error}");
        return program;
    }
}
