using DynaTrans.Frontend.Decoding;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>
/// Collects what is executed in the address spaces of a host process: all blocks of a block cache before they go, and single ones when their
/// bytes are about to change. Nothing is done in between. Thread-safe; called under the lock of a memory.
/// </summary>
/// <param name="maxRewritten">Bytes of code that was rewritten while it ran, beyond which no more of that is recorded.</param>
public sealed unsafe class CodeRecorder(long maxRewritten = 64 << 20)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<PrecompiledForm, RecordBuilder> _records = [];
    private long _rewritten;
    private byte[] _bytes = new byte[256];

    /// <summary>Records all blocks of a cache, which are about to go.</summary>
    /// <param name="cache">The cache.</param>
    /// <param name="form">The form of its address space.</param>
    /// <param name="accesses">What is known of accesses, by the cache's numbers of contexts.</param>
    public void Collect(BlockCache cache, PrecompiledForm form, IReadOnlyList<RecordedAccess> accesses)
    {
        lock (_gate)
        {
            var builder = BuilderOf(form);
            var contexts = cache.Contexts.ToArray();
            cache.ForEach(block => Add(builder, cache, contexts, (Block*)block));
            foreach (var access in accesses)
                if (access.Context < contexts.Length && IsRecorded(contexts[access.Context]))
                    builder.Add(access, contexts[access.Context]);
        }
    }

    /// <summary>Records a block whose bytes are about to change, or to go.</summary>
    public void NoteRewritten(BlockCache cache, PrecompiledForm form, Block* block)
    {
        lock (_gate)
            if (_rewritten < maxRewritten && Add(BuilderOf(form), cache, cache.Contexts.ToArray(), block))
                _rewritten += block->ByteLength;
    }

    /// <summary>What was recorded up to now: one record for each kind of address space.</summary>
    public IReadOnlyList<CodeRecord> ToRecords()
    {
        lock (_gate)
            return [.. _records.Values.Select(builder => builder.ToRecord())];
    }

    // Code that is only interpreted, or counts, is never precompiled.
    private static bool IsRecorded(in CodeContext context) => !context.IsBudgeted && (context.Mode & GuestMode.AlignmentChecked) == 0;

    private RecordBuilder BuilderOf(PrecompiledForm form)
    {
        if (!_records.TryGetValue(form, out var builder))
            _records[form] = builder = new RecordBuilder(form);
        return builder;
    }

    private bool Add(RecordBuilder builder, BlockCache cache, CodeContext[] contexts, Block* block)
    {
        if (block->Context >= contexts.Length || !IsRecorded(contexts[block->Context]))
            return false;
        var length = block->ByteLength;
        if (_bytes.Length < length)
            _bytes = new byte[length * 2];
        cache.CopyBytes(block, _bytes);
        var hadEntry = block->Code != 0 || block->CompileState != CompileState.None;
        var info = new RecordedBlockInfo(
            block->Start, block->Linear, block->InstructionCount, Math.Max(0, block->Hotness), block->X87Stack, IndirectTargets.ToArray(block->Targets), hadEntry);
        return builder.Add(info, contexts[block->Context], _bytes.AsSpan(0, length));
    }
}
