using DynaTrans.Pc.Boot;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Pc.Tests.Boot;

/// <summary>Debian's kernels, as far as <c>eng/fetch-kernels</c> has fetched them, whole and damaged.</summary>
public sealed class RealKernelTests : IDisposable
{
    private const int Mutations = 20;

    private readonly string _folder = Directory.CreateTempSubdirectory("kernel").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableTheory]
    [InlineData("686/vmlinuz", false)]
    [InlineData("686-pae/vmlinuz", false)]
    [InlineData("amd64/vmlinuz", true)]
    [InlineData("cloud-amd64/vmlinuz", true)]
    public void TheHostUnpacksIt(string kernel, bool isPvh)
    {
        var entry = (ProtectedModeEntry)Load(Path(kernel), KernelUnpacking.Host);
        Assert.Equal(isPvh, entry.Ebx != 0);
        Assert.Equal(!isPvh, entry.Esi != 0);
        Assert.InRange(entry.Address, 0x100_0000u, 0x400_0000u);
    }

    [SkippableTheory]
    [InlineData("686/vmlinuz")]
    [InlineData("cloud-amd64/vmlinuz")]
    [InlineData("memtest86+/memtest86+ia32.bin")]
    [InlineData("memtest86+/memtest86+x64.bin")]
    public void TheGuestUnpacksIt(string kernel) =>
        Assert.Equal(0x10_0000u, ((ProtectedModeEntry)Load(Path(kernel), KernelUnpacking.Guest)).Address);

    // A damaged file is refused with a message or loaded, never anything else.
    [SkippableTheory]
    [InlineData("686/vmlinuz")]
    [InlineData("cloud-amd64/vmlinuz")]
    public void DamagedItIsRefusedOrLoaded(string kernel)
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var file = File.ReadAllBytes(Path(kernel));
        var damaged = System.IO.Path.Join(_folder, "kernel");
        for (var i = 0; i < Mutations; i++)
        {
            // The packed bytes are long and mostly alike: the headers and the first of them get most of the damage.
            var bytes = file[..(random.Next(4) == 0 ? random.Next(file.Length) : file.Length)];
            for (var count = random.Next(1, 8); count > 0; count--)
                bytes[random.Next(2) == 0 ? 0x1F1 + random.Next(0x80) : random.Next(Math.Min(bytes.Length, 0x8000))] = (byte)random.Next(256);
            if (bytes.Length == 0)
                continue;
            File.WriteAllBytes(damaged, bytes);
            try
            {
                Load(damaged, (KernelUnpacking)random.Next(2));
            }
            catch (BootException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}, mutation {i}: {e}");
            }
        }
    }

    private static string Path(string kernel)
    {
        var folder = AppContext.BaseDirectory;
        while (folder != null && !File.Exists(System.IO.Path.Join(folder, "DynaTrans.sln")))
            folder = System.IO.Path.GetDirectoryName(folder);
        var path = System.IO.Path.Join(folder, ".cache/kernels", kernel);
        Skip.IfNot(File.Exists(path), $"{kernel} is not there: eng/fetch-kernels");
        return path;
    }

    private static IBootEntry Load(string kernel, KernelUnpacking unpacking)
    {
        using var space = new AddressSpace(PhysicalMemory.AddressBits, is32Bit: false);
        return KernelLoader.Load(new PhysicalMemory(space, 256 << 20), new KernelOptions(kernel) { Unpacking = unpacking }, 0);
    }
}
