namespace DynaTrans.Cli.Tests.Tools;

/// <summary><c>eng/fetch-guests</c> against a mirror in a folder, in a work tree of its own that holds nothing else.</summary>
public sealed class FetchGuestsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fetch-guests").FullName;
    private readonly DebianMirror _mirror;

    public FetchGuestsTests()
    {
        Skip.IfNot(Command.Exist("bash", "apt-get", "apt-cache", "dpkg-deb", "flock"), "apt is missing");
        _mirror = new DebianMirror(Path.Join(_folder, "mirror"));
        Directory.CreateDirectory(Path.Join(_folder, "tree/eng/guests"));
        Directory.CreateDirectory(Path.Join(_folder, "host/lists/partial"));
        File.Copy(Repository.At("eng", "fetch-guests"), Path.Join(_folder, "tree/eng/fetch-guests"));
        File.Copy(Repository.At("eng", "apt-packages"), Path.Join(_folder, "tree/eng/apt-packages"));
        WriteSet("base", "one");
        WriteSources("mirror");

        // The host has a version installed that no index knows.
        File.WriteAllText(Path.Join(_folder, "host/status"),
            "Package: one\nStatus: install ok installed\nArchitecture: i386\nVersion: 9\nMaintainer: Nobody <nobody@localhost>\nDescription: installed\n\n");
        File.WriteAllText(Path.Join(_folder, "apt.conf"),
            $"""
            Dir::Etc::sourcelist "{_folder}/sources.list";
            Dir::Etc::sourceparts "/dev/null";
            Dir::State::lists "{_folder}/host/lists";
            Dir::State::status "{_folder}/host/status";
            APT::Architecture "amd64";

            """);
        _mirror.Add("one", "1", "i386", "two");
        _mirror.Add("one", "2", "i386", "two (>= 1)");
        _mirror.Add("two", "1", "all");
    }

    private string Guests => Path.Join(_folder, "tree/.cache/guests");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableFact]
    public void TakesTheNewestVersionOfTheIndexAndWhatItDependsOn()
    {
        AssertComplete(Fetch(), "one 2");
        Assert.Equal("two 1\n", File.ReadAllText(Path.Join(Guests, "i386/usr/share/two")));
        var again = Fetch();
        Assert.Equal(0, again.Status);
        Assert.Contains("is complete", again.Output);
    }

    [SkippableFact]
    public void TheNextVersionServesWhenOneCannotBeDownloaded()
    {
        _mirror.Lose("one", "2", "i386");
        var result = Fetch();
        AssertComplete(result, "one 1");
        Assert.Contains("one 2 cannot be downloaded for i386; trying 1", result.Error);
    }

    [SkippableFact]
    public void AnIndexThatCannotBeHadIsPassedOver()
    {
        WriteSources("nowhere", "mirror");
        AssertComplete(Fetch(), "one 2");
    }

    [SkippableFact]
    public void WhatIsMissingIsNamedAndTheOldTreeStays()
    {
        AssertComplete(Fetch(), "one 2");
        Directory.Delete(Path.Join(Guests, "packages"), recursive: true);
        _mirror.Lose("one", "1", "i386");
        _mirror.Lose("one", "2", "i386");
        var result = Fetch("--force");
        Assert.Equal(1, result.Status);
        Assert.Contains("is left as it was: cannot be downloaded for i386 in any version: one=2", result.Error);
        AssertTree("one 2");

        WriteSet("base", "one three");
        result = Fetch();
        Assert.Equal(1, result.Status);
        Assert.Contains("no index that could be read has for i386: three", result.Error);
        AssertTree("one 2");
    }

    [SkippableFact]
    public void WithoutAMirrorThePackagesThatWereFetchedBeforeServe()
    {
        AssertComplete(Fetch(), "one 2");
        _mirror.Add("one", "3", "i386");
        _mirror.Lose("one", "3", "i386");
        _mirror.Lose("one", "1", "i386");
        _mirror.Lose("one", "2", "i386");
        AssertComplete(Fetch("--force"), "one 2");
    }

    [SkippableFact]
    public void ARunThatIsInterruptedLeavesTheOldTreeAndNothingElse()
    {
        AssertComplete(Fetch(), "one 2");
        _mirror.Add("one", "3", "i386", "two");
        Directory.Delete(Path.Join(Guests, "apt"), recursive: true);

        // The second package unpacked ends the script as ^C would.
        var fake = Path.Join(_folder, "bin", "dpkg-deb");
        Directory.CreateDirectory(Path.Join(_folder, "bin"));
        File.WriteAllText(fake, $"#!/bin/sh\n[ -e {_folder}/first ] && kill -TERM $PPID && sleep 1\ntouch {_folder}/first\nPATH=/usr/bin:/bin exec dpkg-deb \"$@\"\n");
        File.SetUnixFileMode(fake, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var result = Fetch("--force");
        Assert.NotEqual(0, result.Status);
        AssertTree("one 2");
        File.Delete(fake);
        AssertComplete(Fetch("--force"), "one 3");
    }

    [SkippableFact]
    public void SetsHaveRootsOfTheirOwnNamesForOneArchitectureAndLinks()
    {
        WriteSet("more", "# a comment", "two nothing:amd64 one:i386", "link /usr/bin/first ../share/one");
        var result = Fetch("--set", "more");
        Assert.True(result.Status == 0, result.Error);
        Assert.Equal("one 2\n", File.ReadAllText(Path.Join(Guests, "i386-more/usr/bin/first")));
        Assert.False(Directory.Exists(Path.Join(Guests, "i386")));
        Assert.Equal(2, Fetch("--set", "none").Status);
        Assert.Equal(2, Fetch("--what").Status);
    }

    [SkippableFact]
    public void DryRunSaysWhatWouldBeFetched()
    {
        var result = Fetch("--dry-run");
        Assert.Equal(0, result.Status);
        Assert.Contains("one 2 i386\n", result.Output);
        Assert.Contains("two 1 all\n", result.Output);
        Assert.False(Directory.Exists(Path.Join(Guests, "i386")));
    }

    private void WriteSet(string name, params string[] lines) => File.WriteAllLines(Path.Join(_folder, "tree/eng/guests", name), lines);

    private void WriteSources(params string[] folders) =>
        File.WriteAllLines(Path.Join(_folder, "sources.list"), folders.Select(folder => $"deb [trusted=yes] file:{_folder}/{folder} ./"));

    private Cli.Result Fetch(params string[] arguments)
    {
        var environment = new Dictionary<string, string>
        {
            ["PATH"] = Path.Join(_folder, "bin") + ":/usr/bin:/bin:/usr/sbin:/sbin",
            ["APT_CONFIG"] = Path.Join(_folder, "apt.conf"),
        };
        return Command.Run(environment, _folder, "bash", ["tree/eng/fetch-guests", "--arch", "i386", .. arguments]);
    }

    private void AssertComplete(Cli.Result result, string version)
    {
        Assert.True(result.Status == 0, $"status {result.Status}\n{result.Output}{result.Error}");
        AssertTree(version);
    }

    private void AssertTree(string version)
    {
        Assert.Equal(version + "\n", File.ReadAllText(Path.Join(Guests, "i386/usr/share/one")));
        Assert.True(File.Exists(Path.Join(Guests, "i386/.complete")));
        Assert.DoesNotContain(Directory.EnumerateDirectories(Guests), name => Path.GetFileName(name).StartsWith("new.") || name.EndsWith(".old"));
    }
}
