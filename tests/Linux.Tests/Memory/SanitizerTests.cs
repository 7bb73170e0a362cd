using System.Diagnostics;
using System.Text.RegularExpressions;
using DynaTrans.Linux.Tests.Loading;

namespace DynaTrans.Linux.Tests.Memory;

/// <summary>
/// Programs of AddressSanitizer and ThreadSanitizer, whose shadow memory spans terabytes: what they print, reports of real mistakes included,
/// is what they print natively, but for addresses and numbers of processes.
/// </summary>
public sealed partial class SanitizerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sanitizers").FullName;

    [SkippableTheory]
    [InlineData("use-after-free", "address", "SUMMARY: AddressSanitizer: heap-use-after-free")]
    [InlineData("data-race", "thread", "SUMMARY: ThreadSanitizer: data race")]
    public void AGuestReportsWhatTheProgramReportsNatively(string name, string sanitizer, string summary)
    {
        var program = Path.Combine(_folder, name);
        using (var from = typeof(SanitizerTests).Assembly.GetManifestResourceStream(name + ".c")!)
        using (var to = File.Create(program + ".c"))
            from.CopyTo(to);
        Skip.IfNot(
            Run("gcc", "-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=" + sanitizer, program + ".c", "-o", program, "-lpthread") == 0,
            $"needs gcc with -fsanitize={sanitizer}");
        foreach (string[] more in new[] { Array.Empty<string>(), ["bug"] })
        {
            var (native, guest) = ($"{program}.native{more.Length}", $"{program}.guest{more.Length}");
            var expected = Run(program, [native, .. more]);
            Skip.If(expected is not (0 or 1 or 66), "the sanitizer does not work here");
            var (status, messages) = TestPrograms.RunFile(program, 100, null, [guest, .. more]);
            Assert.Equal(string.Empty, messages);
            Assert.Equal(Lines(native), Lines(guest));
            Assert.Equal(expected, status);
            Assert.Contains(more.Length == 0 ? "hello" : summary, File.ReadAllText(guest));
        }
    }

    public void Dispose() => Directory.Delete(_folder, true);

    private static int Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return -1;
        }
    }

    private static string[] Lines(string file) => [.. File.ReadLines(file).Select(line => Numbers().Replace(line, "N"))];

    // Addresses, process numbers.
    [GeneratedRegex("0x[0-9a-f]+|(?<===)[0-9]+(?===)|(?<=[pt]id=)[0-9]+")]
    private static partial Regex Numbers();
}
