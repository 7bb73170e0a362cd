using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Interpretation;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Paging;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using Iced.Intel;

namespace DynaTrans.Runtime.Execution;

/// <summary>
/// A virtual CPU: its state, and the dispatcher that decides for each block which executor runs it. One host thread at a time may be in
/// <see cref="Run(ulong)"/>; <see cref="RequestExit"/> may be called from any thread.
/// </summary>
public sealed unsafe partial class Vcpu : IDisposable
{
    // Entries of the jump cache for each privilege; a power of two. With paging it is emptied whenever translations change.
    private const int JumpCacheSize = 1 << 14;
    private const int PagedJumpCacheSize = 1 << 12;

    // Code segments with the same offsets keep apart in the jump cache.
    private const ulong JumpCacheStep = 1223;

    // Blocks compiled alone in one run with a budget, and blocks rewritten in it, beyond which new ones are interpreted: code that sprawls or
    // rewrites itself over and over is not worth compiling.
    private const int MaxAloneCompilations = 128;
    private const int MaxRewrites = 32;

    // Entries after which the interpreter asks again whether a block has code by now.
    private const int RetryEntries = 200;

    // Without a translator the interpreter leaves now and then only so that the runtime can put a better compiled one in its place: the one
    // compiled ahead of time is slow, and a loop of the guest would stay in it for ever.
    private const int EntriesBeforeLeaving = 20_000;

    // Entries of translated code from outside per sample (prime, so that it keeps no step with the guest's loops).
    private const int EntriesPerSample = 4093;

    // For 32-bit addresses; made when first needed and kept.
    private static byte* s_noPermissions;

    private readonly Block** _jumpCache;
    private readonly int _jumpCacheSize;

    // That of the present privilege: with paging supervisor code and user code have a half of it each, for most changes of translations concern one only.
    private Block** _jumps;
    private readonly EntryCacheLine* _entryCache;
    private readonly ReturnStack* _returnStack;
    private readonly Lifter _lifter = new();
    private readonly IrBlock _ir = new();
    private readonly GCHandle _handle;
    private readonly GCHandle _memoryHandle;
    private readonly Dictionary<nint, nint> _aloneCode = [];
    private int _aloneCompilations;
    private long _invalidationsBefore;
    private readonly LockStep? _lockStep;
    private readonly int _heatThreshold = EntriesBeforeLeaving;
    private bool _isOutside = true;

    // What is left of the budget is too little for regions: the interpreter executes it.
    private bool _isFinishing;
    private bool _alignedNow;
    private byte[] _aloneBuffer = [];

    /// <summary>Makes a vCPU with all state zero except what a reset user context has (FCW 37F, MXCSR 1F80, EFLAGS 202).</summary>
    /// <param name="cache">The cache it executes from, and through it its memory.</param>
    /// <param name="isPaged">
    /// The address space is one of guest-physical addresses, to which the vCPU translates linear ones; else they are the same.
    /// </param>
    public Vcpu(BlockCache cache, bool isPaged = false)
    {
        HelperFamilies.Register();
        Cache = cache;
        State = (CpuState*)NativeMemory.AlignedAlloc(CpuState.SizeInBytes, 64);
        new Span<byte>(State, CpuState.SizeInBytes).Clear();
        _handle = GCHandle.Alloc(this, GCHandleType.Weak);
        State->Execution.VcpuHandle = GCHandle.ToIntPtr(_handle);
        _memoryHandle = GCHandle.Alloc(cache.Memory, GCHandleType.Weak);
        State->Execution.AddressSpaceHandle = GCHandle.ToIntPtr(_memoryHandle);
        State->Execution.MemoryBase = cache.Memory.Base;
        UseWindows(cache.Memory);
        State->Execution.EntriesToSample = EntriesPerSample;
        State->Execution.ContextFinder = &FindContext;
        State->Execution.ExceptionVector = -1;
        State->Execution.Gdt = DescriptorTable.Flat;
        State->Execution.InstructionLimit = ulong.MaxValue;
        State->Fcw = 0x37F;
        State->Mxcsr = 0x1F80;
        State->Slots[Slot.Eflags] = Eflags.IF | 2;
        _jumpCacheSize = isPaged ? PagedJumpCacheSize : JumpCacheSize;
        _jumpCache = (Block**)NativeMemory.AllocZeroed(2 * (nuint)_jumpCacheSize, (nuint)sizeof(Block*));
        _jumps = _jumpCache;
        _entryCache = (EntryCacheLine*)NativeMemory.AllocZeroed(EntryCacheLine.Count, (nuint)sizeof(EntryCacheLine));
        State->Execution.EntryCache = (nint)_entryCache;
        _returnStack = ReturnStack.Allocate();
        State->Execution.ReturnStack = (nint)_returnStack;
        Encoder = new ThreadedEncoder(isPaged ? HandlerTable.Paged : HandlerTable.Windowed);
        MarkFirstLine();
        ForgetContexts();
        if (isPaged)
        {
            UseNoWindow();
            Mmu = new Mmu(State, cache.Memory) { CodeMoved = ForgetJumps };
        }
        else if (cache.Translator is { UsesLookaside: true })
        {
            Lookaside = new TranslationLookaside(cache.Memory);
            State->Execution.Lookaside = Lookaside.Address;
        }

        if (cache.Translator is { } translator)
        {
            _heatThreshold = Math.Max(1, translator.Threshold);
            _usesRegions = translator is { Threshold: > 0, Verifies: false };
        }

        if (cache.Translator is { Verifies: true })
            _lockStep = new LockStep(this);
        cache.Add(this);
        ExecutorPreparation.Ensure();
    }

    /// <summary>The state.</summary>
    public CpuState* State { get; }

    /// <summary>The block cache, and through it the address space.</summary>
    public BlockCache Cache { get; }

    /// <summary>The table of pages that translated code goes by; null when it goes by the permission bytes.</summary>
    public TranslationLookaside? Lookaside { get; }

    /// <summary>The paging unit; null when linear addresses are those of the address space.</summary>
    public Mmu? Mmu { get; }

    /// <summary>When not null, every store is entered here (address, old byte) before it happens: lock-step verification.</summary>
    public List<(ulong Address, byte Old)>? UndoLog { get; set; }

    /// <summary>Called, on the vCPU's thread, when a lock-step run finds a difference, before <see cref="Run(ulong)"/> throws it.</summary>
    public Action<LockStepException>? DifferenceFound { get; set; }

    /// <summary>How often <see cref="Run(ulong)"/> returned for each <see cref="ExitCause"/>.</summary>
    public long[] Exits { get; } = new long[ExitCauses.Count];

    /// <summary>The port bus (see <see cref="Machine"/>), or null.</summary>
    internal IPortBus? Bus { get; set; }

    /// <summary>What answers at guest-physical addresses that are no memory (see <see cref="Machine"/>), or null.</summary>
    internal IMemoryBus? MemoryBus { get; init; }

    /// <summary>An access has gone to <see cref="MemoryBus"/>; lock-step verification clears it.</summary>
    internal bool HasReachedBus { get; set; }

    /// <summary>When not null, where the time of the vCPU's thread goes is entered here: <c>--stats</c>.</summary>
    public ActivityTimes? Times { get; set; }

    private uint PresentCodeGeneration =>
        CpuAccess.Mode(State).IsUser() ? State->Execution.CodeGeneration : State->Execution.GlobalCodeGeneration;

    /// <summary>True when EFLAGS.AC makes data accesses check their alignment: CR0.AM at ring 3.</summary>
    public bool ChecksAlignment { get; set; }

    /// <summary>True while one instruction is executed alone: its stores may drop translations.</summary>
    internal bool IsStepping
    {
        get => State->Execution.IsStepping != 0;
        private set => State->Execution.IsStepping = value ? 1 : 0;
    }

    /// <summary>Encodes lifted blocks for the interpreter.</summary>
    internal ThreadedEncoder Encoder { get; }

    /// <summary>Block entries after which the interpreter leaves to the dispatcher.</summary>
    internal int HeatThreshold => _isFinishing ? int.MaxValue : _heatThreshold;

    /// <summary>True while a thread is between blocks or outside Run: it holds no pointer into the cache.</summary>
    internal bool IsOutside
    {
        get => Volatile.Read(ref _isOutside);
        private set => Volatile.Write(ref _isOutside, value);
    }

    /// <summary>True while guest code runs; false in <see cref="ITraps.Deliver"/>. For hosts that wait for a vCPU to stop.</summary>
    public bool IsInGuest => !IsOutside;

    /// <summary>True when no translated code that it runs goes by permissions from before the last change.</summary>
    internal bool KnowsPermissions => IsOutside || (Volatile.Read(ref State->Execution.ExitRequest) & (int)ExitRequests.Permissions) == 0;

    /// <summary>The vCPU that owns a state.</summary>
    public static Vcpu Of(CpuState* s) => (Vcpu)GCHandle.FromIntPtr(s->Execution.VcpuHandle).Target!;

    /// <summary>Makes <see cref="Run(ulong)"/> return <see cref="ExitCause.Requested"/> soon; pending until it has.</summary>
    public void RequestExit()
    {
        if (_lockStep == null)
            Request(ExitRequests.Host);
        else
            _lockStep.RequestExit();
    }

    internal void Request(ExitRequests bit) => Interlocked.Or(ref State->Execution.ExitRequest, (int)bit);

    /// <summary>The valid block at an offset in the present code context, by the jump cache first; null when there is none.</summary>
    internal Block* FindCached(ulong rip)
    {
        var context = State->Execution.CodeContext;
        var slot = &_jumps[(rip ^ (rip >> 12) ^ (context * JumpCacheStep)) & (uint)(_jumpCacheSize - 1)];
        var block = *slot;
        return block != null && block->Start == rip && block->Context == context && block->Valid != 0 ? block : FindMissed(rip, context, slot);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Block* FindMissed(ulong rip, ushort context, Block** slot)
    {
        Cache.Statistics.JumpCacheMisses++;
        var block = Mmu == null ? Cache.Find(rip, context) : FindTranslated(rip, context);
        if (block != null)
            *slot = block;
        return block;
    }

    /// <summary>
    /// True when a block may be followed by another without a look-up, now and later: with paging, when that lies in the same page, for the page
    /// cannot have become another one in between.
    /// </summary>
    internal bool CanLink(Block* from, Block* to) =>
        Mmu == null || ((Linear(from->Start) ^ Linear(to->Next - 1)) | (Linear(from->Start) ^ Linear(to->Start))) < AddressSpace.PageSize;

    /// <summary>Forgets all that leads to blocks and code, for a flush of the cache.</summary>
    internal void ForgetBlocks()
    {
        ForgetJumps(true);
        ForgetContexts();
        _aloneCode.Clear();
        ReturnStack.Clear(_returnStack);
        new Span<EntryCacheLine>(_entryCache, EntryCacheLine.Count).Clear();
        MarkFirstLine();
    }

    // An empty line has tag 0, which is that of address 0 in context 0: of the line that this address has it is that of another one.
    private void MarkFirstLine() => _entryCache[EntryCacheLine.IndexOf(0, 0)].Tag = 1;

    private void ForgetJumps(bool isSupervisorToo) => new Span<nint>(_jumpCache, isSupervisorToo ? 2 * _jumpCacheSize : _jumpCacheSize).Clear();

    /// <inheritdoc/>
    public void Dispose()
    {
        Cache.Remove(this);
        Mmu?.Dispose();
        _lockStep?.Dispose();
        Lookaside?.Dispose();
        NativeMemory.Free(_jumpCache);
        NativeMemory.Free(_entryCache);
        NativeMemory.Free(_returnStack);
        NativeMemory.AlignedFree(State);
        _handle.Free();
        _memoryHandle.Free();
    }

    // One iteration of the dispatcher.
    private ExitCause Step()
    {
        var s = State;
        if (s->Execution.ExitRequest != 0)
        {
            var requests = (ExitRequests)Interlocked.Exchange(ref s->Execution.ExitRequest, 0);
            if ((requests & ExitRequests.Flush) != 0)
            {
                LeaveCache();
                EnterCache();
            }

            if (_usesSse != _usedSse)
                FollowSse();
            if ((requests & ExitRequests.Trap) != 0)
            {
                // The host's request comes after it.
                Request(requests & ExitRequests.Host);
                CpuAccess.Raise(s, s->Execution.TrapVector, s->Execution.TrapError);
                return ExitCause.Exception;
            }

            if ((requests & ExitRequests.Host) != 0)
                return ExitCause.Requested;
        }

        if (s->Execution.InstructionCount >= s->Execution.InstructionLimit)
            return ExitCause.Budget;
        var flags = (uint)s->Slots[Slot.Eflags];
        var aligned = (flags & Eflags.AC) != 0 && (ChecksAlignment || SystemChecksAlignment);
        if (aligned != _alignedNow)
            CheckAlignment(aligned);
        if (IsTraced)
            return ExecuteTraced();
        while (s->Execution.CodeContext == CodeContexts.None)
            FlushCache();
        Debug.Assert(s->Execution.CodeContext == Cache.Contexts.NumberOf(PresentContext()), "mode or CS changed without CpuAccess.ContextChanged");
        var block = FindCached(s->Slots[Slot.Rip]);
        if (block == null)
            block = LiftHere(needsOps: false);
        if (block != null && !block->HasOps && !MayUsePrecompiled)
            block = WithOps(block);
        if (block == null)
            return ExitCause.Exception;

        var translator = Cache.Translator;
        if (aligned)
            return InterpretAligned(block);
        if (_lockStep != null && block->InstructionCount <= s->Execution.InstructionLimit - s->Execution.InstructionCount)
            return RunLockStep(translator!, block);
        if (translator != null)
        {
            if (s->Execution.InstructionLimit != ulong.MaxValue && !_usesRegions)
            {
                // One block at a time, or the interpreter, which must not leave because of heat.
                if (translator.Threshold == 0)
                    return RunTranslatedAlone(translator, block);
                block->SetHeat(0);
            }
            else if (!_isFinishing && TryCompile(translator, block) is var code && code != null)
                return RunExecutors(block, code);
        }
        else if (block->Heat >= HeatThreshold)
            block->SetHeat(0);

        if (!block->HasOps)
        {
            // Its code has just been taken away.
            lock (Cache.Memory.Lock)
                Cache.Retire(block);
            return ExitCause.Continue;
        }

        return RunExecutors(block, null);
    }

    // The cell of the block's code; null when there is none yet. A block that is not worth it is interpreted for another while before the
    // question comes again. Another thread may take the code away at any time: the field is read once.
    private EntryCell* TryCompile(ITranslator translator, Block* block)
    {
        var code = Volatile.Read(ref block->Code);
        if (code != 0 && Mmu != null)
            code = CurrentCode(block, (EntryCell*)code);
        if (code != 0 && Volatile.Read(ref ((EntryCell*)code)->Local) == 0)
        {
            // Another thread has just taken the code away.
            block->Code = code = 0;
            block->CompileState = CompileState.LostEntry;
            block->SetHeat(0);
        }

        if (code != 0 || block->Heat < HeatThreshold || !block->HasOps)
            return (EntryCell*)code;
        if (block->CompileState != CompileState.Entry)
        {
            Times?.Enter(VcpuActivity.CompileWait);
            block->X87Stack = State->X87.Stack;
            translator.Request(Cache, block, Mmu);
            Times?.Enter(VcpuActivity.Dispatching);
        }

        code = Volatile.Read(ref block->Code);
        if (code == 0)
            block->SetHeat(HeatThreshold - RetryEntries);
        return (EntryCell*)code;
    }

    // Code whose pages may have become others is compared with them before it is entered again.
    private nint CurrentCode(Block* block, EntryCell* cell)
    {
        if (!IsCurrent(block, cell))
            Cache.Translator!.Revalidate(Cache, block, Mmu!, PresentCodeGeneration);
        return Volatile.Read(ref block->Code);
    }

    private void FillEntryCache(ulong start, EntryCell* cell)
    {
        var context = State->Execution.CodeContext;
        var line = &_entryCache[EntryCacheLine.IndexOf(start, context)];
        var tag = EntryCacheLine.TagOf(start, context);
        if (line->Tag == tag && line->Cell == cell)
            return;
        *line = new EntryCacheLine { Tag = tag, Cell = cell };
        Cache.Statistics.EntryCacheFills++;
    }

    // One block, or what is left of the budget of it, by code made for it alone.
    private ExitCause RunTranslatedAlone(ITranslator translator, Block* block)
    {
        var s = State;
        var left = s->Execution.InstructionLimit - s->Execution.InstructionCount;
        if (left < block->InstructionCount)
        {
            block = LiftAlone((int)left);
            if (block == null)
                return ExitCause.Exception;
        }

        if (!_aloneCode.ContainsKey((nint)block) && !IsWorthCompiling())
        {
            var cause = InterpretAlone(block);
            return cause == ExitCause.SingleStep ? RunAlone(1) : cause;
        }

        CallAlone(AloneCode(translator, block));
        return FinishTranslated();
    }

    private void CallAlone(RegionLinks* links)
    {
        var s = State;
        Lookaside?.Refresh();
        s->Execution.ExitCauseValue = (int)ExitCause.Continue;
        Times?.Enter(VcpuActivity.Translated);
        HostMxcsr.Enter(s);
        ((delegate*<CpuState*, EntryCell*, nint, void>)links->Code)(s, null, (nint)links);
        HostMxcsr.Leave(s);
        Times?.Enter(VcpuActivity.Dispatching);
    }

    private bool IsWorthCompiling() =>
        ++_aloneCompilations <= MaxAloneCompilations && Cache.Statistics.Invalidations - _invalidationsBefore <= MaxRewrites;

    // Code of a cached block is kept until the next flush; blocks outside the cache are compiled each time.
    private RegionLinks* AloneCode(ITranslator translator, Block* block)
    {
        if (_aloneCode.TryGetValue((nint)block, out var known))
            return (RegionLinks*)known;
        Times?.Enter(VcpuActivity.CompileWait);
        var code = translator.CompileAlone(Cache, block);
        Times?.Enter(VcpuActivity.Dispatching);
        if ((nint)block != Marshal.UnsafeAddrOfPinnedArrayElement(_aloneBuffer, 0))
            _aloneCode[(nint)block] = (nint)code;
        return code;
    }

    private ExitCause FinishTranslated()
    {
        var cause = LeaveTranslated();
        return cause == ExitCause.SingleStep ? RunAlone(1) : cause;
    }

    // Makes the state exact after translated code has returned.
    private ExitCause LeaveTranslated()
    {
        var s = State;
        var site = (FaultSite*)s->Execution.FaultSite;
        if (site != null)
            FaultSite.Repair(s);
        var cause = (ExitCause)s->Execution.ExitCauseValue;
        Times?.CountLeave((int)cause);
        if (cause == ExitCause.SlowAccess)
            return InterpretSlowAccess(site);
        if (cause == ExitCause.Budget)
        {
            // Of the budget, or of a slice that was not the last.
            _isFinishing = s->Execution.SliceEnd == s->Execution.InstructionLimit;
            return ExitCause.Continue;
        }

        if (cause == ExitCause.HotEntry)
        {
            s->Execution.EntriesToSample = EntriesPerSample;
            Times?.Enter(VcpuActivity.CompileWait);
            Cache.Translator!.NoteHotEntry(Cache, s->Slots[Slot.Rip], s->Execution.CodeContext, TopOfStack());
            Times?.Enter(VcpuActivity.Dispatching);
            return ExitCause.Continue;
        }

        if (cause != ExitCause.Exception || s->Execution.ExceptionVector < ExecutionState.RestartAlone)
            return cause;
        var restart = s->Execution.ExceptionVector == ExecutionState.RestartAlone;
        s->Execution.ExceptionVector = -1;
        return restart ? ExitCause.SingleStep : ExitCause.Continue;
    }

    // The word at the top of the stack in a flat mode; 0 when it cannot be read.
    private ulong TopOfStack()
    {
        var mode = (GuestMode)State->Mode;
        if ((mode & GuestMode.Flat) == 0)
            return 0;
        var size = mode.Is64() ? 8 : 4;
        var top = MemoryProbe.ForRead(State, State->Slots[Slot.Rsp], size);
        return top == null ? 0 : size == 8 ? *(ulong*)top : *(uint*)top;
    }

    private ExitCause RunLockStep(ITranslator translator, Block* block)
    {
        var cause = _lockStep!.Run(block, b =>
        {
            CallAlone(AloneCode(translator, (Block*)b));
            return LeaveTranslated();
        });
        return cause == ExitCause.SingleStep ? RunAlone(1) : cause;
    }

    // The interpreter executes the block from the instruction on, whatever code there is for it, and goes on from there.
    private ExitCause InterpretSlowAccess(FaultSite* site)
    {
        Times?.Enter(VcpuActivity.CompileWait);
        Cache.Translator!.NoteSlowAccess(Cache, site);
        Times?.Enter(VcpuActivity.Dispatching);
        var block = FindCached(State->Slots[Slot.Rip]);
        block = block == null ? LiftHere(needsOps: true) : WithOps(block);
        if (block == null)
            return ExitCause.Exception;
        if (block->Heat > HeatThreshold - 2)
            block->SetHeat(HeatThreshold - 2);
        return RunExecutors(block, null);
    }

    private ExitCause FinishInterpreted(ExitCause cause) => cause switch
    {
        ExitCause.Requested => ExitCause.Continue,
        ExitCause.SingleStep => RunAlone(1),
        ExitCause.Budget => RunAlone((int)(State->Execution.InstructionLimit - State->Execution.InstructionCount)),
        _ => cause,
    };

    // One block: no heat, for it is not to be compiled.
    private ExitCause InterpretAligned(Block* block)
    {
        var left = State->Execution.InstructionLimit - State->Execution.InstructionCount;
        if (left < block->InstructionCount)
            return RunAlone((int)left);
        var cause = InterpretAlone(block);
        return cause == ExitCause.SingleStep ? RunAlone(1) : cause;
    }

    private ExitCause InterpretAlone(Block* block)
    {
        Times?.Enter(VcpuActivity.Interpreting);
        HostMxcsr.Enter(State);
        var cause = Interpreter.Run(this, block, alone: true);
        HostMxcsr.Leave(State);
        Times?.Enter(VcpuActivity.Dispatching);
        return cause;
    }

    // Alignment is checked where an access is slow: without a window, and with a table of permissions that allows nothing, all of them are.
    private void CheckAlignment(bool on)
    {
        var memory = Cache.Memory;
        if (on)
            UseNoWindow();
        else if (Mmu == null)
            UseWindows(memory);
        var mode = CpuAccess.Mode(State);
        CpuAccess.SetMode(State, on ? mode | GuestMode.AlignmentChecked : mode & ~GuestMode.AlignmentChecked);
        _alignedNow = on;
    }

    private void UseWindows(AddressSpace memory)
    {
        State->Execution.Permissions = memory.Permissions;
        State->Execution.WindowPages = memory.WindowSize / AddressSpace.PageSize;
        State->Execution.Windows = (nint)memory.Windows;
    }

    // Every access by a window is slow.
    private void UseNoWindow()
    {
        if (s_noPermissions == null)
            s_noPermissions = (byte*)NativeMemory.AllocZeroed((nuint)((1UL << 32) / AddressSpace.PageSize) + 1);
        State->Execution.Permissions = s_noPermissions;
        State->Execution.WindowPages = 0;
        State->Execution.Windows = 0;
    }

    /// <summary>
    /// Executes up to <paramref name="count"/> instructions of one block outside the cache, a single one where stores may hit translated code. Of several, there
    /// is a block in the cache that begins with them: a store into it is noticed, and executed by itself.
    /// </summary>
    private ExitCause RunAlone(int count)
    {
        if (count <= 0)
            return ExitCause.Continue;
        var block = LiftAlone(count);
        if (block == null)
            return ExitCause.Exception;
        if (count == 1)
            return RunLifted(block);
        var cause = InterpretAlone(block);
        return cause == ExitCause.SingleStep ? RunAlone(1) : cause;
    }

    private ExitCause RunLifted(Block* block, bool stepsRepetitions = false)
    {
        IsStepping = true;
        State->Execution.StepsRepetitions = stepsRepetitions ? 1 : 0;
        var cause = InterpretAlone(block);
        State->Execution.StepsRepetitions = 0;
        IsStepping = false;
        return cause;
    }

    // Says that the thread is inside, then looks whether a flush waits for it; a flush says that it waits, then looks for threads inside.
    private void EnterCache()
    {
        Volatile.Write(ref _isOutside, false);
        Interlocked.MemoryBarrier();
        if (Cache.FlushWanted)
            AwaitFlush();
        RefreshContext();
    }

    private void AwaitFlush()
    {
        IsOutside = true;
        lock (Cache.FlushGate)
        {
            while (Cache.FlushWanted)
                Monitor.Wait(Cache.FlushGate);
            IsOutside = false;
        }
    }

    private void LeaveCache() => IsOutside = true;

    private void FlushCache()
    {
        Times?.Enter(VcpuActivity.Invalidating);
        LeaveCache();
        Cache.FlushWhenQuiet();
        EnterCache();
    }
}
