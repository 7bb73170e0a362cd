using DynaTrans.Linux.Host;
using DynaTrans.Linux.Loading;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Tests.Loading;

/// <summary>What cannot be run gives one line and a status, never an exception.</summary>
public sealed class BadFileTests
{
    private const int Mutations = 12_000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void MutatedFilesAreLoadedOrRefused(bool is32)
    {
        const int Seed = 20260;
        var random = new Random(Seed);
        var image = ElfImage.Make(is32, a => a.Exit(is32, 3), interpreter: null);
        var withInterpreter = ElfImage.Make(is32, a => a.Exit(is32, 3), interpreter: "/nonexistent/ld.so", relocatable: true);
        Interruption.Install();
        var kernel = new LinuxKernel(null);
        var file = Path.GetTempFileName();
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var loaded = 0;
        for (var i = 0; i < Mutations / 2; i++)
        {
            var bytes = (byte[])(i % 4 == 0 ? withInterpreter : image).Clone();
            var changes = random.Next(1, 5);
            for (var n = 0; n < changes; n++)
                Mutate(bytes, random);
            if (random.Next(4) == 0)
                bytes = bytes[..random.Next(bytes.Length)];
            File.WriteAllBytes(file, bytes);
            try
            {
                var thread = GuestProcess.CreateFirst(kernel, file, [file], []);
                thread.Process.Leave(thread, 0);
                loaded++;
            }
            catch (LoadException e)
            {
                Assert.DoesNotContain('\n', e.Message);
                Assert.True(e.Error is > 0 and < 200, $"seed {Seed}, mutation {i}: error {e.Error}");
            }
        }

        File.Delete(file);
        Assert.True(loaded > 0, $"seed {Seed}: no mutation could be loaded");
    }

    [Fact]
    public void EachKindOfBadFileHasItsMessage()
    {
        var directory = Directory.CreateTempSubdirectory("bad").FullName;
        string Write(string name, byte[] bytes)
        {
            var path = Path.Combine(directory, name);
            File.WriteAllBytes(path, bytes);
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return path;
        }

        var good = ElfImage.Make(false, a => a.Exit(false, 0));
        var arm = (byte[])good.Clone();
        arm[18] = 183;
        Check(directory, "is a directory", 126);
        Check(Path.Combine(directory, "missing"), "not found", 127);
        Check(Write("empty", []), "empty file", 126);
        Check(Write("text", "hello world, this is text"u8.ToArray()), "not an ELF file", 126);
        Check(Write("arm", arm), "wrong architecture: aarch64", 126);
        Check(Write("short", good[..40]), "truncated ELF header", 126);
        Check(Write("headers", good[..70]), "truncated: the program headers are behind the end of the file", 126);
        Check(
            Write("interpreter", ElfImage.Make(true, a => a.Exit(true, 0), "/no/ld.so")), "interpreter /no/ld.so not found", 127);
        Check(Write("script", "#!/no/shell\n"u8.ToArray()), "not found", 127);
        var plain = Write("plain", good);
        File.SetUnixFileMode(plain, UnixFileMode.UserRead);
        Check(plain, "not executable", 126);
        Directory.Delete(directory, true);
    }

    private static void Check(string path, string expected, int status)
    {
        var (actual, messages) = TestPrograms.RunFile(path);
        Assert.Equal($"dynatrans: {path}: {expected}\n", messages);
        Assert.Equal(status, actual);
    }

    // Headers are hit most: there the loader decides.
    private static void Mutate(byte[] bytes, Random random)
    {
        var at = random.Next(random.Next(3) == 0 ? bytes.Length : 0xF0);
        switch (random.Next(4))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                bytes.AsSpan(at, Math.Min(random.Next(1, 9), bytes.Length - at)).Fill(random.Next(2) == 0 ? (byte)0xFF : (byte)0);
                break;
            default:
                random.NextBytes(bytes.AsSpan(at, Math.Min(random.Next(1, 9), bytes.Length - at)));
                break;
        }
    }
}
