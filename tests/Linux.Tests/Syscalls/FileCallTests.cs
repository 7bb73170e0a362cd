using System.Text;
using DynaTrans.Linux.Files;
using static DynaTrans.Linux.Errno;

namespace DynaTrans.Linux.Tests.Syscalls;

public class FileCallTests
{
    private const ulong Buffer = TestGuest.Buffer;
    private const int ReadWriteCreate = OpenFlags.ReadWrite | OpenFlags.Create;

    [Theory, InlineData(true), InlineData(false)]
    public void WritesSeeksAndReads(bool is32)
    {
        using var g = new TestGuest(is32);
        var fd = (ulong)g.Open("file", ReadWriteCreate);
        Assert.Equal(0UL, fd);
        Assert.Equal(11, g.Call("write", fd, g.Put("hello world"), 11));
        Assert.Equal(6, g.Call("lseek", fd, 6, 0));
        Assert.Equal(5, g.Call("read", fd, Buffer, 100));
        Assert.Equal("world", g.GetText(Buffer, 5));
        Assert.Equal(0, g.Call("read", fd, Buffer, 100));
        Assert.Equal(3, g.Call("pread64", fd, Buffer, 3, 2, 0));
        Assert.Equal("llo", g.GetText(Buffer, 3));
        Assert.Equal(0, g.Call("close", fd));
        Assert.Equal(-EBADF, g.Call("close", fd));
        Assert.Equal(-EBADF, g.Call("read", fd, Buffer, 1));
        Assert.Equal("hello world", File.ReadAllText(Path.Combine(g.Directory, "file")));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void ChecksPointers(bool is32)
    {
        using var g = new TestGuest(is32);
        var fd = (ulong)g.Open("file", ReadWriteCreate);
        Assert.Equal(10, g.Call("write", fd, Buffer, 10));
        Assert.Equal(0, g.Call("lseek", fd, 0, 0));
        Assert.Equal(-EFAULT, g.Call("read", fd, TestGuest.BadAddress, 10));
        Assert.Equal(-EFAULT, g.Call("write", fd, TestGuest.BadAddress, 10));
        Assert.Equal(-EFAULT, g.Call("open", TestGuest.BadAddress, 0, 0));
        Assert.Equal(-EFAULT, g.Call("fstat", fd, TestGuest.BadAddress));
        Assert.Equal(-EFAULT, g.Call("pipe", TestGuest.BadAddress));
        Assert.Equal(-EFAULT, g.Call("readv", fd, TestGuest.BadAddress, 1));

        // The last three bytes before a hole: a partial read.
        Assert.Equal(3, g.Call("read", fd, 0x50000 - 3, 10));
        Assert.Equal(-ENAMETOOLONG, g.Call("open", LongString(g), 0, 0));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void VectorsAreBounded(bool is32)
    {
        using var g = new TestGuest(is32);
        var fd = (ulong)g.Open("file", ReadWriteCreate);
        var a = g.Put("abc");
        var b = g.Put("defg");
        Assert.Equal(7, g.Call("writev", fd, g.PutLongs(a, 3, b, 4), 2));
        Assert.Equal(-EINVAL, g.Call("writev", fd, g.PutLongs(a, 3), 1025));
        Assert.Equal(-EFAULT, g.Call("writev", fd, g.PutLongs(TestGuest.BadAddress, 3), 1));
        Assert.Equal(-EINVAL, g.Call("writev", fd, g.PutLongs(a, is32 ? 0x80000000 : 0x8000000000000000), 1));
        Assert.Equal(3, g.Call("writev", fd, g.PutLongs(a, 3, TestGuest.BadAddress, 4), 2));
        Assert.Equal(4, g.Call("preadv", fd, g.PutLongs(Buffer, 2, Buffer + 100, 2), 2, 1, 0));
        Assert.Equal("bc", g.GetText(Buffer, 2));
        Assert.Equal("de", g.GetText(Buffer + 100, 2));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void LargeOffsets(bool is32)
    {
        using var g = new TestGuest(is32);
        var fd = (ulong)g.Open("file", ReadWriteCreate | OpenFlags.LargeFile);
        if (is32)
        {
            Assert.Equal(0, g.Call("ftruncate64", fd, 5, 2));
            Assert.Equal(0, g.Call("_llseek", fd, 2, 1, Buffer, 0));
            Assert.Equal(0x2_0000_0001, BitConverter.ToInt64(g.Get(Buffer, 8)));
            Assert.Equal(-EOVERFLOW, g.Call("lseek", fd, 0, 1));
            Assert.Equal(-EOVERFLOW, g.Call("fstat", fd, Buffer));
            Assert.Equal(0, g.Call("fstat64", fd, Buffer));
            Assert.Equal(0x2_0000_0005, BitConverter.ToInt64(g.Get(Buffer + 44, 8)));
            Assert.Equal(1, g.Call("pwrite64", fd, g.Put("x"), 1, 0, 1));
            Assert.Equal(-EOVERFLOW, g.Open("file", 0));
        }
        else
        {
            Assert.Equal(0, g.Call("ftruncate", fd, 0x2_0000_0005));
            Assert.Equal(0x2_0000_0001, g.Call("lseek", fd, 0x2_0000_0001, 0));
            Assert.Equal(0, g.Call("fstat", fd, Buffer));
            Assert.Equal(0x2_0000_0005, BitConverter.ToInt64(g.Get(Buffer + 48, 8)));
        }
    }

    [Theory, InlineData(true), InlineData(false)]
    public void ModesObeyTheGuestsMask(bool is32)
    {
        using var g = new TestGuest(is32);
        Assert.Equal(0x12, g.Call("umask", 0x17));
        g.Open("file", ReadWriteCreate, 0x1FF);
        Assert.Equal(0, g.Call("mkdir", g.Put("dir"), 0x1FF));
        Assert.Equal(0x1E8, (int)File.GetUnixFileMode(Path.Combine(g.Directory, "file")));
        Assert.Equal(0x1E8, (int)File.GetUnixFileMode(Path.Combine(g.Directory, "dir")));
        Assert.Equal(0, g.Call("chmod", g.Put("file"), 0x1A4));
        Assert.Equal(0x1A4, (int)File.GetUnixFileMode(Path.Combine(g.Directory, "file")));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void NamesAndLinks(bool is32)
    {
        using var g = new TestGuest(is32);
        g.Open("a", ReadWriteCreate);
        Assert.Equal(0, g.Call("rename", g.Put("a"), g.Put("b")));
        Assert.Equal(-ENOENT, g.Call("rename", g.Put("a"), g.Put("b")));
        Assert.Equal(0, g.Call("symlink", g.Put("b"), g.Put("link")));
        Assert.Equal(1, g.Call("readlink", g.Put("link"), Buffer, 100));
        Assert.Equal("b", g.GetText(Buffer, 1));
        Assert.Equal(-EINVAL, g.Call("readlink", g.Put("b"), Buffer, 100));
        Assert.Equal(0, g.Call("link", g.Put("b"), g.Put("c")));
        Assert.Equal(-EEXIST, g.Call("link", g.Put("b"), g.Put("c")));
        Assert.Equal(0, g.Call("mkdir", g.Put("d"), 0x1FF));
        Assert.Equal(-ENOTEMPTY, ((Func<long>)(() =>
        {
            g.Open("d/x", ReadWriteCreate);
            return g.Call("rmdir", g.Put("d"));
        }))());
        Assert.Equal(0, g.Call("chdir", g.Put("d")));
        var length = (int)g.Call("getcwd", Buffer, 4096);
        Assert.Equal(g.Directory + "/d\0", g.GetText(Buffer, length));
        Assert.Equal(-ERANGE, g.Call("getcwd", Buffer, 3));
        Assert.Equal(0, g.Call("access", g.Put("../c"), 4));
        Assert.Equal(0, g.Call("unlink", g.Put("../c")));
        Assert.Equal(-ENOENT, g.Call("access", g.Put("../c"), 4));
        Assert.Equal(-EPERM, g.Call("chroot", g.Put(".")));
    }

    [Theory, InlineData(true, "getdents"), InlineData(true, "getdents64"), InlineData(false, "getdents"), InlineData(false, "getdents64")]
    public void DirectoryEntries(bool is32, string call)
    {
        using var g = new TestGuest(is32);
        var expected = new SortedSet<string>(StringComparer.Ordinal) { ".", ".." };
        for (var i = 0; i < 100; i++)
        {
            expected.Add($"name{i}");
            File.WriteAllText(Path.Combine(g.Directory, $"name{i}"), string.Empty);
        }

        var fd = (ulong)g.Open(".", OpenFlags.Directory);
        var (names, offsets) = ReadAll(g, call, fd);
        Assert.Equal(expected, new SortedSet<string>(names, StringComparer.Ordinal));
        Assert.Equal(expected.Count, names.Count);

        // A seek to the position behind the tenth entry gives the rest again.
        if (is32 || call == "getdents64")
        {
            Assert.Equal(offsets[9], g.Call("lseek", fd, (ulong)offsets[9], 0));
            Assert.Equal(names.Skip(10), ReadAll(g, call, fd).Names);
        }

        Assert.Equal(-ENOTDIR, g.Call(call, (ulong)g.Open("name0", 0), Buffer, 1000));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void DuplicatesAndFlags(bool is32)
    {
        using var g = new TestGuest(is32);
        var fd = (ulong)g.Open("file", ReadWriteCreate | OpenFlags.CloseOnExec);
        Assert.Equal(1, g.Call("fcntl", fd, 1));
        Assert.Equal(1, g.Call("dup", fd));
        Assert.Equal(0, g.Call("fcntl", 1, 1));
        Assert.Equal(7, g.Call("dup2", fd, 7));
        Assert.Equal(-EINVAL, g.Call("dup3", fd, fd, 0));
        Assert.Equal(20, g.Call("fcntl", fd, 1030, 20));
        Assert.Equal(1, g.Call("fcntl", 20, 1));
        Assert.Equal(-EBADF, g.Call("dup2", fd, 1 << 20));
        Assert.Equal(4, g.Call("write", 7, g.Put("four"), 4));
        Assert.Equal(4, g.Call("lseek", 20, 0, 1));
        Assert.Equal(0, g.Call("fcntl", 7, 4, OpenFlags.Append | OpenFlags.NonBlocking));
        Assert.Equal(OpenFlags.Append | OpenFlags.NonBlocking | 2, g.Call("fcntl", fd, 3) & 0xfff);
        Assert.Equal(0, g.Call("close_range", 1, 30, 0));
        Assert.Equal([0], g.Process.Files.Numbers());
    }

    [Theory, InlineData(true), InlineData(false)]
    public void RecordLocksBetweenProcesses(bool is32)
    {
        using var g = new TestGuest(is32);
        using var other = new TestGuest(is32, null, g.Directory, g.Kernel);
        var fd = (ulong)g.Open("file", ReadWriteCreate);
        var otherFd = (ulong)other.Open("file", OpenFlags.ReadWrite);
        Assert.Equal(0, g.Call("fcntl", fd, 6, g.Put(Flock(is32, 1, 0, 10))));
        Assert.Equal(-EAGAIN, other.Call("fcntl", otherFd, 6, other.Put(Flock(is32, 1, 5, 10))));
        Assert.Equal(0, other.Call("fcntl", otherFd, 6, other.Put(Flock(is32, 1, 10, 10))));
        var query = other.Put(Flock(is32, 1, 5, 1));
        Assert.Equal(0, other.Call("fcntl", otherFd, 5, query));
        Assert.Equal(1, BitConverter.ToInt16(other.Get(query, 2)));
        Assert.Equal(g.Process.Pid, other.GetInt(query + (is32 ? 12UL : 24UL)));

        // Any close of the file by the owner ends its locks.
        Assert.Equal(0, g.Call("close", (ulong)g.Open("file", 0)));
        Assert.Equal(0, other.Call("fcntl", otherFd, 6, other.Put(Flock(is32, 1, 5, 5))));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void OwnProcFiles(bool is32)
    {
        using var g = new TestGuest(is32);
        var fd = (ulong)g.Open("/proc/self/cmdline", 0);
        var length = (int)g.Call("read", fd, Buffer, 1000);
        Assert.Equal("test\0argument\0", g.GetText(Buffer, length));
        length = (int)g.Call("readlink", g.Put("/proc/self/exe"), Buffer, 1000);
        Assert.Equal("/bin/test", g.GetText(Buffer, length));
        length = (int)g.Call("readlink", g.Put($"/proc/{g.Process.Pid}/cwd"), Buffer, 1000);
        Assert.Equal(g.Directory, g.GetText(Buffer, length));
        g.Open("file", ReadWriteCreate);
        length = (int)g.Call("readlink", g.Put("/proc/self/fd/1"), Buffer, 1000);
        Assert.Equal(g.Directory + "/file", g.GetText(Buffer, length));
        fd = (ulong)g.Open("/proc/self/fd", OpenFlags.Directory);
        Assert.Equal([".", "..", "0", "1", "2"], ReadAll(g, "getdents64", fd).Names);
        Assert.True(g.Open("/proc/self/mem", OpenFlags.ReadWrite) >= 0);
        fd = (ulong)g.Open("/dev/fd/1", 0);
        Assert.Equal(0, g.Call("read", fd, Buffer, 10));
        fd = (ulong)g.Open("/proc/self/status", 0);
        length = (int)g.Call("read", fd, Buffer, 2000);
        Assert.Contains($"Pid:\t{g.Process.Pid}\n", g.GetText(Buffer, length), StringComparison.Ordinal);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void RootPrefix(bool is32)
    {
        var root = Directory.CreateTempSubdirectory("root").FullName;
        try
        {
            Directory.CreateDirectory(root + "/etc");
            Directory.CreateDirectory(root + "/usr/bin");
            File.WriteAllText(root + "/etc/inside", "inside");
            File.CreateSymbolicLink(root + "/usr/bin/absolute", "/etc/inside");
            using var g = new TestGuest(is32, root);
            foreach (var path in new[] { "/etc/inside", "/usr/bin/absolute" })
            {
                Assert.Equal(6, g.Call("read", (ulong)g.Open(path, 0), Buffer, 100));
                Assert.Equal("inside", g.GetText(Buffer, 6));
            }

            Assert.True(g.Open("/proc/sys/kernel/ostype", 0) >= 0);
            Assert.Equal(0, g.Call("chdir", g.Put("/usr/bin")));
            Assert.Equal(9, g.Call("getcwd", Buffer, 100));
            Assert.Equal("/usr/bin\0", g.GetText(Buffer, 9));
            Assert.Equal(11, g.Call("readlink", g.Put("/usr/bin/absolute"), Buffer, 100));
        }
        finally
        {
            Directory.Delete(root, true);
        }
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Times(bool is32)
    {
        using var g = new TestGuest(is32);
        g.Open("file", ReadWriteCreate);
        Assert.Equal(0, g.Call("utimensat", unchecked((ulong)-100), g.Put("file"), g.PutLongs(1000, 5, 2000, 7), 0));
        var path = Path.Combine(g.Directory, "file");
        Assert.Equal(2000, new DateTimeOffset(File.GetLastWriteTimeUtc(path)).ToUnixTimeSeconds());
        Assert.Equal(-EINVAL, g.Call("utimensat", unchecked((ulong)-100), g.Put("file"), g.PutLongs(1000, 2_000_000_000, 2000, 7), 0));
        Assert.Equal(0, g.Call("utimes", g.Put("file"), g.PutLongs(1, 0, 3000, 0)));
        Assert.Equal(3000, new DateTimeOffset(File.GetLastWriteTimeUtc(path)).ToUnixTimeSeconds());
    }

    private static ulong LongString(TestGuest g)
    {
        g.Space.Write(Buffer, Encoding.Latin1.GetBytes(new string('a', 5000)));
        return Buffer;
    }

    private static byte[] Flock(bool is32, short type, int start, int length)
    {
        var bytes = new byte[is32 ? 16 : 32];
        BitConverter.TryWriteBytes(bytes, type);
        BitConverter.TryWriteBytes(bytes.AsSpan(is32 ? 4 : 8), start);
        BitConverter.TryWriteBytes(bytes.AsSpan(is32 ? 8 : 16), length);
        return bytes;
    }

    private static (List<string> Names, List<long> Offsets) ReadAll(TestGuest g, string call, ulong fd)
    {
        var names = new List<string>();
        var offsets = new List<long>();
        while (true)
        {
            var length = (int)g.Call(call, fd, Buffer, 512);
            Assert.True(length >= 0, $"{call}: {length}");
            if (length == 0)
                return (names, offsets);
            var bytes = g.Get(Buffer, length);
            var (offsetAt, sizeAt, nameAt) = call == "getdents64" ? (8, 16, 19) : g.Is32 ? (4, 8, 10) : (8, 16, 18);
            for (var at = 0; at < length;)
            {
                offsets.Add(call == "getdents64" || !g.Is32 ? BitConverter.ToInt64(bytes, at + offsetAt) : BitConverter.ToInt32(bytes, at + offsetAt));
                var end = Array.IndexOf(bytes, (byte)0, at + nameAt);
                names.Add(Encoding.Latin1.GetString(bytes, at + nameAt, end - at - nameAt));
                at += BitConverter.ToUInt16(bytes, at + sizeAt);
            }
        }
    }
}
