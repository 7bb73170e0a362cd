using DynaTrans.Cli.Tests.Tools;

namespace DynaTrans.Cli.Tests.Isolation;

/// <summary>
/// A guest that looks for the host process in /proc, by every spelling and by every call that takes a path. Its output is compared with
/// that of the same program run natively, where it finds itself: a guest must find itself too, by every way. The command is the one that
/// the build leaves for users.
/// </summary>
public sealed class EscapeTests : IDisposable
{
    private const int LeastWays = 350;
    private const string Nobody = "65534";

    private readonly string _folder = Directory.CreateTempSubdirectory("escape").FullName;

    public static TheoryData<string, bool> Runs => new() { { "-m64", false }, { "-m64", true }, { "-m32", false }, { "-m32", true } };

    [SkippableTheory]
    [MemberData(nameof(Runs))]
    public void EveryWayLeadsToTheGuestItself(string machine, bool asNobody)
    {
        var program = Compile(machine, asNobody);
        var native = Run(asNobody, program, Scratch("native"));
        var guest = Run(asNobody, ShippedCommand.Program, "run", program, Scratch("native"));
        Assert.Equal(0, native.Status);
        Assert.DoesNotContain("FOREIGN", native.Output);
        Assert.True(native.Output.Count(c => c == '\n') >= LeastWays);
        Assert.DoesNotContain("FOREIGN", guest.Output);
        Assert.Equal(native, guest);
    }

    [SkippableTheory]
    [MemberData(nameof(Runs))]
    public void TheHostDoesNotShow(string machine, bool asNobody)
    {
        var program = Compile(machine, asNobody);
        var guest = Run(asNobody, ShippedCommand.Program, "run", program, Scratch("hidden"), "hidden");
        Assert.Equal((0, string.Empty), (guest.Status, guest.Error));
        Assert.DoesNotContain("FOREIGN", guest.Output);
        Assert.Contains("other processes by number", guest.Output);
        Assert.Contains("mem: an orphan's own by number                       own", guest.Output);
    }

    [SkippableTheory]
    [MemberData(nameof(Runs))]
    public void PathsFollowTheKernelsRules(string machine, bool asNobody)
    {
        var program = Compile(machine, asNobody, "paths.c");
        var native = Run(asNobody, program, Scratch("paths"));
        Directory.Delete(Scratch("paths"), true);
        Assert.Equal(native, Run(asNobody, ShippedCommand.Program, "run", program, Scratch("paths")));
        Assert.Equal(0, native.Status);
    }

    [SkippableTheory]
    [MemberData(nameof(Runs))]
    public void ProcessFilesSayWhatTheyDoNatively(string machine, bool asNobody)
    {
        var program = Compile(machine, asNobody, "procfiles.c");

        // The test's own runtime ignores SIGPIPE; a guest begins without that.
        var native = Run(asNobody, "env", "--default-signal=PIPE", program);
        Assert.Equal(0, native.Status);
        foreach (var engine in new[] { "auto", "interp", "jit" })
            Assert.Equal(Comparable(native), Comparable(Run(asNobody, ShippedCommand.Program, "run", "--engine", engine, program)));
    }

    // A guest's limit of descriptors lies below the host's.
    private static Cli.Result Comparable(Cli.Result result) => result with
    {
        Output = string.Join('\n', result.Output.Split('\n').Where(line => !line.StartsWith("Max open files", StringComparison.Ordinal))),
    };

    [SkippableTheory]
    [MemberData(nameof(Runs))]
    public void MountsOfProcElsewhereAreTheGuests(string machine, bool asNobody)
    {
        const string Script = """
            set -e
            cd "$1"; shift
            mkdir -p p b own; : >ownmaps; : >ownmem
            mount -t proc proc p; mount --bind /proc b
            mount --bind /proc/$$ own; mount --bind /proc/$$/maps ownmaps; mount --bind /proc/$$/mem ownmem
            exec "$@"
            """;
        var program = Compile(machine, asNobody);
        var scratch = Scratch("mounts");
        var mounts = Run(false, "unshare", "--mount", "/bin/sh", "-c", Script, "sh", scratch, "true");
        Skip.IfNot(mounts.Status == 0, "mounting takes root: " + mounts.Error);
        string[] user = asNobody ? ["setpriv", "--reuid", Nobody, "--regid", Nobody, "--clear-groups"] : [];
        string[] start = ["--mount", "/bin/sh", "-c", Script, "sh", scratch, .. user];
        var native = Run(false, "unshare", [.. start, program, scratch, "mounts"]);
        Assert.DoesNotContain("FOREIGN", native.Output);
        Assert.Equal(native, Run(false, "unshare", [.. start, ShippedCommand.Program, "run", program, scratch, "mounts"]));
    }

    [SkippableTheory]
    [MemberData(nameof(Runs))]
    public void InheritedDescriptorsAreJudged(string machine, bool asNobody)
    {
        // The shell opens its own files, then becomes the command: natively they would be the program's own.
        var program = Compile(machine, asNobody, "inherited.c");
        var script = "exec 5</proc/self/maps 6</proc/self 7<>/proc/self/mem 8</proc/self/status 9</proc/version; exec \"$@\"";
        var guest = Run(asNobody, "/bin/sh", "-c", script, "sh", ShippedCommand.Program, "run", program);
        Assert.Equal(("maps own\ndirectory own\nmem own\nstatus own\nversion own\n", string.Empty, 0), (guest.Output, guest.Error, guest.Status));
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, true);

    private static Cli.Result Run(bool asNobody, string command, params string[] arguments) => asNobody
        ? Tools.Command.Run(null, null, "setpriv", ["--reuid", Nobody, "--regid", Nobody, "--clear-groups", command, .. arguments])
        : Tools.Command.Run(null, null, command, arguments);

    private string Scratch(string name)
    {
        var path = Path.Join(_folder, name);
        Directory.CreateDirectory(path);
        File.SetUnixFileMode(path, (UnixFileMode)0x1FF);
        return path;
    }

    private string Compile(string machine, bool asNobody, string source = "escape.c")
    {
        Skip.IfNot(Tools.Command.Exist("gcc"), "gcc is missing");
        Skip.If(asNobody && (Environment.UserName != "root" || !Tools.Command.Exist("setpriv")), "another user takes root and setpriv");
        File.SetUnixFileMode(_folder, (UnixFileMode)0x1ED);
        if (asNobody)
            Skip.IfNot(Run(true, ShippedCommand.Program, "--version").Status == 0, "the other user may not run the command");
        var program = Path.Join(_folder, "escape");
        var file = Repository.At("tests", "Cli.Tests", "Isolation", source);
        var compiled = Tools.Command.Run(null, null, "gcc", "-O1", "-w", machine, "-D_FILE_OFFSET_BITS=64", "-o", program, file, "-lpthread");
        Skip.IfNot(compiled.Status == 0, $"gcc {machine} does not work: {compiled.Error}");
        return program;
    }
}
