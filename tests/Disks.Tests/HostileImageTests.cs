using DynaTrans.Disks.Qcow2;
using Xunit.Abstractions;

namespace DynaTrans.Disks.Tests;

/// <summary>Images that were damaged at random: an error of one line, or bytes, and nothing else.</summary>
public sealed class HostileImageTests(ITestOutputHelper output) : DiskTest
{
    private const int Mutations = 10_000;
    private static readonly ulong[] Interesting = [0, 1, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, ulong.MaxValue, long.MaxValue, 1ul << 63, 1ul << 62, 0x200, 0x400, 0x600, 0x1000];

    [Fact]
    public void DamagedImagesDoNoHarm()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("DYNATRANS_FUZZ_SEED"), out var given) ? given : 4711;
        output.WriteLine($"seed {seed} (DYNATRANS_FUZZ_SEED)");
        var random = new Random(seed);
        var originals = new[] { Make(3, false), Make(2, false), Make(3, true) };
        var opened = 0;
        for (var i = 0; i < Mutations; i++)
        {
            var bytes = (byte[])originals[i % originals.Length].Clone();
            for (var n = random.Next(1, 4); n > 0; n--)
                Mutate(bytes, random);
            var length = random.Next(10) == 0 ? random.Next(bytes.Length) : bytes.Length;
            File.WriteAllBytes(At("fuzz"), bytes[..length]);
            opened += Use(random) ? 1 : 0;
        }

        output.WriteLine($"{opened} of {Mutations} could be written to");
        Assert.InRange(opened, Mutations / 20, Mutations);
    }

    private byte[] Make(int version, bool isLazy)
    {
        using (var image = DiskImage.Create(At("a"), 200_000, DiskFormat.Qcow2, new Qcow2CreateOptions { ClusterSize = 512, Version = version, IsLazy = isLazy, Replaces = true }))
        {
            image.Write(1000, new byte[3000]);
            image.CreateSnapshot("s", DateTimeOffset.UnixEpoch);
            image.Write(150_000, new byte[700]);
        }

        return File.ReadAllBytes(At("a"));
    }

    private static void Mutate(byte[] bytes, Random random)
    {
        // Half of them in the header.
        var at = random.Next(random.Next(2) == 0 ? 112 : bytes.Length);
        switch (random.Next(4))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                bytes[at] = (byte)random.Next();
                break;
            case 2:
                var value = Interesting[random.Next(Interesting.Length)];
                for (var i = 0; i < 8 && (at & ~7) + i < bytes.Length; i++)
                    bytes[(at & ~7) + i] = (byte)(value >> (56 - (8 * i)));
                break;
            default:
                bytes.AsSpan(random.Next(bytes.Length - 8) & ~7, 8).CopyTo(bytes.AsSpan(Math.Min(at & ~7, bytes.Length - 8)));
                break;
        }
    }

    private bool Use(Random random)
    {
        var buffer = new byte[4096];
        Attempt(() => DiskTools.Check(At("fuzz")));
        var opened = Attempt(() =>
        {
            var image = DiskImage.Open(At("fuzz"));
            try
            {
                for (var i = 0; i < 8 && image.Length > 0; i++)
                {
                    var offset = random.NextInt64(Math.Min(image.Length, 300_000));
                    Attempt(() => image.Read(offset, buffer.AsSpan(0, (int)Math.Min(buffer.Length, image.Length - offset))));
                    Attempt(() => image.Write(offset, buffer.AsSpan(0, (int)Math.Min(700, image.Length - offset))));
                }

                if (random.Next(4) == 0)
                    Attempt(() => image.DeleteSnapshot("s"));
                else if (random.Next(4) == 0)
                    Attempt(() => image.ApplySnapshot("s"));
            }
            finally
            {
                Attempt(image.Dispose);
            }
        });
        if (random.Next(8) == 0)
            Attempt(() => DiskTools.Check(At("fuzz"), repairs: true));
        return opened;
    }

    private static bool Attempt(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (DiskImageException e)
        {
            Assert.DoesNotContain('\n', e.Message);
            return false;
        }
    }
}
