using System.Text;
using DynaTrans.Linux.Files;
using static DynaTrans.Linux.Errno;

namespace DynaTrans.Linux.Tests.Syscalls;

/// <summary>Paths with a root prefix: what exists below it is meant, and /proc is the guest's own in any case.</summary>
public sealed class RootPrefixTests : IDisposable
{
    private const ulong Buffer = TestGuest.Buffer;
    private const int ReadWriteCreate = OpenFlags.ReadWrite | OpenFlags.Create;

    private readonly string _root = Directory.CreateTempSubdirectory("root").FullName;
    private readonly string _host = Directory.CreateTempSubdirectory("host").FullName;

    public RootPrefixTests()
    {
        Directory.CreateDirectory(_root + "/etc");
        Directory.CreateDirectory(_root + "/proc");
        Directory.CreateDirectory(_root + "/usr/bin");
        File.WriteAllText(_root + "/etc/inside", "inside");
        File.WriteAllText(_host + "/outside", "outside");
        File.CreateSymbolicLink(_root + "/etc/absolute", "/etc/inside");
        File.CreateSymbolicLink(_root + "/etc/relative", "../etc/inside");
        File.CreateSymbolicLink(_root + "/etc/beyond", "../../../../../../etc/inside");
        File.CreateSymbolicLink(_root + "/etc/outside", _host + "/outside");
        File.CreateSymbolicLink(_root + "/etc/mtab", "../proc/self/cmdline");
        File.CreateSymbolicLink(_root + "/etc/mtab2", "/proc/self/cmdline");
        File.CreateSymbolicLink(_root + "/bin", "usr/bin");
        File.CreateSymbolicLink(_root + "/usr/bin/tool", "/etc/absolute");
    }

    [Theory]
    [InlineData("/etc/inside", "inside")]
    [InlineData("/etc/absolute", "inside")]
    [InlineData("/etc/relative", "inside")]
    [InlineData("/etc/beyond", "inside")]
    [InlineData("//etc/./../etc/inside", "inside")]
    [InlineData("/etc/outside", "outside")]
    [InlineData("/bin/tool", "inside")]
    [InlineData("/etc/mtab", "test\0argument\0")]
    [InlineData("/etc/mtab2", "test\0argument\0")]
    [InlineData("/proc/self/cmdline", "test\0argument\0")]
    [InlineData("/./proc/self/cmdline", "test\0argument\0")]
    [InlineData("/etc/../proc/self/cmdline", "test\0argument\0")]
    [InlineData("/proc/self/root/etc/absolute", "inside")]
    public void ReadsWhatThePathMeans(string path, string expected)
    {
        using var g = new TestGuest(false, _root);
        var fd = (ulong)g.Open(path, 0);
        Assert.Equal(expected.Length, g.Call("read", fd, Buffer, 100));
        Assert.Equal(expected, g.GetText(Buffer, expected.Length));
        Assert.Equal(0, g.Call("stat", g.Put(path), Buffer));
        Assert.Equal(0, g.Call("access", g.Put(path), 4));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void NewFilesAreMadeOnTheHost(bool is32)
    {
        using var g = new TestGuest(is32, _root);
        Assert.True(g.Open(_host + "/new", ReadWriteCreate) >= 0);
        Assert.True(File.Exists(_host + "/new"));
        Assert.Equal(0, g.Call("mkdir", g.Put(_host + "/made"), 0x1FF));
        Assert.True(Directory.Exists(_host + "/made"));
        Assert.Equal(-EEXIST, g.Open("/etc/inside", ReadWriteCreate | OpenFlags.Exclusive));
        Assert.Equal(-EEXIST, g.Call("mkdir", g.Put("/etc"), 0x1FF));
        Assert.True(g.Open("/etc/inside", ReadWriteCreate | OpenFlags.Truncate) >= 0);
        Assert.Equal(0, new FileInfo(_root + "/etc/inside").Length);
        Assert.Equal(0, g.Call("rename", g.Put("/etc/inside"), g.Put(_host + "/moved")));
        Assert.Equal(0, g.Call("unlink", g.Put("/etc/absolute")));
        Assert.False(File.Exists(_root + "/etc/absolute"));
        Assert.Equal(-ENOENT, g.Open("/etc/none/such", 0));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void ALinkThatLeadsNowhereDoesNotHideTheHostsFile(bool is32)
    {
        Directory.CreateDirectory(_root + _host);
        File.CreateSymbolicLink(_root + _host + "/outside", "nowhere");
        using var g = new TestGuest(is32, _root);
        var fd = (ulong)g.Open(_host + "/outside", 0);
        Assert.Equal(7, g.Call("read", fd, Buffer, 100));
        Assert.Equal(0, g.Call("stat", g.Put(_host + "/outside"), Buffer));
        Assert.Equal(0, g.Call("access", g.Put(_host + "/outside"), 4));
        Assert.Equal("nowhere".Length, g.Call("readlink", g.Put(_host + "/outside"), Buffer, 100));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void ProcIsListed(bool is32)
    {
        using var g = new TestGuest(is32, _root);
        var fd = (ulong)g.Open("/proc", OpenFlags.Directory);
        var names = new StringBuilder();
        for (long n; (n = g.Call("getdents64", fd, Buffer, 4096)) > 0;)
            names.Append(g.GetText(Buffer, (int)n));
        Assert.Contains($"\0{g.Process.Pid}\0", names.Replace("\u0004", "\0").Replace("\b", "\0").Replace("\n", "\0").ToString());
        Assert.Contains("meminfo", names.ToString());
        Assert.DoesNotContain("kcore", names.ToString());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Directory.Delete(_root, true);
        Directory.Delete(_host, true);
    }
}
