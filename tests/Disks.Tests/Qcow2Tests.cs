using DynaTrans.Disks.Qcow2;

namespace DynaTrans.Disks.Tests;

/// <summary>qcow2 images against copies in memory, our checker, and qemu-img.</summary>
public sealed class Qcow2Tests : DiskTest
{
    private const int Seed = 20261;
    private const int Size = (5 << 20) + 512;

    [Theory]
    [InlineData(512, 3, 16, false)]
    [InlineData(4096, 3, 16, false)]
    [InlineData(65536, 3, 16, false)]
    [InlineData(65536, 2, 16, false)]
    [InlineData(65536, 3, 16, true)]
    [InlineData(2 << 20, 3, 16, false)]
    [InlineData(4096, 3, 1, false)]
    [InlineData(4096, 3, 2, true)]
    [InlineData(4096, 3, 4, false)]
    [InlineData(4096, 3, 8, false)]
    [InlineData(512, 3, 32, false)]
    [InlineData(512, 3, 64, true)]
    public void WhatIsWrittenIsThere(int clusterSize, int version, int refcountBits, bool isLazy)
    {
        var (path, random, model) = (At("a.qcow2"), new Random(Seed), new byte[Size]);
        var options = new Qcow2CreateOptions { ClusterSize = clusterSize, Version = version, RefcountBits = refcountBits, IsLazy = isLazy };
        using (var image = DiskImage.Create(path, Size, DiskFormat.Qcow2, options))
        {
            Work(image, model, random, 60);
            Assert.Equal(model, ReadAll(image));
        }

        using (var image = DiskImage.Open(path))
        {
            Assert.Equal(model, ReadAll(image));
            Work(image, model, random, 60, 5000);
        }

        using (var image = DiskImage.Open(path, new DiskOpenOptions { IsReadOnly = true }))
            Assert.Equal(model, ReadAll(image));
        AssertClean(path);
        if (QemuImg.IsThere)
        {
            File.WriteAllBytes(At("a.raw"), model);
            QemuImg.Run("compare", "-f", "qcow2", "-F", "raw", path, At("a.raw"));
        }
    }

    [SkippableTheory]
    [InlineData("compat=1.1")]
    [InlineData("compat=0.10")]
    [InlineData("compat=1.1,compression_type=zstd,cluster_size=4096")]
    [InlineData("compat=1.1,refcount_bits=1,cluster_size=512")]
    public void CompressedClustersOfQemuAreRead(string options)
    {
        Skip.IfNot(QemuImg.IsThere, QemuImg.Missing);
        var (random, model) = (new Random(Seed), new byte[Size]);
        for (var i = 0; i < Size; i++)
            model[i] = (byte)(random.Next(8) == 0 ? random.Next() : i >> 9);
        File.WriteAllBytes(At("a.raw"), model);
        QemuImg.Run("convert", "-c", "-O", "qcow2", "-o", options, At("a.raw"), At("a.qcow2"));
        AssertClean(At("a.qcow2"));
        using (var image = DiskImage.Open(At("a.qcow2")))
        {
            Assert.Equal(model, ReadAll(image));
            Work(image, model, random, 40, 20_000);
            Assert.Equal(model, ReadAll(image));
        }

        AssertClean(At("a.qcow2"));
        File.WriteAllBytes(At("a.raw"), model);
        QemuImg.Run("compare", "-f", "qcow2", "-F", "raw", At("a.qcow2"), At("a.raw"));
    }

    [Theory]
    [InlineData(3, DiskFormat.Raw)]
    [InlineData(3, DiskFormat.Qcow2)]
    [InlineData(2, DiskFormat.Raw)]
    public void ABackingFileHasTheRest(int version, DiskFormat format)
    {
        var (random, model) = (new Random(Seed), new byte[Size]);
        using (var backing = DiskImage.Create(At("base"), Size - 70_000, format))
        {
            random.NextBytes(model.AsSpan(0, 3 << 20));
            backing.Write(0, model.AsSpan(0, 3 << 20));
        }

        var options = new Qcow2CreateOptions { Version = version, BackingName = "base", BackingFormat = format };
        using (var image = DiskImage.Create(At("top"), Size, DiskFormat.Qcow2, options, [Folder]))
        {
            Assert.Equal(model, ReadAll(image));
            Work(image, model, random, 30, 20_000);
            Assert.Equal(model, ReadAll(image));
            image.Resize(1 << 20);
            image.Resize(Size);
            model.AsSpan(1 << 20).Clear();
            Assert.Equal(model, ReadAll(image));
        }

        AssertClean(At("top"));
        if (QemuImg.IsThere)
        {
            File.WriteAllBytes(At("a.raw"), model);
            QemuImg.Run("compare", "-f", "qcow2", "-F", "raw", At("top"), At("a.raw"));
        }

        var refused = Assert.Throws<DiskImageException>(() => DiskImage.Open(At("top")));
        Assert.Contains("not among those that are allowed", refused.Message);
        File.Move(At("base"), At("elsewhere"));
        Directory.CreateDirectory(At("allowed"));
        File.CreateSymbolicLink(At("base"), At("elsewhere"));
        Assert.Throws<DiskImageException>(() => DiskImage.Open(At("top"), new DiskOpenOptions { AllowedBacking = [At("allowed")] }));
    }

    [Fact]
    public void BackingFilesFormNoLoop()
    {
        DiskImage.Create(At("b"), Size, DiskFormat.Qcow2).Dispose();
        DiskImage.Create(At("a"), Size, DiskFormat.Qcow2, new Qcow2CreateOptions { BackingName = "b", BackingFormat = DiskFormat.Qcow2 }, [Folder]).Dispose();
        File.Delete(At("b"));
        File.CreateSymbolicLink(At("b"), At("a"));
        var options = new DiskOpenOptions { IsReadOnly = true, AllowedBacking = [Folder] };
        Assert.Contains("loop", Assert.Throws<DiskImageException>(() => DiskImage.Open(At("a"), options)).Message);
    }

    [Theory]
    [InlineData(512, 3, 16)]
    [InlineData(65536, 2, 16)]
    [InlineData(4096, 3, 4)]
    public void SnapshotsKeepWhatWas(int clusterSize, int version, int refcountBits)
    {
        var (path, random, model) = (At("a.qcow2"), new Random(Seed), new byte[Size]);
        var kept = new List<byte[]>();
        using (var image = DiskImage.Create(path, Size, DiskFormat.Qcow2, new Qcow2CreateOptions { ClusterSize = clusterSize, Version = version, RefcountBits = refcountBits }))
        {
            for (var i = 0; i < 4; i++)
            {
                Work(image, model, random, 20, 100_000);
                kept.Add([.. model]);
                Assert.Equal($"{i + 1}", image.CreateSnapshot($"s{i}", DateTimeOffset.UnixEpoch.AddDays(i)).Id);
            }

            Work(image, model, random, 20, 100_000);
            image.ApplySnapshot("s1");
            Assert.Equal(kept[1], ReadAll(image));
            model = kept[1];
            image.DeleteSnapshot("1");
            image.DeleteSnapshot("s2");
            Work(image, model, random, 20, 100_000);
            Assert.Equal(model, ReadAll(image));
            Assert.Throws<DiskImageException>(() => image.ApplySnapshot("s2"));
        }

        AssertClean(path);
        using (var image = DiskImage.Open(path))
        {
            Assert.Equal(["s1", "s3"], image.Snapshots.Select(snapshot => snapshot.Name));
            Assert.Equal(model, ReadAll(image));
            image.ApplySnapshot("4");
            Assert.Equal(kept[3], ReadAll(image));
            image.DeleteSnapshot("s1");
            image.DeleteSnapshot("s3");
        }

        AssertClean(path);
    }

    [Fact]
    public void ALargeDiskWithSmallClustersGrowsItsTables()
    {
        using (var image = DiskImage.Create(At("a"), 2L << 30, DiskFormat.Qcow2, new Qcow2CreateOptions { ClusterSize = 512, RefcountBits = 64 }))
        {
            image.Write((2L << 30) - 5, [1, 2, 3, 4, 5]);
            image.Write(0, new byte[8 << 20]);
        }

        AssertClean(At("a"));
    }

    [Fact]
    public void WhatWasNotFlushedLeavesNoDamage()
    {
        var (random, model) = (new Random(Seed), new byte[Size]);
        foreach (var isLazy in new[] { false, true })
        {
            using var image = DiskImage.Create(At("a"), Size, DiskFormat.Qcow2, new Qcow2CreateOptions { ClusterSize = 4096, IsLazy = isLazy, Replaces = true });
            Array.Clear(model);
            Work(image, model, random, 40, 50_000);
            image.Flush();
            var flushed = ReadAll(image);
            for (var i = 0; i < 40; i++)
                image.Write(random.Next(Size / 2) + (Size / 2), new byte[100]);

            // What a process leaves that is killed here.
            File.Copy(At("a"), At("killed"), overwrite: true);
            if (!isLazy)
                AssertClean(At("killed"));
            using (var killed = DiskImage.Open(At("killed")))
                Assert.Equal(flushed.AsSpan(0, Size / 2).ToArray(), ReadAll(killed).AsSpan(0, Size / 2).ToArray());
            AssertClean(At("killed"));
        }
    }

    [SkippableFact]
    public void TwoWritersAreRefused()
    {
        using var image = DiskImage.Create(At("a"), Size, DiskFormat.Qcow2);
        Assert.Contains("locked", Assert.Throws<DiskImageException>(() => DiskImage.Open(At("a"))).Message);
        Assert.Contains("locked", Assert.Throws<DiskImageException>(() => DiskImage.Open(At("a"), new DiskOpenOptions { IsReadOnly = true })).Message);
        Skip.IfNot(QemuImg.IsThere, QemuImg.Missing);
        var (status, output) = QemuImg.Try("resize", At("a"), "+1M");
        Assert.NotEqual(0, status);
        Assert.Contains("lock", output);
    }

    [Fact]
    public void ReadersShareAnImage()
    {
        DiskImage.Create(At("a"), Size, DiskFormat.Qcow2).Dispose();
        var options = new DiskOpenOptions { IsReadOnly = true };
        using var first = DiskImage.Open(At("a"), options);
        using var second = DiskImage.Open(At("a"), options);
        Assert.Throws<DiskImageException>(() => DiskImage.Open(At("a")));
        Assert.Throws<DiskImageException>(() => second.Write(0, [1]));
    }

    [Fact]
    public void ConvertedImagesAreTheSame()
    {
        var (random, model) = (new Random(Seed), new byte[Size]);
        random.NextBytes(model.AsSpan(1 << 20, 1 << 20));
        File.WriteAllBytes(At("a"), model);
        using (var raw = DiskImage.Open(At("a"), new DiskOpenOptions { Format = DiskFormat.Raw, IsReadOnly = true }))
        using (var made = DiskImage.Create(At("b"), Size, DiskFormat.Qcow2))
        {
            DiskTools.Copy(raw, made);
            Assert.Equal(model, ReadAll(made));
            Assert.InRange(made.FileLength, 1 << 20, (1 << 20) + (8 << 16));
        }

        AssertClean(At("b"));
    }

    [Fact]
    public void AGuessedRawImageDoesNotBecomeAnother()
    {
        File.WriteAllBytes(At("a"), new byte[4096]);
        using (var image = DiskImage.Open(At("a")))
            Assert.Contains("raw", Assert.Throws<DiskImageException>(() => image.Write(0, [0x51, 0x46, 0x49, 0xFB])).Message);
        using (var image = DiskImage.Open(At("a"), new DiskOpenOptions { Format = DiskFormat.Raw }))
            image.Write(0, [0x51, 0x46, 0x49, 0xFB]);
    }

    private static void AssertClean(string path)
    {
        var result = DiskTools.Check(path)!;
        Assert.True(result.IsClean, string.Join('\n', result.Problems));
        if (QemuImg.IsThere)
            QemuImg.Run("check", "-f", "qcow2", path);
    }
}
