using System.Runtime.InteropServices;
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
    private readonly Dictionary<Place, RecordedVersion> _blocks = [];
    private readonly Dictionary<Place, RecordedAccess> _accesses = [];

    // Blocks come in runs of one context.
    private CodeContext _recentContext;
    private ushort _recentNumber = CodeContexts.None;

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
        ref var newest = ref CollectionsMarshal.GetValueRefOrAddDefault(_blocks, new Place(number, block.Start), out _);
        var versions = 0;
        for (var version = newest; version != null; version = version.Older)
        {
            if (bytes.SequenceEqual(version.Bytes))
            {
                version.Info = version.Info.With(block);
                return false;
            }

            versions++;
        }

        if (versions == MaxVersions)
            return false;
        newest = new RecordedVersion(block, bytes.ToArray(), newest);
        return true;
    }

    /// <summary>Adds what is known of an access; the worse counts.</summary>
    public void Add(in RecordedAccess access, in CodeContext context)
    {
        var number = NumberOf(context);
        if (number == CodeContexts.None)
            return;
        ref var known = ref CollectionsMarshal.GetValueRefOrAddDefault(_accesses, new Place(number, access.Rip), out _);
        known = new RecordedAccess(
            number, access.Rip, (AccessHistory)Math.Max((byte)known.History, (byte)access.History), known.IsLoopRefused || access.IsLoopRefused);
    }

    /// <summary>Adds a record of the same form.</summary>
    public void Add(CodeRecord record)
    {
        _blocks.EnsureCapacity(_blocks.Count + record.Blocks.Count);
        foreach (var block in record.Blocks)
            Add(RecordedBlockInfo.Of(block), record.Contexts[block.Context], block.Bytes);
        foreach (var access in record.Accesses)
            Add(access, record.Contexts[access.Context]);
    }

    /// <summary>All that was added, in the order of addresses.</summary>
    public CodeRecord ToRecord()
    {
        var blocks = new List<RecordedBlock>(_blocks.Count);
        foreach (var (place, newest) in _blocks)
            for (var version = newest; version != null; version = version.Older)
                blocks.Add(version.Info.ToBlock(place.Context, version.Bytes));
        blocks.Sort((a, b) => a.Context != b.Context ? a.Context - b.Context : a.Start != b.Start ? a.Start.CompareTo(b.Start) : a.Bytes.AsSpan().SequenceCompareTo(b.Bytes));
        var accesses = _accesses.Values.OrderBy(access => access.Context).ThenBy(access => access.Rip).ToList();
        return new CodeRecord([.. _contexts], form.IsPaged, blocks, accesses) { Form = form };
    }

    private ushort NumberOf(in CodeContext context)
    {
        if (_recentNumber != CodeContexts.None && context == _recentContext)
            return _recentNumber;
        if (!_numbers.TryGetValue(context, out var number))
        {
            if (_contexts.Count == CodeContexts.None)
                return CodeContexts.None;
            number = (ushort)_contexts.Count;
            _contexts.Add(context);
            _numbers.Add(context, number);
        }

        (_recentContext, _recentNumber) = (context, number);
        return number;
    }

    // A block that begins somewhere, made of certain bytes; Older: what else was there.
    private sealed class RecordedVersion(RecordedBlockInfo info, byte[] bytes, RecordedVersion? older)
    {
        public RecordedBlockInfo Info { get; set; } = info;

        public byte[] Bytes { get; } = bytes;

        public RecordedVersion? Older { get; } = older;
    }

    // An address in a context. Hundreds of thousands are looked up when a program ends, so equality and hash are its own.
    private readonly struct Place(ushort context, ulong rip) : IEquatable<Place>
    {
        public ushort Context { get; } = context;

        private ulong Rip { get; } = rip;

        public bool Equals(Place other) => Rip == other.Rip && Context == other.Context;

        public override bool Equals(object? obj) => obj is Place other && Equals(other);

        public override int GetHashCode() => (int)(Rip ^ (Rip >> 32)) * 31 + Context;
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
