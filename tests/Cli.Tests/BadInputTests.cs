using System.Buffers.Binary;
using DynaTrans.Cli.Commands;
using DynaTrans.Cli.Guests;

namespace DynaTrans.Cli.Tests;

/// <summary>What is wrong gives one clear line on standard error and a status that is not 0, never a stack trace.</summary>
public sealed class BadInputTests : IDisposable
{
    private const int Seed = 3011;
    private const int FullRuns = 150;

    private readonly string _directory = Directory.CreateTempSubdirectory("dynatrans-bad-").FullName;

    [Theory]
    [InlineData("a command is missing")]
    [InlineData("unknown command", "frobnicate")]
    [InlineData("--frobnicate", "run", "--frobnicate", "/bin/true")]
    [InlineData("a program is missing", "run")]
    [InlineData("a program is missing", "run", "--engine", "jit")]
    [InlineData("--engine", "run", "--engine", "fast", "/bin/true")]
    [InlineData("--engine", "run", "--engine")]
    [InlineData("NAME=VALUE", "run", "--env", "=x", "/bin/true")]
    [InlineData("not a directory", "run", "--root", "/nonexistent", "/bin/true")]
    [InlineData("--engine", "exec", "--engine", "auto")]
    [InlineData("unknown command, option or argument", "exec", "file")]
    [InlineData("--runs", "bench", "--runs", "0")]
    public void WrongCommandLines(string expected, params string[] arguments) =>
        Cli.AssertFails(ExitStatus.Usage, expected, Cli.Run(arguments));

    [Fact]
    public void FilesThatCannotBeRun()
    {
        Cli.AssertFails(ExitStatus.NotFound, "not found", Cli.Run("run", Path.Join(_directory, "nothing")));
        Cli.AssertFails(ExitStatus.NotFound, "not found", Cli.Run("run", "no-such-program-anywhere"));
        Cli.AssertFails(ExitStatus.CannotRun, "directory", Cli.Run("run", _directory));
        Cli.AssertFails(ExitStatus.CannotRun, "empty", Cli.Run("run", Write("empty", [])));
        Cli.AssertFails(ExitStatus.CannotRun, "not an ELF file", Cli.Run("run", Write("text", "hello, world\n"u8.ToArray())));
        Cli.AssertFails(ExitStatus.CannotRun, "truncated", Cli.Run("run", Write("short", Demo()[..40])));
        Cli.AssertFails(ExitStatus.CannotRun, "truncated", Cli.Run("run", Write("headers", Demo()[..60])));
        Cli.AssertFails(ExitStatus.CannotRun, "wrong architecture: aarch64", Cli.Run("run", Write("arm", Changed(18, 183))));
        Cli.AssertFails(ExitStatus.CannotRun, "damaged", Cli.Run("run", Write("phentsize", Changed(42, 1))));
        var plain = Write("plain", Demo());
        File.SetUnixFileMode(plain, UnixFileMode.UserRead);
        Cli.AssertFails(ExitStatus.CannotRun, "execut", Cli.Run("run", plain));
        Cli.AssertFails(ExitStatus.NotFound, "no such file", Cli.Run("bench", Path.Join(_directory, "nothing")));
        Cli.AssertFails(ExitStatus.CannotRun, "not an ELF file", Cli.Run("bench", Path.Join(_directory, "text")));
    }

    [Fact]
    public void UnreadableFile()
    {
        // Root may read everything.
        var path = Write("secret", Demo());
        File.SetUnixFileMode(path, UnixFileMode.None);
        var result = Cli.Run("run", path);
        if (Environment.UserName != "root")
            Cli.AssertFails(ExitStatus.CannotRun, "ermission denied", result);
        else
            Assert.DoesNotContain("   at ", result.Error);
    }

    [Fact]
    public void CorruptFilesByFullRuns()
    {
        var original = Demo();
        var random = new Random(Seed);
        for (var i = 0; i < FullRuns; i++)
        {
            var path = Write("mutated", ElfMutator.Mutate(original, random, out var what));
            var result = Cli.RunFor(TimeSpan.FromSeconds(20), null, "run", "--engine", "interp", path);
            var message = $"seed {Seed}, run {i} ({what}): status {result.Status}, {result.Error}";

            // A changed entry point may loop: -1 is the guest's right. Statuses above 128 are signals of the guest, and reported.
            Assert.False(result.Error.Contains("   at ") || result.Error.Contains("internal error") || result.Error.Contains("Unhandled"), message);
            if (result.Status is ExitStatus.CannotRun or ExitStatus.NotFound or > 128)
                Assert.True(result.Error.StartsWith("dynatrans: ") && result.Error.Count(c => c == '\n') == 1, message);
        }
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static byte[] Demo()
    {
        using var guest = new DemoGuest("demo-i386");
        return File.ReadAllBytes(guest.Path);
    }

    private static byte[] Changed(int at, ushort value)
    {
        var bytes = Demo();
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at), value);
        return bytes;
    }

    private string Write(string name, byte[] content)
    {
        var path = Path.Join(_directory, name);
        File.WriteAllBytes(path, content);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
