using Xunit;

namespace DynaTrans.Caching.Tests;

/// <summary>What is trusted, what is refused, what is kept.</summary>
public sealed class CacheDirectoryTests : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _root = Directory.CreateTempSubdirectory("dynatrans-cache-").FullName;

    private string Place => Path.Combine(_root, "cache");

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void ADirectoryThatIsMissingIsMadeForItsOwnerAlone()
    {
        var cache = CacheDirectory.Open(Place);
        const UnixFileMode Mode = Private | UnixFileMode.UserExecute;
        Assert.Equal(Mode, File.GetUnixFileMode(Place));
        Assert.Equal(Mode, File.GetUnixFileMode(cache.BuildPath));
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherExecute)]
    [InlineData(UnixFileMode.GroupWrite | UnixFileMode.GroupRead | UnixFileMode.GroupExecute)]
    public void ADirectoryThatOthersMayEnterIsRefused(UnixFileMode more)
    {
        Directory.CreateDirectory(Place, Private | UnixFileMode.UserExecute);
        File.SetUnixFileMode(Place, Private | UnixFileMode.UserExecute | more);
        var refusal = Assert.Throws<CacheException>(() => CacheDirectory.Open(Place));
        Assert.Contains("has mode", refusal.Message);
        Assert.DoesNotContain('\n', refusal.Message);
    }

    [Fact]
    public void ALinkToADirectoryIsRefused()
    {
        var elsewhere = Directory.CreateDirectory(Path.Combine(_root, "elsewhere"), Private | UnixFileMode.UserExecute).FullName;
        File.CreateSymbolicLink(Place, elsewhere);
        Assert.Contains("is not a directory", Assert.Throws<CacheException>(() => CacheDirectory.Open(Place)).Message);
    }

    [SkippableFact]
    public void ADirectoryOfAnotherUserIsRefused()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "only root can give a directory away");
        Directory.CreateDirectory(Place, Private | UnixFileMode.UserExecute);
        Assert.Equal(0, Chown(Place, 12345, 12345));
        Assert.Contains("another user", Assert.Throws<CacheException>(() => CacheDirectory.Open(Place)).Message);
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherWrite)]
    [InlineData(UnixFileMode.UserExecute)]
    public void AFileWithMoreRightsIsRefused(UnixFileMode more)
    {
        var file = Write(CacheDirectory.Open(Place), Key(1), CacheDirectory.ImageExtension, 10);
        File.SetUnixFileMode(file, Private | more);
        Assert.False(CacheDirectory.TryOpen(file, out _, out var problem));
        Assert.Contains("has mode", problem);
    }

    [Fact]
    public void AFileThatIsALinkIsRefused()
    {
        var cache = CacheDirectory.Open(Place);
        var file = Write(cache, Key(1), CacheDirectory.ImageExtension, 10);
        var link = cache.PathOf(Key(2), CacheDirectory.ImageExtension);
        File.CreateSymbolicLink(link, file);
        Assert.False(CacheDirectory.TryOpen(link, out _, out var problem));
        Assert.Contains("is not a file", problem);
    }

    [Fact]
    public void AWriteThatFailsLeavesWhatWasThere()
    {
        var cache = CacheDirectory.Open(Place);
        var file = Write(cache, Key(1), CacheDirectory.RecordExtension, 10);
        Assert.Throws<IOException>(() => CacheDirectory.Replace(file, stream =>
        {
            stream.Write(new byte[5]);
            throw new IOException("no room");
        }));
        Assert.Equal(10, new FileInfo(file).Length);
        Assert.Equal([file], Directory.GetFiles(cache.BuildPath));
    }

    [Fact]
    public void OnlyOneHasTheLock()
    {
        var cache = CacheDirectory.Open(Place);
        using (var first = cache.TryLock(Key(1)))
        {
            Assert.NotNull(first);
            Assert.Null(cache.TryLock(Key(1)));
            using var other = cache.TryLock(Key(2));
            Assert.NotNull(other);
        }

        using var again = cache.TryLock(Key(1));
        Assert.NotNull(again);
    }

    [Fact]
    public void WhatWasUsedLongestAgoGoesFirst()
    {
        var cache = CacheDirectory.Open(Place);
        for (var i = 0; i < 4; i++)
        {
            var file = Write(cache, Key(i), CacheDirectory.ImageExtension, 1000);
            var when = DateTime.UtcNow.AddDays(-i);
            File.SetLastWriteTimeUtc(file, when);
            File.SetLastAccessTimeUtc(file, when);
        }

        cache.Touch(Key(3));
        cache.Evict(2500);
        Assert.Equal([Key(3), Key(0)], cache.Entries().Select(entry => entry.Key));
    }

    [Fact]
    public void WhatOtherBuildsHaveLeftGoesBeforeOurs()
    {
        var cache = CacheDirectory.Open(Place);
        var other = Directory.CreateDirectory(Path.Combine(Place, new string('0', 16)), Private | UnixFileMode.UserExecute).FullName;
        File.WriteAllBytes(Path.Combine(other, Key(9).Text + CacheDirectory.ImageExtension), new byte[1000]);
        Write(cache, Key(1), CacheDirectory.ImageExtension, 1000);
        cache.Evict(1500);
        Assert.Single(cache.Entries());
        Assert.False(Directory.Exists(other));
    }

    [Fact]
    public void WhatAKilledBuildHasLeftGoesInTheEnd()
    {
        var cache = CacheDirectory.Open(Place);
        var (old, young) = (Directory.CreateDirectory(Path.Combine(cache.BuildPath, ".old-1")).FullName, Directory.CreateDirectory(Path.Combine(cache.BuildPath, ".young-2")).FullName);
        File.WriteAllText(Path.Combine(old, "half.dll"), "half");
        Directory.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddHours(-2));
        cache.Evict();
        Assert.Equal([young], Directory.GetDirectories(cache.BuildPath));
    }

    [Fact]
    public void ClearingRemovesWhatIsOursAndNothingElse()
    {
        var cache = CacheDirectory.Open(Place);
        Write(cache, Key(1), CacheDirectory.ImageExtension, 10);
        Write(cache, Key(1), CacheDirectory.RecordExtension, 10);
        var stranger = Path.Combine(Place, "notes.txt");
        File.WriteAllText(stranger, "not ours");
        Assert.Equal(1, cache.Clear());
        Assert.Empty(Directory.GetFiles(cache.BuildPath));
        Assert.True(File.Exists(stranger));
    }

    [Fact]
    public void AKeyIsOfTheContentsAndTheForm()
    {
        var (a, b) = (Path.Combine(_root, "a"), Path.Combine(_root, "b"));
        var bytes = new byte[3 << 20];
        new Random(1).NextBytes(bytes);
        File.WriteAllBytes(a, bytes);
        File.WriteAllBytes(b, bytes);
        Assert.Equal(KeyOf(a, "x"), KeyOf(b, "x"));
        Assert.NotEqual(KeyOf(a, "x"), KeyOf(a, "y"));
        bytes[0] ^= 1;
        File.WriteAllBytes(b, bytes);
        Assert.NotEqual(KeyOf(a, "x"), KeyOf(b, "x"));
        Assert.True(ProgramKey.IsKey(KeyOf(a, "x").Text));
    }

    private static ProgramKey KeyOf(string path, string form)
    {
        using var file = File.OpenHandle(path);
        return ProgramKey.Of(file, form)!.Value;
    }

    private static ProgramKey Key(int number) => new(number.ToString("x32"));

    private static string Write(CacheDirectory cache, ProgramKey key, string extension, int size)
    {
        var file = cache.PathOf(key, extension);
        CacheDirectory.Replace(file, stream => stream.Write(new byte[size]));
        Assert.Equal(Private, File.GetUnixFileMode(file));
        return file;
    }

    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "chown")]
    private static extern int Chown(string path, uint user, uint group);
}
