using System.IO.Hashing;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Precompiled;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;
using Xunit.Abstractions;

namespace DynaTrans.IlBackend.Tests.Precompiled;

/// <summary>Files of records and images: what was written is read, and nothing else.</summary>
public sealed class FileFormatTests(ITestOutputHelper output)
{
    private const int Mutations = 10_000, ImageHeaderLength = 32;

    [Fact]
    public void ARecordIsReadAsItWasWritten()
    {
        var record = Record();
        var read = CodeRecordFile.Read(new MemoryStream(Bytes(record)), out var reason);
        Assert.Null(reason);
        AssertSame(record, read!);
    }

    [Fact]
    public void MergingKeepsWhatEitherKnows()
    {
        var record = Record();
        AssertSame(record, CodeRecord.Merge(record, record));
        var newer = record with
        {
            Contexts = [record.Contexts[1]],
            Blocks = [record.Blocks[1] with { Context = 0, Hotness = 9999, Targets = [0x77] }],
            Accesses = [new RecordedAccess(0, 0x2000, AccessHistory.Fast, true)],
        };
        var merged = CodeRecord.Merge(record, newer);
        Assert.Equal(record.Blocks.Count, merged.Blocks.Count);
        var block = merged.Blocks.Single(b => merged.Contexts[b.Context] == record.Contexts[1]);
        Assert.Equal(9999, block.Hotness);
        Assert.Equal(new ulong[] { 0x77, 0x3000, 0x3010 }, block.Targets);
        Assert.Contains(merged.Accesses, a => a is { Rip: 0x2000, History: AccessHistory.Slow, IsLoopRefused: true });
        Assert.Throws<ArgumentException>(() => CodeRecord.Merge(record, newer with { Form = default }));

        // Of many versions of one address, those of the newer record are kept.
        var versions = Enumerable.Range(0, 20).Select(i => record.Blocks[0] with { Bytes = [(byte)i] }).ToList();
        merged = CodeRecord.Merge(record with { Blocks = versions[..10] }, record with { Blocks = versions[10..] });
        Assert.All(merged.Blocks, b => Assert.True(b.Bytes[0] >= 10));
    }

    [Fact]
    public void AnImageIsReadAsItWasWritten()
    {
        using var source = PrecompiledTests.Record([new RecordedAccess(0, 0x123, AccessHistory.Slow, true)]);
        var image = source.Image;
        var view = PrecompiledImageView.Open(source.ImageFile, out var reason)!;
        Assert.Null(reason);
        Assert.Equal((image.Assembly, image.AssemblyHash, image.Form, image.Regions.Count), (view.Assembly, view.AssemblyHash, view.Form, view.RegionCount));
        Assert.Equal(image.Contexts, view.Contexts);
        Assert.Equal(image.Accesses, view.Accesses);
    }

    [Fact]
    public void AMissingOrForeignAssemblyIsRefused()
    {
        using var source = PrecompiledTests.Record();
        var assembly = Path.Combine(Path.GetDirectoryName(source.ImageFile)!, source.Image.Assembly);
        var bytes = File.ReadAllBytes(assembly);
        bytes[^1] ^= 1;
        File.WriteAllBytes(assembly, bytes);
        Assert.Null(PrecompiledCode.Open(source.ImageFile, out var reason));
        Assert.Contains("another one", reason);
        File.Delete(assembly);
        Assert.Null(PrecompiledCode.Open(source.ImageFile, out reason));
        Assert.NotNull(reason);
        Assert.Null(PrecompiledCode.Open(source.ImageFile + "x", out reason));
        Assert.NotNull(reason);
    }

    [Fact]
    public void NamesThatLeaveTheDirectoryAreRefused()
    {
        foreach (var name in new[] { "../a.dll", "/a.dll", "..", ".", "", "a\0b" })
        {
            using var file = new MemoryStream();
            PrecompiledImageFile.Write(file, new PrecompiledImage(name, 0, [], []));
            Assert.Null(PrecompiledImageView.Open(file.ToArray(), out var reason));
            Assert.NotNull(reason);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void DamagedImagesAreRefused(bool withValidHash)
    {
        using var source = PrecompiledTests.Record([new RecordedAccess(0, 0x123, AccessHistory.Slow, true)]);
        var good = File.ReadAllBytes(source.ImageFile);
        var random = new Random(Seed());
        var opened = 0;
        for (var i = 0; i < Mutations; i++)
        {
            var bytes = Mutate(good, random);
            if (withValidHash && bytes.Length > ImageHeaderLength)
                PutHash(bytes);
            if (PrecompiledImageView.Open(bytes, out var reason) is { } view)
            {
                opened++;
                Assert.True(withValidHash || bytes.AsSpan().SequenceEqual(good));
                Walk(view);
            }
            else
                Assert.False(string.IsNullOrEmpty(reason) || reason.Contains('\n'));
        }

        output.WriteLine($"{opened} of {Mutations} opened");
    }

    [Fact]
    public void DamagedRecordsAreRefused()
    {
        var good = Bytes(Record());
        var random = new Random(Seed());
        for (var i = 0; i < Mutations; i++)
        {
            var bytes = Mutate(good, random);
            if (i % 2 == 0 && bytes.Length > 28)
                System.Buffers.Binary.BinaryPrimitives.WriteUInt128LittleEndian(bytes.AsSpan(12), XxHash128.HashToUInt128(bytes.AsSpan(28)));
            if (CodeRecordFile.Read(new MemoryStream(bytes), out var reason) == null)
                Assert.False(string.IsNullOrEmpty(reason) || reason.Contains('\n'));
        }
    }

    private int Seed()
    {
        var seed = Environment.GetEnvironmentVariable("DYNATRANS_SEED") is { } text ? int.Parse(text, System.Globalization.CultureInfo.InvariantCulture) : 4711;
        output.WriteLine($"seed {seed}");
        return seed;
    }

    private static byte[] Mutate(byte[] good, Random random)
    {
        var bytes = (byte[])good.Clone();
        switch (random.Next(4))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                var at = random.Next(bytes.Length - 4) & ~3;
                BitConverter.TryWriteBytes(bytes.AsSpan(at), random.Next(3) switch { 0 => -1, 1 => int.MaxValue, _ => random.Next(100_000) });
                return bytes;
            case 2:
                return [.. bytes, .. new byte[random.Next(1, 100)]];
            default:
                for (var i = random.Next(1, 8); i > 0; i--)
                    bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                return bytes;
        }
    }

    private static void PutHash(byte[] bytes)
    {
        var hash = XxHash128.HashToUInt128(bytes.AsSpan(ImageHeaderLength));
        BitConverter.TryWriteBytes(bytes.AsSpan(16), (ulong)hash);
        BitConverter.TryWriteBytes(bytes.AsSpan(24), (ulong)(hash >> 64));
    }

    // Whatever it says, a walk over all of it stays within the file and ends.
    private static unsafe void Walk(PrecompiledImageView view)
    {
        _ = view.Accesses.Count;
        for (var i = 0; i < view.RegionCount; i++)
        {
            ref readonly var row = ref view.Region(i);
            foreach (ref readonly var entry in view.Entries(i))
                view.EntryNumber(i, entry.Start);
            ulong sum = 0;
            foreach (var target in view.Targets(i))
                sum += target;
            foreach (var range in view.Ranges(i, new CodeRange[row.RangeCount]))
                for (var b = 0; b < range.Length; b++)
                    sum += range.Bytes[b];
            RegionLinks.Free(view.NewLinks(i, 1));
            Assert.True(sum != 1);
        }

        GC.KeepAlive(view);
    }

    private static byte[] Bytes(CodeRecord record)
    {
        using var stream = new MemoryStream();
        CodeRecordFile.Write(stream, record);
        return stream.ToArray();
    }

    private static CodeRecord Record() => new(
        [new CodeContext(GuestMode.Linux64), new CodeContext(GuestMode.Code16, 0x1230, 0xFFFF, 3)], false,
        [
            new RecordedBlock(0, 0x1000, 0x1000, [0x90, 0xC3], 2, 77, 0x12, [], false),
            new RecordedBlock(1, 0x2000, 0x3230, [0x90, 0x90, 0xFF, 0xE0], 3, 5, 0, [0x3000, 0x3010], true),
        ],
        [new RecordedAccess(0, 0x1000, AccessHistory.EdgePages, false), new RecordedAccess(1, 0x2000, AccessHistory.Slow, false)])
    {
        Form = new PrecompiledForm(0x8000000, -0x8000000, AccessForm.Window, false),
    };

    private static void AssertSame(CodeRecord a, CodeRecord b)
    {
        Assert.Equal((a.Form, a.IsPaged, a.Blocks.Count), (b.Form, b.IsPaged, b.Blocks.Count));
        Assert.Equal(a.Contexts, b.Contexts);
        Assert.Equal(a.Accesses, b.Accesses);
        foreach (var (x, y) in a.Blocks.Zip(b.Blocks))
        {
            Assert.Equal(
                (x.Context, x.Start, x.Linear, x.InstructionCount, x.Hotness, x.X87Stack, x.HadEntry),
                (y.Context, y.Start, y.Linear, y.InstructionCount, y.Hotness, y.X87Stack, y.HadEntry));
            Assert.Equal(x.Bytes, y.Bytes);
            Assert.Equal(x.Targets, y.Targets);
        }
    }
}
