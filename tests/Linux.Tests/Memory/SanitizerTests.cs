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
    [InlineData("memory-bugs", "address", "use", "SUMMARY: AddressSanitizer: heap-use-after-free")]
    [InlineData("memory-bugs", "address", "lose", "SUMMARY: AddressSanitizer: 64 byte(s) leaked")]
    [InlineData("data-race", "thread", "race", "SUMMARY: ThreadSanitizer: data race")]
    public void AGuestReportsWhatTheProgramReportsNatively(string name, string sanitizer, string mistake, string summary)
    {
        var program = NativePrograms.TryCompile(_folder, name, "-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=" + sanitizer, "-pthread");
        Skip.If(program == null, $"needs gcc with -fsanitize={sanitizer}");
        foreach (string[] more in new[] { Array.Empty<string>(), [mistake] })
        {
            var (native, guest) = ($"{program}.native{more.Length}", $"{program}.guest{more.Length}");
            var expected = NativePrograms.Run(program!, [native, .. more]);
            Skip.If(
                expected is not (0 or 1 or 66) || File.ReadAllText(native).Contains("LeakSanitizer has encountered a fatal error"),
                "the sanitizer does not work here");
            var (status, messages) = TestPrograms.RunFile(program!, 100, null, [guest, .. more]);
            Assert.Equal(string.Empty, messages);
            Assert.Equal(Lines(native), Lines(guest));
            Assert.Equal(expected, status);
            Assert.Contains(more.Length == 0 ? "hello" : summary, File.ReadAllText(guest));
        }
    }

    public void Dispose() => Directory.Delete(_folder, true);

    private static string[] Lines(string file) => [.. File.ReadLines(file).Select(line => Numbers().Replace(line, "N"))];

    // Addresses, process numbers.
    [GeneratedRegex("0x[0-9a-f]+|(?<===)[0-9]+(?===)|(?<=[pt]id=)[0-9]+")]
    private static partial Regex Numbers();
}
