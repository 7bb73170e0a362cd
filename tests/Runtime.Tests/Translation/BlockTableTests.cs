using System.Runtime.InteropServices;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Tests.Translation;

/// <summary>The table of blocks against a dictionary: what was entered and is valid is found, by its whole key, however the table has grown.</summary>
public sealed unsafe class BlockTableTests : IDisposable
{
    private const int Seed = 20261129;

    private readonly BlockTable _table = new();
    private readonly List<nint> _blocks = [];

    private Block* New(ulong start, ushort context)
    {
        var block = (Block*)NativeMemory.AllocZeroed((nuint)(sizeof(Block) + sizeof(ThreadedBlock)));
        block->Threaded = (ThreadedBlock*)(block + 1);
        block->Start = start;
        block->Context = context;
        block->Valid = 1;
        _blocks.Add((nint)block);
        return block;
    }

    [Fact]
    public void FindsWhatIsValid()
    {
        var random = new Random(Seed);
        var known = new Dictionary<(ulong, ushort), nint>();
        for (var i = 0; i < 60_000; i++)
        {
            // Few starts in many contexts, and pages that are alike in their low bits.
            var start = ((ulong)random.Next(64) << 32) | ((ulong)random.Next(512) << 12) | (uint)random.Next(4);
            var context = (ushort)random.Next(3);
            var found = _table.Find(start, context);
            Assert.Equal(known.GetValueOrDefault((start, context)), (nint)found);
            if (found == null)
            {
                var block = New(start, context);
                _table.Add(block);
                known.Add((start, context), (nint)block);
            }
            else if (random.Next(2) == 0)
            {
                found->Valid = 0;
                known.Remove((start, context));
            }
        }

        foreach (var ((start, context), block) in known)
            Assert.Equal(block, (nint)_table.Find(start, context));
        _table.Clear();
        foreach (var (start, context) in known.Keys)
            Assert.True(_table.Find(start, context) == null);
    }

    // One place for all: it is taken again and again, and the table stays as it is.
    [Fact]
    public void InvalidBlocksGiveTheirPlace()
    {
        Block* block = null;
        for (var i = 0; i < 100_000; i++)
        {
            if (block != null)
                block->Valid = 0;
            _table.Add(block = New(0x1000, 0));
            Assert.True(_table.Find(0x1000, 0) == block);
        }
    }

    [Fact]
    public void OneOfSeveralComesToTheFront()
    {
        const int Count = 5;
        var others = new List<nint>();
        for (var i = 0; i < Count; i++)
            _table.Add(New(0x2000, 1));
        for (var block = _table.Find(0x2000, 1); block != null; block = _table.FindNext(block))
            others.Add((nint)block);
        Assert.Equal(Count, others.Distinct().Count());
        foreach (var block in others)
        {
            _table.MoveToFront((Block*)block);
            Assert.Equal(block, (nint)_table.Find(0x2000, 1));
        }

        ((Block*)others[^1])->Valid = 0;
        var left = 0;
        for (var block = _table.Find(0x2000, 1); block != null; block = _table.FindNext(block))
            left++;
        Assert.Equal(Count - 1, left);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _table.Dispose();
        foreach (var block in _blocks)
            NativeMemory.Free((void*)block);
    }
}
