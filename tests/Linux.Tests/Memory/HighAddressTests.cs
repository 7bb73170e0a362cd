using DynaTrans.Linux.Loading;
using DynaTrans.Linux.Tests.Loading;

namespace DynaTrans.Linux.Tests.Memory;

/// <summary>
/// Programs for x86-64 that use the whole address space, and stacks that grow (Programs/*.c): as guests they print what they print natively, by
/// the interpreter, translated at once, and translated when they are hot, in both layouts.
/// </summary>
public sealed class HighAddressTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("high").FullName;

    public static TheoryData<string, bool> Programs => new()
    {
        { "high-addresses", false }, { "stack-growth", false }, { "stack-growth", true }, { "vsyscall", false },
    };

    [SkippableTheory]
    [MemberData(nameof(Programs))]
    public void AGuestPrintsWhatTheProgramPrintsNatively(string name, bool is32)
    {
        Skip.If(name == "vsyscall" && !File.ReadAllText("/proc/self/maps").Contains("--xp 00000000 00:00 0                  [vsyscall]"), "needs vsyscall=xonly");
        var program = NativePrograms.TryCompile(_folder, name, "-O1", "-w", "-static", is32 ? "-m32" : "-m64");
        Skip.If(program == null, is32 ? "needs gcc with -m32" : "needs gcc");
        Assert.Equal(0, NativePrograms.Run(program!, program + ".native"));
        var expected = File.ReadAllLines(program + ".native");
        foreach (var layout in is32 ? [AddressLayout.Compact] : Enum.GetValues<AddressLayout>())
            foreach (var threshold in new int?[] { null, 0, 30 })
            {
                var output = $"{program}.{layout}.{threshold}";
                var (status, messages) = TestPrograms.RunFile(program!, threshold, layout, output);
                Assert.Equal(string.Empty, messages);
                Assert.Equal(expected, File.ReadAllLines(output));
                Assert.Equal(0, status);
            }
    }

    public void Dispose() => Directory.Delete(_folder, true);
}
