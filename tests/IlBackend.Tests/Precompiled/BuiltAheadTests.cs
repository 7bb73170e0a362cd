using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Precompiled;
using DynaTrans.IlBackend.Regions;
using Iced.Intel;
using Xunit.Abstractions;
using static Iced.Intel.AssemblerRegisters;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.IlBackend.Tests.Precompiled;

/// <summary>What was recorded in one run is compiled ahead of time and executed in another one, with the same result, and without RyuJIT.</summary>
public sealed unsafe class BuiltAheadTests(ITestOutputHelper output) : IDisposable
{
    private const int Programs = 40, MaxProgram = 0x1000, MaxWeight = PrecompileOptions.DefaultMaxWeight;
    private const ulong Space = 0x100000;

    private static int s_last;

    private readonly string _directory = Directory.CreateTempSubdirectory("dynatrans-ahead-").FullName;

    [SkippableTheory]
    [InlineData(true, MaxWeight)]
    [InlineData(false, MaxWeight)]
    [InlineData(true, 400)]
    public void RandomProgramsEndAsInterpreted(bool is64, int maxWeight)
    {
        var seed = Environment.GetEnvironmentVariable("DYNATRANS_SEED") is { } text ? int.Parse(text, System.Globalization.CultureInfo.InvariantCulture) : 1;
        output.WriteLine($"seed {seed}");
        var recorder = new CodeRecorder();
        byte[][] recorded, expected = [], actual;
        using (var m = NewMachine(Engine.Warm, is64, seed, recorder: recorder))
            recorded = RunAll(m, seed);

        // Twice: these assemblies are not precompiled, and what RyuJIT compiles in the middle of the first run leaves its flags in MXCSR.
        for (var i = 0; i < 2; i++)
            using (var m = NewMachine(Engine.Interpreter, is64, seed))
                expected = RunAll(m, seed);
        var code = Build(Assert.Single(recorder.ToRecords()), maxWeight);
        using (var m = NewMachine(Engine.Warm, is64, seed, code))
        {
            actual = RunAll(m, seed);
            Assert.True(m.Translator!.Statistics.PrecompiledRegions >= Programs, code.Failure);

            // The interpreter, where it has made a slow access, may go on inside a region, and long enough.
            Assert.True(m.Translator.Statistics.Regions < Programs / 4, $"{m.Translator.Statistics.Regions} regions");
        }

        for (var i = 0; i < Programs; i++)
        {
            AssertSame(expected[i], recorded[i], $"seed {seed}, program {i}: compiled at run time");
            AssertSame(expected[i], actual[i], $"seed {seed}, program {i}: compiled ahead");
        }
    }

    private static void AssertSame(byte[] expected, byte[] actual, string where)
    {
        var same = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(same == expected.Length, same == expected.Length ? where : $"{where}: {expected[same]:x2} expected, not {actual[same]:x2}, at {same:x}");
    }

    // More than RyuJIT would optimise at run time.
    [SkippableFact]
    public void ALargeFunctionIsOneRegionAndFinal()
    {
        var recorder = new CodeRecorder();
        ulong expected;
        using (var m = new BareMachine(Engine.Warm, recorder: recorder))
            expected = RunLarge(m);
        var record = Assert.Single(recorder.ToRecords());
        var code = Build(record, 400_000, out var image);
        var region = Assert.Single(image.Regions, region => region.Entries.Any(entry => entry.Start == BareMachine.Code));
        var blocks = record.Blocks.Count(block => region.Ranges.Any(range => block.Linear >= range.Linear && block.Linear < range.Linear + (ulong)range.Bytes.Length));
        Assert.True(blocks > 1900, $"{blocks} blocks");
        using (var m = new BareMachine(Engine.Warm, precompiled: code))
        {
            Assert.Equal(expected, RunLarge(m));
            Assert.Equal(0, m.Translator!.Statistics.Regions);
        }
    }

    [SkippableFact]
    public void TheRuntimeCompilesNothingAgain()
    {
        var recorder = new CodeRecorder();
        using (var m = new BareMachine(Engine.Warm, recorder: recorder))
            RunLarge(m);
        Build(Assert.Single(recorder.ToRecords()), 1000, out var image);
        var module = new AssemblyLoadContext("again").LoadFromAssemblyPath(Path.Combine(_directory, image.Assembly)).ManifestModule.ModuleHandle;
        var before = 0L;
        for (var round = 0; round < 2; round++)
        {
            // What the first round needs of the framework may be compiled; in the second it is there.
            before = JitInfo.GetCompiledMethodCount(currentThread: true);
            for (var i = round; i < image.Regions.Count; i += 2)
            {
                var method = module.ResolveMethodHandle(image.Regions[i].Method);
                RuntimeHelpers.PrepareMethod(method);
                method.GetFunctionPointer();
            }
        }

        Assert.Equal(before, JitInfo.GetCompiledMethodCount(currentThread: true));
    }

    [SkippableFact]
    public void PagesWithSeveralVersionsAreDividedAmongThem()
    {
        var recorder = new CodeRecorder();
        using (var m = new BareMachine(Engine.Warm, recorder: recorder))
        {
            foreach (var addend in (byte[])[3, 9])
            {
                PrecompiledTests.Load(m, addend);
                m.State->Slots[Slot.Rip] = BareMachine.Code;
                Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
            }
        }

        var code = Build(Assert.Single(recorder.ToRecords()), MaxWeight);
        foreach (var addend in (byte[])[9, 3])
        {
            using var m = new BareMachine(Engine.Warm, precompiled: code);
            PrecompiledTests.Load(m, addend);
            m.State->Slots[Slot.Rip] = BareMachine.Code;
            Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
            Assert.Equal((500UL * addend) + (250UL * 0x100), m.State->Slots[Slot.Rax]);
            Assert.True(m.Translator!.Statistics.PrecompiledRegions > 0);
        }
    }

    [SkippableFact]
    public void AFailureOfTheCompilerLeavesNothing()
    {
        Compiler();
        var recorder = new CodeRecorder();
        using (var m = new BareMachine(Engine.Warm, recorder: recorder))
            RunLarge(m);
        var record = Assert.Single(recorder.ToRecords());
        var error = Assert.Throws<InvalidOperationException>(() => RegionPrecompiler.Build(record, _directory, "failed", new PrecompileOptions("/bin/false"), out _));
        Assert.DoesNotContain('\n', error.Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory));
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static string Compiler()
    {
        var compiler = Crossgen2.Find();
        Skip.If(compiler == null, Crossgen2.HowToGet);
        return compiler!;
    }

    private PrecompiledCode Build(CodeRecord record, int maxWeight) => Build(record, maxWeight, out _);

    private PrecompiledCode Build(CodeRecord record, int maxWeight, out PrecompiledImage image)
    {
        var name = $"Ahead{Interlocked.Increment(ref s_last)}";
        image = RegionPrecompiler.Build(record, _directory, name, new PrecompileOptions(Compiler(), MaxWeight: maxWeight), out var statistics)!;
        output.WriteLine($"{statistics}");
        Assert.Equal(0, statistics.Refused);
        Assert.Equal([image.Assembly], Directory.EnumerateFileSystemEntries(_directory).Select(Path.GetFileName));
        var file = Path.Combine(_directory, name + ".image");
        using (var stream = File.Create(file))
            PrecompiledImageFile.Write(stream, image);
        var code = PrecompiledCode.Open(file, out var reason);
        Assert.True(code != null, reason);
        return code!;
    }

    private static BareMachine NewMachine(Engine engine, bool is64, int seed, PrecompiledCode? code = null, CodeRecorder? recorder = null)
    {
        var m = new BareMachine(engine, is64, precompiled: code, recorder: recorder);
        m.Space.Map(Space, Programs * MaxProgram, Runtime.Memory.PagePermission.Read | Runtime.Memory.PagePermission.Write | Runtime.Memory.PagePermission.Execute);
        for (var i = 0; i < Programs; i++)
        {
            var a = new Assembler(is64 ? 64 : 32);
            RandomGuest.Assemble(a, new Random((seed * 1000) + i), 3 + (i % 8));
            m.Assemble(a, At(i));
        }

        return m;
    }

    private static ulong At(int program) => Space + ((ulong)program * MaxProgram);

    private static byte[][] RunAll(BareMachine m, int seed)
    {
        var results = new byte[Programs][];
        for (var i = 0; i < Programs; i++)
        {
            var data = new byte[RandomGuest.DataSize];
            new Random(seed + i).NextBytes(data.AsSpan(0, 0x2000));
            m.Space.Write(BareMachine.Data, data);
            m.State->Slots[Slot.Rip] = At(i);
            m.State->Slots[Slot.Rsp] = BareMachine.Stack - 0x100;
            var cause = m.Cpu.Run();
            Assert.True(cause == ExitCause.SoftwareInterrupt, $"seed {seed}, program {i}: {cause} at {m.State->Slots[Slot.Rip]:x}");
            m.Space.Read(BareMachine.Data, data);
            results[i] = data;
        }

        return results;
    }

    private static ulong RunLarge(BareMachine m)
    {
        const int Blocks = 1000;
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        a.mov(r12d, 40);
        a.mov(ebx, 1);
        a.Label(ref loop);
        for (var i = 0; i < Blocks; i++)
        {
            var over = a.CreateLabel();
            a.imul(ebx, ebx, 1103515245);
            a.add(ebx, i);
            a.test(ebx, 0x10000);
            a.jz(over);
            a.xor(eax, ebx);
            a.Label(ref over);
            a.add(rax, rbx);
        }

        a.dec(r12d);
        a.jnz(loop);
        a.int3();
        m.Assemble(a);
        m.State->Slots[Slot.Rax] = 0;
        Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
        return m.State->Slots[Slot.Rax];
    }
}
