using DynaTrans.Pc.Boot;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Pc.Tests.Boot;

/// <summary>Damaged kernels of every kind: each is refused with one line or loaded, whatever the damage.</summary>
public sealed class LoaderFuzzTests : IDisposable
{
    private const int Rounds = 300;

    // Values that headers break at.
    private static readonly uint[] s_edges = [0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_F000, 0x10_0000, 0x9FC00];

    private readonly string _folder = Directory.CreateTempSubdirectory("fuzz").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("elf64")]
    [InlineData("elf32")]
    [InlineData("multiboot")]
    [InlineData("gzip")]
    [InlineData("lz4")]
    [InlineData("zstd")]
    [InlineData("xz")]
    public void DamageIsRefusedOrLoaded(string kind)
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var code = new byte[5000];
        random.NextBytes(code.AsSpan(0, 2000));
        var elf = KernelBuilder.Elf(is64: true, code, KernelBuilder.LoadAddress);
        var file = kind switch
        {
            "elf64" => elf,
            "elf32" => KernelBuilder.Elf(is64: false, code),
            "multiboot" => KernelBuilder.Multiboot(code),
            "gzip" => KernelBuilder.BzImage(KernelBuilder.Gzip(elf)),
            "lz4" => KernelBuilder.BzImage(KernelBuilder.Lz4(elf)),
            "zstd" => KernelBuilder.BzImage(KernelBuilder.Zstd(elf)),
            _ => KernelBuilder.BzImage(KernelBuilder.Xz(elf)),
        };
        for (var round = 0; round < Rounds; round++)
        {
            var damaged = Damage(file, random);
            try
            {
                Load(damaged, (KernelUnpacking)random.Next(3));
            }
            catch (BootException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
            catch (Exception e)
            {
                Assert.Fail($"{kind}, seed {seed}, round {round}: {e}");
            }
        }
    }

    // The headers are at the front of the file and, of a bzImage, in the second sector and where the packed kernel begins.
    private static byte[] Damage(byte[] file, Random random)
    {
        var damaged = file[..(random.Next(5) == 0 ? random.Next(file.Length) : file.Length)];
        for (var count = random.Next(1, 5); count > 0 && damaged.Length > 4; count--)
        {
            var at = random.Next(3) switch
            {
                0 => random.Next(Math.Min(damaged.Length, 0x100)),
                1 => random.Next(Math.Min(damaged.Length, 0x700)),
                _ => random.Next(damaged.Length),
            };
            if (random.Next(2) == 0)
                damaged[at] = (byte)random.Next(256);
            else
                KernelBuilder.Put32(damaged, Math.Min(at & ~3, damaged.Length - 4), s_edges[random.Next(s_edges.Length)]);
        }

        return damaged;
    }

    private void Load(byte[] kernel, KernelUnpacking unpacking)
    {
        var path = Path.Join(_folder, "kernel");
        File.WriteAllBytes(path, kernel);
        using var space = new AddressSpace(PhysicalMemory.AddressBits, is32Bit: false);
        KernelLoader.Load(new PhysicalMemory(space, 32 << 20), new KernelOptions(path) { Unpacking = unpacking }, 0);
    }
}
