using System.Diagnostics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Paging;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Translation;

/// <summary>
/// The blocks of one address space, shared by its vCPUs. Look-ups take no lock; insertions, invalidations and flushes hold
/// <see cref="AddressSpace.Lock"/>. Memory of blocks is given back only by a flush, when no vCPU is inside a block.
/// </summary>
public sealed unsafe partial class BlockCache : IDisposable
{
    // Always fits a block (MaxInstructions bounds its ops) and a set of targets.
    private const int ChunkSize = 1 << 20;

    private readonly BlockTable _table = new();
    private readonly NativeArena _blocks = new(ChunkSize);
    private readonly NativeArena _threaded = new(ChunkSize);
    private readonly CodePages _pages;
    private readonly List<Vcpu> _vcpus = [];

    // Blocks with an instruction that raises #UD because SSE is turned off.
    private readonly List<nint> _withoutSse = [];
    private IrBlock? _work;
    private BlockEncoder? _encoder;
    private bool _isDisposed;
    private bool _flushWanted;

    /// <summary>Makes an empty cache.</summary>
    /// <param name="memory">The address space whose code is cached.</param>
    /// <param name="translator">Makes host code of hot blocks; null interprets everything. It is disposed with the cache.</param>
    public BlockCache(AddressSpace memory, ITranslator? translator = null)
    {
        Memory = memory;
        Translator = translator;
        _pages = new CodePages(memory);
        memory.CodeChanged = Invalidate;
        memory.PermissionsChanged = NotifyOthers;
        memory.RecallPermissions = NotifyAll;
        memory.KnowsPermissions = KnowsPermissions;
        if (translator is { Verifies: true })
            memory.WatchWrites = true;
        LiftedBlocks.Shared.AddUser();
    }

    /// <summary>The address space.</summary>
    public AddressSpace Memory { get; }

    /// <summary>The translator, or null.</summary>
    public ITranslator? Translator { get; }

    /// <summary>Its memory is guest-physical: vCPUs translate linear addresses.</summary>
    public bool IsPaged { get; init; }

    /// <summary>The code contexts of its blocks.</summary>
    public CodeContexts Contexts { get; } = new();

    /// <summary>Bytes of block memory above which the cache is flushed.</summary>
    public long SizeLimit { get; set; } = 256L << 20;

    /// <summary>Bytes of block memory in use.</summary>
    public long Size => _blocks.Size + _threaded.Size;

    /// <summary>Counters of the cache.</summary>
    public CacheStatistics Statistics { get; } = new();

    /// <summary>Set while a flush waits for the vCPUs to come out; written under <see cref="FlushGate"/>.</summary>
    internal bool FlushWanted
    {
        get => Volatile.Read(ref _flushWanted);
        private set => Volatile.Write(ref _flushWanted, value);
    }

    /// <summary>vCPUs that find <see cref="FlushWanted"/> set wait on it. Never taken while the memory's lock is held.</summary>
    internal object FlushGate { get; } = new();

    /// <summary>
    /// Held by a thread that is no vCPU while it reads blocks without the memory's lock: they are not given back then. The memory's lock is not
    /// taken under it.
    /// </summary>
    public Lock BuildGate { get; } = new();

    /// <summary>Held while a block is executed in lock-step: threads take turns.</summary>
    internal Lock VerifyGate { get; } = new();

    /// <summary>The vCPUs that use this cache. Under the memory's lock.</summary>
    internal IReadOnlyList<Vcpu> Vcpus => _vcpus;

    /// <summary>The valid block at a RIP in a code context, or null.</summary>
    public Block* Find(ulong rip, ushort context) => _table.Find(rip, context);

    /// <summary>Another valid block at the same RIP in the same code context, made from other pages; null when there is none further.</summary>
    public Block* FindNext(Block* block) => _table.FindNext(block);

    /// <summary>The valid block at a RIP in a code context that was made from certain bytes, or null.</summary>
    internal Block* Find(ulong rip, ushort context, in CodePlace place)
    {
        for (var block = _table.Find(rip, context); block != null; block = _table.FindNext(block))
            if (block->Physical == place.Physical && block->LastPage == place.LastPage)
                return block;
        return null;
    }

    /// <summary>
    /// The valid block at a RIP in a code context that is what lies there now, by a paging unit; null when there is none.
    /// </summary>
    internal Block* Find(ulong rip, ushort context, ulong physical, Mmu mmu)
    {
        var first = _table.Find(rip, context);
        for (var block = first; block != null; block = _table.FindNext(block))
        {
            if (block->Physical != physical || (block->LastPage != block->FirstPage && !IsNextPage(block, mmu)))
                continue;

            // What was executed last at an address is what regions are built of.
            if (block != first)
                lock (Memory.Lock)
                    _table.MoveToFront(block);
            return block;
        }

        return null;
    }

    // Part of an instruction lies in the next page.
    private static bool IsNextPage(Block* block, Mmu mmu)
    {
        var next = (block->Linear | (AddressSpace.PageSize - 1)) + 1;
        return mmu.TryFindCode(((GuestMode)block->Mode).Is64() ? next : (uint)next, out var page) && page / AddressSpace.PageSize == block->LastPage;
    }

    /// <summary>
    /// Copies a lifted block, ready for the interpreter, into the cache. The caller has marked its pages (<see cref="Protect"/>) before it read the bytes, and holds
    /// the lock since.
    /// </summary>
    internal Block* Insert(IrBlock ir, ReadOnlySpan<ThreadedOp> threaded, in CodePlace place, ushort context, bool isBudgeted)
    {
        Debug.Assert(Memory.Lock.IsHeldByCurrentThread && Find(ir.Start, context, place) == null, "a block is in the cache once");
        Debug.Assert((Memory.Query(place.Physical) & PagePermission.HasCode) != 0, "its page is marked before its bytes are read");
        var block = Copy(ir, place.Linear, Allocate);
        block->Physical = place.Physical;
        block->LastPage = place.LastPage;
        block->Context = context;
        block->IsBudgeted = isBudgeted;
        Join(block, (ThreadedBlock*)_threaded.Allocate(sizeof(ThreadedBlock) + (threaded.Length * sizeof(ThreadedOp))));
        threaded.CopyTo(new Span<ThreadedOp>(ThreadedBlock.Ops(block->Threaded), threaded.Length));
        if (ir.LacksSse)
            _withoutSse.Add((nint)block);
        _pages.Add(block);
        _table.Add(block);
        Statistics.Blocks++;
        Statistics.LiftedInstructions += block->InstructionCount;
        return block;
    }

    /// <summary>
    /// The block that was lifted elsewhere, in this cache: the one that is in it already, or a copy. Null when other bytes lie at its address, or
    /// they cannot be executed, or it would have to wait for other vCPUs to read them. Under the memory's lock; in a flat mode, without paging.
    /// </summary>
    /// <param name="lifted">The block.</param>
    /// <param name="context">Number of the code context, which has its mode.</param>
    /// <param name="isBudgeted">As of the code context.</param>
    public Block* TryInsert(LiftedBlock lifted, ushort context, bool isBudgeted)
    {
        Debug.Assert(Memory.Lock.IsHeldByCurrentThread && !IsPaged);
        var start = lifted.Block.Start;
        var last = start + (ulong)lifted.Code.Length - 1;
        if (last < start || !CanExecute(start) || !CanExecute(last))
            return null;
        if (Find(start, context) is var known && known != null)
            return known->Next == lifted.Block.Next && known->InstructionCount == lifted.Lengths.Length && HasCode(lifted) ? known : null;
        var mustWait = Protect(start);
        if (last / AddressSpace.PageSize != start / AddressSpace.PageSize)
            mustWait |= Protect(last);
        if (mustWait || !HasCode(lifted))
        {
            Settle(start);
            Settle(last);
            return null;
        }

        _work ??= new IrBlock();
        _work.Assign(lifted);
        _encoder ??= new BlockEncoder();
        return Insert(_work, _encoder.Encode(_work), new CodePlace(start, start, last / AddressSpace.PageSize), context, isBudgeted);
    }

    /// <summary>Reads bytes of code that can be executed, of two pages at most.</summary>
    public static void ReadCode(AddressSpace memory, ulong address, Span<byte> code)
    {
        var inPage = (int)Math.Min((ulong)code.Length, AddressSpace.PageSize - (address % AddressSpace.PageSize));
        new ReadOnlySpan<byte>(memory.HostAt(address), inPage).CopyTo(code);
        if (inPage < code.Length)
            new ReadOnlySpan<byte>(memory.HostAt(address + (ulong)inPage), code.Length - inPage).CopyTo(code[inPage..]);
    }

    private bool CanExecute(ulong address) => (Memory.Query(address) & PagePermission.Execute) != 0;

    private bool HasCode(LiftedBlock lifted)
    {
        Span<byte> code = stackalloc byte[IrBlock.MaxInstructions * InstructionLength.Max];
        code = code[..lifted.Code.Length];
        ReadCode(Memory, lifted.Block.Start, code);
        return code.SequenceEqual(lifted.Code);
    }

    /// <summary>Lays a lifted block for a single execution out in memory from <paramref name="allocate"/>: it has no threaded ops.</summary>
    internal static Block* CopyAlone(IrBlock ir, ulong linear, Func<int, nint> allocate)
    {
        var length = (SizeOf(ir) + sizeof(ulong) - 1) & -sizeof(ulong);
        var block = Copy(ir, linear, _ => allocate(length + sizeof(ThreadedBlock)));
        Join(block, (ThreadedBlock*)((byte*)block + length));
        return block;
    }

    private static void Join(Block* block, ThreadedBlock* threaded)
    {
        block->Threaded = threaded;
        *threaded = new ThreadedBlock
        {
            TakenLink = ThreadedBlock.None,
            NextLink = ThreadedBlock.None,
            Block = block,
            Start = block->Start,
            Context = block->Context,
            InstructionCount = (byte)block->InstructionCount,
            Valid = 1,
        };
    }

    private static int SizeOf(IrBlock ir) => sizeof(Block) + (ir.Count * (sizeof(IrOp) + sizeof(ushort))) + ir.InstructionCount;

    private static Block* Copy(IrBlock ir, ulong linear, Func<int, nint> allocate)
    {
        var block = (Block*)allocate(SizeOf(ir));
        *block = default;
        block->Start = ir.Start;
        block->Next = ir.Next;
        block->Taken = ir.Taken;
        block->Linear = linear;
        block->Physical = linear;
        block->LastPage = (linear + (ulong)block->ByteLength - 1) / AddressSpace.PageSize;
        block->OpCount = ir.Count;
        block->InstructionCount = (ushort)ir.InstructionCount;
        block->Mode = (ushort)(ir.Mode & ~GuestMode.NoSse);
        block->EndsWithCall = ir.EndsWithCall ? (byte)1 : (byte)0;
        ir.Ops.CopyTo(new Span<IrOp>(Block.Ops(block), ir.Count));
        new Span<ushort>(Block.Windows(block), ir.Count).Clear();
        var lengths = Block.Lengths(block);
        for (var i = 0; i < ir.InstructionCount; i++)
            lengths[i] = (byte)ir.Instructions[i].Length;
        return block;
    }

    /// <summary>
    /// True when a valid block was made from bytes of [address, address + size), by these addresses or others. Under the memory's lock.
    /// </summary>
    internal bool HitsCode(ulong address, int size)
    {
        Debug.Assert(Memory.Lock.IsHeldByCurrentThread);
        if (_pages.Overlaps(address, (ulong)size))
            return true;
        if (Memory.CodeAtAliases(address, (ulong)size) is not { } hits)
            return false;
        foreach (var hit in hits)
            if (_pages.Overlaps(hit.Address, hit.Length))
                return true;
        return false;
    }

    /// <summary>Remembers where the indirect jump at the end of a block went.</summary>
    internal void NoteTarget(Block* block, ulong target)
    {
        lock (Memory.Lock)
            if (block->Valid != 0)
                block->Targets = IndirectTargets.With(block->Targets, target, Allocate);
    }

    /// <summary>Drops every block made from bytes in [address, address + length), and makes all vCPUs notice. Under the memory's lock.</summary>
    public void Invalidate(ulong address, ulong length)
    {
        Debug.Assert(Memory.Lock.IsHeldByCurrentThread);
        var times = TimesOfThisThread();
        var before = times?.Enter(VcpuActivity.Invalidating) ?? VcpuActivity.Other;
        Drop(address, length);
        times?.Enter(before);
    }

    private void Drop(ulong address, ulong length)
    {
        var dropped = _pages.Remove(address, length, block =>
        {
            var b = (Block*)block;
            b->Valid = 0;
            Translator?.Invalidate(b);
        });
        if (dropped == 0)
            return;
        Statistics.Invalidations += dropped;
        foreach (var vcpu in _vcpus)
            vcpu.Request(ExitRequests.Invalidation);
    }

    /// <summary>SSE has been turned on: drops the blocks in which it was off. The vCPU that calls is between blocks.</summary>
    internal void DropBlocksWithoutSse()
    {
        lock (Memory.Lock)
        {
            foreach (var block in _withoutSse)
                if (((Block*)block)->Valid != 0)
                    Drop(((Block*)block)->Physical, 1);
            _withoutSse.Clear();
        }
    }

    /// <summary>Marks a page as holding translated code, before its bytes are read. Under the memory's lock.</summary>
    /// <returns>True when its bytes may be read only after <see cref="AwaitOthers"/>: somebody may still write by what he knew.</returns>
    internal bool Protect(ulong linear) => !_pages.Protect(linear / AddressSpace.PageSize, _vcpus.Count < 2 || Translator is { Verifies: true });

    /// <summary>No more is lifted from a page that was marked. Under the memory's lock.</summary>
    internal void Settle(ulong linear) => _pages.Settle(linear / AddressSpace.PageSize);

    /// <summary>
    /// Makes stores to the frames of pages that were marked take the slow path wherever they are mapped, and waits until every vCPU has forgotten
    /// what it knew about their permissions. The caller holds no lock, and its vCPU is outside.
    /// </summary>
    internal void AwaitOthers()
    {
        List<CodePages.CodePage> pages;
        lock (Memory.Lock)
            pages = _pages.TakeUnready();
        foreach (var page in pages)
            if (page.Frame is { IsMarked: false } frame)
                frame.Source.Mark(frame);

        // Sleeps at last: a waiting thread with a real-time policy would keep the others from going on.
        SpinWait wait = default;
        while (!KnowsPermissions())
            wait.SpinOnce(sleep1Threshold: 1000);
        lock (Memory.Lock)
            CodePages.SetReady(pages);
    }

    internal void Add(Vcpu vcpu)
    {
        lock (Memory.Lock)
        {
            // Before the first one has a code context.
            if (_vcpus.Count == 0)
                Translator?.Attach(this);
            _vcpus.Add(vcpu);
        }
    }

    internal void Remove(Vcpu vcpu)
    {
        lock (Memory.Lock)
            _vcpus.Remove(vcpu);
    }

    /// <summary>True when the cache is over its limit.</summary>
    internal bool IsFull => Size > SizeLimit || Translator is { WantsFlush: true };

    /// <summary>Drops everything once every vCPU is outside. The caller is a vCPU that is outside itself.</summary>
    internal void FlushWhenQuiet()
    {
        lock (FlushGate)
        {
            if (FlushWanted)
            {
                while (FlushWanted)
                    Monitor.Wait(FlushGate);
                return;
            }

            FlushWanted = true;
            Interlocked.MemoryBarrier();
            lock (Memory.Lock)
                foreach (var vcpu in _vcpus)
                    vcpu.Request(ExitRequests.Flush);
            while (!AllOutside())
                Monitor.Wait(FlushGate, 1);
            lock (Memory.Lock)
                Flush();
            Statistics.Flushes++;
            FlushWanted = false;
            Monitor.PulseAll(FlushGate);
        }
    }

    /// <summary>Drops everything. The caller has made sure that no vCPU is inside a block, and holds the lock.</summary>
    internal void Flush()
    {
        Debug.Assert(Memory.Lock.IsHeldByCurrentThread && _vcpus.TrueForAll(vcpu => vcpu.IsOutside), "nobody is inside a block that goes");
        Translator?.Close(this);
        _pages.Clear();
        lock (BuildGate)
        {
            _table.Clear();
            _blocks.Clear();
            _threaded.Clear();
            Contexts.ClearIfFull();
            Translator?.Flush();
        }

        _withoutSse.Clear();
        foreach (var vcpu in _vcpus)
            vcpu.ForgetBlocks();
    }

    /// <summary>Gives all memory back, and ends the translator. No vCPU is inside a block, or will be again.</summary>
    public void Dispose()
    {
        lock (Memory.Lock)
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            Translator?.Close(this);
            LiftedBlocks.Shared.RemoveUser();
            Memory.CodeChanged = null;
            Memory.PermissionsChanged = null;
            Memory.RecallPermissions = null;
            Memory.KnowsPermissions = null;
            _pages.Clear();
            lock (BuildGate)
            {
                _blocks.Clear();
                _threaded.Clear();
                _table.Dispose();
                Translator?.Dispose();
            }
        }
    }

    // Null without --stats.
    private ActivityTimes? TimesOfThisThread()
    {
        foreach (var vcpu in _vcpus)
            if (vcpu.Times is { } times && times.ThreadId == Environment.CurrentManagedThreadId)
                return times;
        return null;
    }

    // Translated code keeps what it has found out about permissions up to the next jump back, where it looks at the request. With one vCPU
    // permissions change only while it is outside. Under the memory's lock.
    private void NotifyOthers()
    {
        if (_vcpus.Count < 2)
            return;
        foreach (var vcpu in _vcpus)
            vcpu.Request(ExitRequests.Permissions);
    }

    private void NotifyAll()
    {
        foreach (var vcpu in _vcpus)
            vcpu.Request(ExitRequests.Permissions);
    }

    // True when no vCPU goes by permissions from before their last change.
    private bool KnowsPermissions()
    {
        lock (Memory.Lock)
            return _vcpus.TrueForAll(static vcpu => vcpu.KnowsPermissions);
    }

    private bool AllOutside()
    {
        lock (Memory.Lock)
            return _vcpus.TrueForAll(vcpu => vcpu.IsOutside);
    }

    private nint Allocate(int size) => _blocks.Allocate(size);
}

/// <summary>Counters for <c>--stats</c>. Approximate under several guest threads.</summary>
public sealed class CacheStatistics
{
    /// <summary>Blocks lifted.</summary>
    public long Blocks { get; set; }

    /// <summary>Guest instructions lifted.</summary>
    public long LiftedInstructions { get; set; }

    /// <summary>Blocks dropped because their bytes changed.</summary>
    public long Invalidations { get; set; }

    /// <summary>Times the whole cache was dropped.</summary>
    public long Flushes { get; set; }

    /// <summary>Block executions compared in lock-step.</summary>
    public long BlocksCompared { get; set; }

    /// <summary>Block executions in lock-step that could not be repeated and were interpreted only.</summary>
    public long BlocksNotCompared { get; set; }

    /// <summary>Look-ups of blocks that the jump cache of a vCPU did not answer.</summary>
    public long JumpCacheMisses { get; set; }

    /// <summary>Lines of the vCPUs' entry caches that were filled.</summary>
    public long EntryCacheFills { get; set; }

    /// <summary>Stopwatch ticks spent decoding and lifting.</summary>
    public long LiftTicks { get; set; }
}
