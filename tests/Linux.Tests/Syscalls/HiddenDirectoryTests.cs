using DynaTrans.Linux.Files;

namespace DynaTrans.Linux.Tests.Syscalls;

/// <summary>No guest reaches the hidden directory, by whatever spelling of its path and whatever call.</summary>
[Collection(nameof(HiddenDirectoryTests))]
[CollectionDefinition(nameof(HiddenDirectoryTests), DisableParallelization = true)]
public sealed class HiddenDirectoryTests
{
    private const int Here = -100, ReadOnly = 0, WriteOnly = 1, Create = 0x40, Truncate = 0x200, PathOnly = 0x200000, TemporaryFile = 0x410000;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly string s_above = Directory.CreateTempSubdirectory("above").FullName;
    private static readonly string s_hidden = MakeHidden();

    private static bool s_isHidden;

    private static string Secret => Path.Combine(s_hidden, "build", "secret");

    public static TheoryData<bool, string> Spellings()
    {
        var data = new TheoryData<bool, string>();
        foreach (var is32 in (bool[])[false, true])
        {
            foreach (var path in (string[])[
                s_hidden, s_hidden + "/", s_hidden + "/.", s_hidden + "/build", Secret, $"/{s_hidden}//build/../build/secret",
                $"{s_above}/link", $"{s_above}/link/build/secret", $"{s_above}/linktofile", "into", "into/build/secret",
                $"/proc/self/root{Secret}", $"/proc/self/cwd/into/build/secret", $"/proc/self/cwd/../..{Secret}",
                $"/proc/thread-self/root{s_hidden}/build"])
                data.Add(is32, path);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Spellings))]
    public void CannotBeOpened(bool is32, string path)
    {
        using var guest = Guest(is32);
        foreach (var flags in (int[])[ReadOnly, WriteOnly, PathOnly, WriteOnly | Create | Truncate, ReadOnly | Truncate])
            Assert.True(guest.Call("open", guest.Put(path), (uint)flags, 0x180) is -13 or -21, $"{path}, flags {flags:x}");
        Assert.Equal("code", File.ReadAllText(Secret));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NothingIsMadeMovedOrRemovedThere(bool is32)
    {
        using var guest = Guest(is32);
        var fresh = Path.Combine(s_hidden, "build", "fresh");
        var own = guest.Put("own");
        File.WriteAllText(Path.Combine(guest.Directory, "own"), "mine");
        Assert.Equal(-13, guest.Call("open", guest.Put(fresh), WriteOnly | Create, 0x180));
        Assert.Equal(-13, guest.Call("open", guest.Put("into/build/fresh"), WriteOnly | Create, 0x180));
        Assert.Equal(-13, guest.Call("open", guest.Put(s_hidden), WriteOnly | TemporaryFile, 0x180));
        Assert.Equal(-13, guest.Call("mkdir", guest.Put(fresh), 0x1C0));
        Assert.Equal(-13, guest.Call("symlink", own, guest.Put(fresh)));
        Assert.Equal(-13, guest.Call("link", own, guest.Put(fresh)));
        Assert.Equal(-13, guest.Call("link", guest.Put(Secret), guest.Put("stolen")));
        Assert.Equal(-13, guest.Call("rename", own, guest.Put(fresh)));
        Assert.Equal(-13, guest.Call("rename", guest.Put(Secret), guest.Put("stolen")));
        Assert.Equal(-13, guest.Call("unlink", guest.Put(Secret)));
        Assert.Equal(-13, guest.Call("unlink", guest.Put("into/build/secret")));
        Assert.Equal(-13, guest.Call("truncate", guest.Put(Secret), 0));
        Assert.Equal(-13, guest.Call("chmod", guest.Put(Secret), 0x1FF));
        Assert.Equal(-13, guest.Call("chdir", guest.Put(s_hidden)));
        Assert.Equal(["secret"], Directory.GetFiles(Path.Combine(s_hidden, "build")).Select(Path.GetFileName));
        Assert.Equal(Private, File.GetUnixFileMode(Secret));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnotherCannotTakeItsPlace(bool is32)
    {
        using var guest = Guest(is32);
        Assert.Equal(-16, guest.Call("rename", guest.Put(s_hidden), guest.Put(s_above + "/elsewhere")));
        Assert.Equal(-16, guest.Call("rename", guest.Put(s_above), guest.Put(s_above + "2")));
        Assert.Equal(-16, guest.Call("renameat2", unchecked((ulong)Here), guest.Put(guest.Directory), unchecked((ulong)Here), guest.Put(s_hidden), 2));
        Assert.True(File.Exists(Secret));
    }

    // A compiler that works in it may leave files that others could read, were it not for the directory.
    [Fact]
    public void FilesOfAnyModeAreHidden()
    {
        using var guest = Guest(false);
        var file = Path.Combine(s_hidden, "build", "open");
        File.WriteAllText(file, "code");
        File.SetUnixFileMode(file, (UnixFileMode)0x1B6);
        Assert.Equal(-13, guest.Call("open", guest.Put(file), 2, 0));
        Assert.Equal(-13, guest.Call("open", guest.Put($"/proc/self/root{file}"), ReadOnly, 0));
        File.Delete(file);
    }

    [Fact]
    public void OtherPrivateFilesAreOpenedAsEver()
    {
        using var guest = Guest(false);
        var file = Path.Combine(guest.Directory, "private");
        File.WriteAllText(file, "mine");
        File.SetUnixFileMode(file, Private);
        Assert.True(guest.Call("open", guest.Put("private"), ReadOnly, 0) >= 0);
        Assert.True(guest.Call("open", guest.Put(s_hidden + "-not"), WriteOnly | Create, 0x180) >= 0);
    }

    private static TestGuest Guest(bool is32)
    {
        if (!s_isHidden)
            HiddenDirectory.Hide(s_hidden);
        s_isHidden = true;
        var guest = new TestGuest(is32);
        File.CreateSymbolicLink(Path.Combine(guest.Directory, "into"), s_hidden);
        return guest;
    }

    private static string MakeHidden()
    {
        const UnixFileMode Mode = Private | UnixFileMode.UserExecute;
        var hidden = Path.Combine(s_above, "hidden");
        Directory.CreateDirectory(hidden, Mode);
        Directory.CreateDirectory(Path.Combine(hidden, "build"), Mode);
        File.WriteAllText(Path.Combine(hidden, "build", "secret"), "code");
        File.SetUnixFileMode(Path.Combine(hidden, "build", "secret"), Private);
        File.CreateSymbolicLink(Path.Combine(s_above, "link"), hidden);
        File.CreateSymbolicLink(Path.Combine(s_above, "linktofile"), Path.Combine(hidden, "build", "secret"));
        return hidden;
    }
}
