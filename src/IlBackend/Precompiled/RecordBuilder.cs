using System.IO.Hashing;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>Puts a <see cref="CodeRecord"/> together from several runs or address spaces: each block once. Not thread-safe.</summary>
internal sealed class RecordBuilder(PrecompiledForm form)
{
    // Versions of the code at one address: a guest that goes on rewriting it gains nothing from more.
    private const int MaxVersions = 8;

    private readonly List<CodeContext> _contexts = [];
    private readonly Dictionary<CodeContext, ushort> _numbers = [];
    private readonly Dictionary<(ushort Context, ulong Start, ulong Hash), Entry> _blocks = [];
    private readonly Dictionary<(ushort Context, ulong Start), int> _versions = [];
    private readonly Dictionary<(ushort Context, ulong Rip), RecordedAccess> _accesses = [];

    /// <summary>Adds what is known of a block.</summary>
    /// <param name="block">What is known; its bytes do not count.</param>
    /// <param name="context">Its context.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <returns>True when the block is new.</returns>
    public bool Add(in RecordedBlockInfo block, in CodeContext context, ReadOnlySpan<byte> bytes)
    {
        var number = NumberOf(context);
        if (number == CodeContexts.None)
            return false;
        var key = (number, block.Start, XxHash3.HashToUInt64(bytes));
        if (_blocks.TryGetValue(key, out var known))
        {
            known.Info = known.Info.With(block);
            return false;
        }

        var versions = _versions.GetValueOrDefault((number, block.Start));
        if (versions == MaxVersions)
            return false;
        _versions[(number, block.Start)] = versions + 1;
        _blocks[key] = new Entry(block, bytes.ToArray());
        return true;
    }

    /// <summary>Adds what is known of an access; the worse counts.</summary>
    public void Add(in RecordedAccess access, in CodeContext context)
    {
        var number = NumberOf(context);
        if (number == CodeContexts.None)
            return;
        var known = _accesses.GetValueOrDefault((number, access.Rip));
        _accesses[(number, access.Rip)] = new RecordedAccess(
            number, access.Rip, (AccessHistory)Math.Max((byte)known.History, (byte)access.History), known.IsLoopRefused || access.IsLoopRefused);
    }

    /// <summary>Adds a record of the same form.</summary>
    public void Add(CodeRecord record)
    {
        foreach (var block in record.Blocks)
            Add(RecordedBlockInfo.Of(block), record.Contexts[block.Context], block.Bytes);
        foreach (var access in record.Accesses)
            Add(access, record.Contexts[access.Context]);
    }

    /// <summary>All that was added, in the order of addresses.</summary>
    public CodeRecord ToRecord()
    {
        var blocks = new List<RecordedBlock>(_blocks.Count);
        foreach (var ((context, _, _), entry) in _blocks)
            blocks.Add(entry.Info.ToBlock(context, entry.Bytes));
        blocks.Sort((a, b) => a.Context != b.Context ? a.Context - b.Context : a.Start != b.Start ? a.Start.CompareTo(b.Start) : a.Bytes.AsSpan().SequenceCompareTo(b.Bytes));
        var accesses = _accesses.Values.OrderBy(access => access.Context).ThenBy(access => access.Rip).ToList();
        return new CodeRecord([.. _contexts], form.IsPaged, blocks, accesses) { Form = form };
    }

    private ushort NumberOf(in CodeContext context)
    {
        if (_numbers.TryGetValue(context, out var number))
            return number;
        if (_contexts.Count == CodeContexts.None)
            return CodeContexts.None;
        number = (ushort)_contexts.Count;
        _contexts.Add(context);
        _numbers.Add(context, number);
        return number;
    }

    private sealed class Entry(RecordedBlockInfo info, byte[] bytes)
    {
        public RecordedBlockInfo Info { get; set; } = info;

        public byte[] Bytes { get; } = bytes;
    }
}

/// <summary>A <see cref="RecordedBlock"/> without its bytes and context.</summary>
internal readonly record struct RecordedBlockInfo(
    ulong Start, ulong Linear, int InstructionCount, int Hotness, uint X87Stack, IReadOnlyList<ulong> Targets, bool HadEntry)
{
    public static RecordedBlockInfo Of(RecordedBlock block) =>
        new(block.Start, block.Linear, block.InstructionCount, block.Hotness, block.X87Stack, block.Targets, block.HadEntry);

    public RecordedBlock ToBlock(ushort context, byte[] bytes) =>
        new(context, Start, Linear, bytes, InstructionCount, Hotness, X87Stack, Targets, HadEntry);

    /// <summary>The same with what another run knows.</summary>
    public RecordedBlockInfo With(in RecordedBlockInfo other) => this with
    {
        Hotness = Math.Max(Hotness, other.Hotness),
        X87Stack = X87Stack == 0 ? other.X87Stack : X87Stack,
        Targets = other.Targets.Count == 0 ? Targets : Targets.Count == 0 ? other.Targets : [.. Targets.Union(other.Targets)],
        HadEntry = HadEntry || other.HadEntry,
    };
}
