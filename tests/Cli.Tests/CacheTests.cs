using System.Diagnostics;
using DynaTrans.Caching;
using DynaTrans.Cli.Tests.Tools;
using DynaTrans.IlBackend.Precompiled;
using Xunit.Abstractions;

namespace DynaTrans.Cli.Tests;

/// <summary>The translation cache as users have it: runs, builds, and everything that may happen to its files.</summary>
public sealed class CacheTests(ITestOutputHelper output) : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const int Seed = 4711;

    // What is built, and when, is for the tests to say.
    static CacheTests() => Environment.SetEnvironmentVariable("DYNATRANS_CACHE_BUILD", "off");

    private readonly string _root = Directory.CreateTempSubdirectory("dynatrans-cache-").FullName;

    private string Cache => Path.Combine(_root, "cache");

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_root, recursive: true);

    [SkippableFact]
    public void ALaterRunTakesItsCodeFromTheCache()
    {
        var program = Compile();
        var first = Run(program);
        Assert.Empty(Files(CacheDirectory.ImageExtension));
        Build();
        var second = Cli.Run("run", "--cache", Cache, "--stats", program);
        Assert.Equal(first.Output, second.Output);
        Assert.Contains("from the cache", second.Error);
        Assert.Contains("compiled", Cli.Run("cache", "list", "--cache", Cache).Output);
        Assert.Contains(" 0 problems", Cli.Run("cache", "verify", "--cache", Cache).Output);
        Assert.Contains("1 programs removed", Cli.Run("cache", "clear", "--cache", Cache).Output);
        Assert.Equal(first.Output, Run(program).Output);
    }

    [SkippableFact]
    public void AChangedProgramHasNothingOfTheOldOne()
    {
        var program = Compile();
        Run(program);
        Build();
        Compile("-DFACTOR=7");
        var changed = Cli.Run("run", "--cache", Cache, "--stats", program);
        Assert.Equal(Cli.Run("run", "--cache", "off", program).Output, changed.Output);
        Assert.DoesNotContain("from the cache", changed.Error);
    }

    // An image under another program's key: what is used is compared with the guest's bytes, whatever the key says.
    [SkippableFact]
    public void AnImageOfAnotherProgramDoesNoHarm()
    {
        var program = Compile();
        Run(program);
        Build();
        var old = Assert.Single(Files(CacheDirectory.ImageExtension));
        Compile("-DFACTOR=7");
        Run(program);
        var record = Files(CacheDirectory.RecordExtension).Single(file => Path.ChangeExtension(file, CacheDirectory.ImageExtension) != old);
        Move(old, Path.ChangeExtension(record, CacheDirectory.ImageExtension));
        Assert.Equal(Cli.Run("run", "--cache", "off", program).Output, Run(program).Output);
    }

    // Another build of DynaTrans or of the framework, or another processor, has another directory.
    [SkippableFact]
    public void WhatAnotherBuildHasLeftIsNotLookedAt()
    {
        var program = Compile();
        Run(program);
        Build();
        Directory.Move(BuildPath, Path.Combine(Cache, "0123456789abcdef"));
        Assert.DoesNotContain("from the cache", Cli.Run("run", "--cache", Cache, "--stats", program).Error);
    }

    [SkippableTheory]
    [InlineData(CacheDirectory.ImageExtension)]
    [InlineData(CacheDirectory.AssemblyExtension)]
    [InlineData(CacheDirectory.RecordExtension)]
    public void ADamagedFileIsIgnoredAndReplaced(string extension)
    {
        var program = Compile();
        var expected = Run(program).Output;
        Build();
        var file = Assert.Single(Files(extension));
        var good = File.ReadAllBytes(file);
        var random = new Random(Seed);
        output.WriteLine($"seed {Seed}");
        for (var round = 0; round < 4; round++)
        {
            var bytes = (byte[])good.Clone();
            if (round == 0)
                bytes = bytes[..random.Next(bytes.Length)];
            else
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(file, bytes);
            Assert.Contains(" 1 problems", Cli.Run("cache", "verify", "--cache", Cache).Output);
            var result = Run(program);
            Assert.Equal(expected, result.Output);
            Assert.Equal(extension == CacheDirectory.RecordExtension ? 0 : 1, result.Error.Count(c => c == '\n'));
        }

        if (extension == CacheDirectory.RecordExtension)
            File.Delete(file);
        foreach (var image in Files(CacheDirectory.ImageExtension))
            File.Delete(image);
        Run(program);
        Build();
        Assert.Contains(" 0 problems", Cli.Run("cache", "verify", "--cache", Cache).Output);
    }

    [SkippableFact]
    public void FilesThatOthersMayWriteAreRefusedWithALine()
    {
        var program = Compile();
        var expected = Run(program).Output;
        Build();
        var assembly = Assert.Single(Files(CacheDirectory.AssemblyExtension));
        File.SetUnixFileMode(assembly, Private | UnixFileMode.OtherWrite);
        var result = Run(program);
        Assert.Equal(expected, result.Output);
        Assert.Contains("has mode 0602", result.Error);
        File.SetUnixFileMode(Cache, Private | UnixFileMode.UserExecute | UnixFileMode.GroupRead);
        Cli.AssertFails(125, "has mode 0740", Cli.Run("run", "--cache", Cache, program));
    }

    [SkippableFact]
    public void TwoBuildAndUseOneDirectoryAtATime()
    {
        var program = Compile();
        var expected = Run(program).Output;
        var tasks = new List<Task<Cli.Result>>();
        for (var i = 0; i < 2; i++)
        {
            tasks.Add(Task.Run(() => Cli.Run("cache", "build", "--cache", Cache)));
            tasks.Add(Task.Run(() => Cli.Run("run", "--cache", Cache, program)));
        }

        Task.WaitAll([.. tasks]);
        for (var i = 0; i < tasks.Count; i++)
        {
            Assert.Equal((0, ""), (tasks[i].Result.Status, tasks[i].Result.Error));
            if (i % 2 == 1)
                Assert.Equal(expected, tasks[i].Result.Output);
        }

        Assert.Single(Files(CacheDirectory.AssemblyExtension));
        Assert.Contains(" 0 problems", Cli.Run("cache", "verify", "--cache", Cache).Output);
    }

    [SkippableFact]
    public void ABuildThatIsKilledLeavesNothingThatIsUsed()
    {
        var program = Compile();
        var expected = Run(program).Output;
        foreach (var delay in (int[])[150, 400, 800])
        {
            var info = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
            foreach (var argument in (string[])[ShippedCommand.Library, "cache", "build", "--cache", Cache])
                info.ArgumentList.Add(argument);
            using var build = Process.Start(info)!;
            Thread.Sleep(delay);
            build.Kill(entireProcessTree: true);
            build.WaitForExit();
            var result = Run(program);
            Assert.Equal((expected, ""), (result.Output, result.Error));
        }

        Build();
        Assert.Contains(" 0 problems", Cli.Run("cache", "verify", "--cache", Cache).Output);
    }

    [SkippableFact]
    public void AGuestThatMakesCodeIsRightFromTheCache()
    {
        var program = Compile("-DMAKES_CODE");
        var expected = Run(program).Output;
        Build();
        for (var i = 0; i < 2; i++)
            Assert.Equal(expected, Run(program).Output);
    }

    [Fact]
    public void WithoutHomeOrWithOffThereIsNone() =>
        Cli.AssertFails(125, "cache: turned off", Cli.Run("cache", "list", "--cache", "off"));

    private string BuildPath => Assert.Single(Directory.GetDirectories(Cache));

    private string[] Files(string extension) => Directory.GetFiles(BuildPath, "*" + extension);

    private static void Move(string from, string to) => File.Move(from, to, overwrite: true);

    private Cli.Result Run(string program)
    {
        var result = Cli.Run("run", "--cache", Cache, program);
        Assert.Equal(0, result.Status);
        return result;
    }

    private void Build()
    {
        var result = Cli.Run("cache", "build", "--cache", Cache);
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.Single(Files(CacheDirectory.ImageExtension));
    }

    // A program of enough code to be recorded: what it prints depends on all of it.
    private string Compile(params string[] options)
    {
        Skip.If(Crossgen2.Find() == null, Crossgen2.HowToGet);
        Skip.IfNot(Command.Exist("gcc"), "gcc is missing");
        var source = Path.Combine(_root, "program.c");
        using (var writer = new StreamWriter(source))
        {
            writer.WriteLine("#include <stdio.h>\n#include <string.h>\n#include <sys/mman.h>\n#ifndef FACTOR\n#define FACTOR 3\n#endif");
            for (var i = 0; i < 200; i++)
                writer.WriteLine($"__attribute__((noinline)) unsigned f{i}(unsigned x) {{ if (x % {i + 2} == 0) return x * FACTOR + {i}; x ^= x << {i % 13 + 1}; x += {i * 7919}u; return x ^ (x >> {i % 11 + 3}); }}");
            writer.WriteLine("""
                static unsigned made(void) {
                #ifdef MAKES_CODE
                    unsigned char *p = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                    unsigned sum = 0;
                    for (unsigned i = 0; i < 3000; i++) {
                        unsigned char code[] = { 0xB8, i & 255, i >> 8, 0, 0, 0xC3 };
                        memcpy(p, code, sizeof code);
                        sum = sum * 31 + ((unsigned (*)(void))p)();
                    }
                    return sum;
                #else
                    return 0;
                #endif
                }
                """);
            writer.WriteLine("int main(void) { unsigned x = 1; for (int i = 0; i < 300; i++) {");
            for (var i = 0; i < 200; i++)
                writer.WriteLine($"x = f{i}(x);");
            writer.WriteLine("} printf(\"%u %u\\n\", x, made()); return 0; }");
        }

        var program = Path.Combine(_root, "program");
        var compiled = Command.Run(null, null, "gcc", ["-O1", "-w", "-o", program, source, .. options]);
        Skip.IfNot(compiled.Status == 0, $"gcc does not work: {compiled.Error}");
        return program;
    }
}
