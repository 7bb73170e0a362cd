using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Precompiled;

namespace DynaTrans.IlBackend.Tests.Precompiled;

/// <summary>What is executed is recorded, and what is made of the record is used by the next run.</summary>
public sealed unsafe class RecorderTests
{
    [Fact]
    public void WhatIsExecutedIsRecordedWithItsBytes()
    {
        var block = Assert.Single(Record(m => PrecompiledTests.Run(m)).Blocks, block => block.Start == PrecompiledTests.Function);
        Assert.Equal(new byte[] { 0x48, 0x05, 3, 0, 0, 0, 0xF6, 0xC1, 0x01 }, block.Bytes[..9]);
        Assert.Equal((3, PrecompiledTests.Function), (block.InstructionCount, block.Linear));
        Assert.True(block.Hotness > 1 && block.HadEntry);
    }

    [Fact]
    public void RewrittenCodeIsRecordedInSomeVersions()
    {
        const int most = 8;
        var record = Record(m =>
        {
            for (var i = 0; i < 20; i++)
            {
                m.Space.Write(PrecompiledTests.Function + 2, [(byte)i]);
                PrecompiledTests.Run(m);
            }
        });
        var versions = record.Blocks.Where(block => block.Start == PrecompiledTests.Function).ToList();
        Assert.Equal(most, versions.Count);
        Assert.Equal(most, versions.DistinctBy(block => block.Bytes[2]).Count());
    }

    [Fact]
    public void RunsWithABudgetAreNotRecorded() => Assert.Empty(Record(m =>
    {
        m.State->Slots[Slot.Rip] = BareMachine.Code;
        m.Cpu.Run(1000);
    }).Blocks);

    [SkippableFact]
    public void WhatWasCompiledAheadOfTimeIsUsed()
    {
        var compiler = Crossgen2.Find();
        Skip.If(compiler == null, "crossgen2 is not there");
        var directory = Directory.CreateTempSubdirectory("dynatrans-ahead-").FullName;
        try
        {
            var record = Record(m => PrecompiledTests.Run(m));
            var name = $"Ahead{Environment.ProcessId}";
            var image = RegionPrecompiler.Build(record, directory, name, new PrecompileOptions(compiler!), out var made)!;
            Assert.Equal(0, made.Refused);
            var path = Path.Combine(directory, name + ".image");
            using (var file = File.Create(path))
                PrecompiledImageFile.Write(file, image);
            var code = PrecompiledCode.Open(path, out var reason);
            Assert.True(code != null, reason);

            // The second run has next to nothing to record: together they have what the first one had.
            var recorder = new CodeRecorder();
            using (var m = new BareMachine(Engine.Warm, precompiled: code, recorder: recorder))
            {
                PrecompiledTests.Load(m);
                Assert.Equal(PrecompiledTests.Expected(3), PrecompiledTests.Run(m));
                Assert.True(m.Translator!.Statistics.PrecompiledRegions > 0, code!.Failure);
                Assert.Equal((0, 0), (m.Translator.Statistics.Regions, m.Cache.Statistics.Blocks));
            }

            var merged = CodeRecord.Merge(record, recorder.ToRecords().Single());
            Assert.Equal(record.Blocks.Count, merged.Blocks.Count);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static CodeRecord Record(Action<BareMachine> run)
    {
        var recorder = new CodeRecorder();
        using (var m = new BareMachine(Engine.Warm, recorder: recorder))
        {
            PrecompiledTests.Load(m);
            run(m);
        }

        return recorder.ToRecords().Single();
    }
}
