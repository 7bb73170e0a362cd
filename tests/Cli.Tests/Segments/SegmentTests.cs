using DynaTrans.Cli.Tests.Tools;

namespace DynaTrans.Cli.Tests.Segments;

/// <summary>
/// Programs about segments: local and thread descriptors, limits, 16-bit code and stacks, ways between 64- and 32-bit code, signals there.
/// A guest prints what it prints natively, in both interfaces and by every executor.
/// </summary>
public sealed class SegmentTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("segments").FullName;

    public static TheoryData<string, string> Programs
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var file in Directory.GetFiles(Repository.At("tests", "Cli.Tests", "Segments"), "*.c").Order())
                foreach (var machine in new[] { "-m64", "-m32" })
                    data.Add(Path.GetFileNameWithoutExtension(file), machine);
            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Programs))]
    public void AGuestPrintsWhatItPrintsNatively(string name, string machine)
    {
        Skip.IfNot(Command.Exist("gcc"), "gcc is missing");
        var program = Path.Join(_folder, name);
        var source = Repository.At("tests", "Cli.Tests", "Segments", name + ".c");
        var compiled = Command.Run(null, null, "gcc", "-O1", "-w", machine, "-static", "-no-pie", "-fno-pie", "-o", program, source, "-lpthread");
        Skip.IfNot(compiled.Status == 0, $"gcc {machine} -static does not work: {compiled.Error}");
        var native = Command.Run(null, _folder, program);
        Skip.If(native.Output.Contains("errors -38", StringComparison.Ordinal), "the host has no modify_ldt");
        Assert.Equal(0, native.Status);
        foreach (var engine in new[] { "interp", "jit", "auto" })
        {
            var guest = Command.Run(null, _folder, ShippedCommand.Program, "run", "--engine", engine, program);
            Assert.Equal((native.Status, native.Output), (guest.Status, guest.Output));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, true);
}
