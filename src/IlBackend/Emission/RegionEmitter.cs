using System.Reflection.Emit;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Passes;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Writes a region as one method: general registers and vector registers in IL locals, jumps inside the region as branches.
/// The method's shape: load the registers it uses, switch to the entry; the blocks; then, out of the way, slow paths and exits.
/// Invariant: at every IL instruction that can leave the method the locals hold the exact guest registers; what is missing (RIP, the flags)
/// is described by the fault site that the path out names.
/// </summary>
public sealed unsafe partial class RegionEmitter
{
    private static readonly int RipOffset = (int)Marshal.OffsetOf<EntryCell>(nameof(EntryCell.Rip));
    private static readonly int LocalOffset = (int)Marshal.OffsetOf<EntryCell>(nameof(EntryCell.Local));

    private static readonly Type VectorType = typeof(Vector128<byte>);

    private readonly IlSink _il;
    private readonly Region _region;
    private readonly ICellSource _cells;
    private readonly EmitOptions _options;
    private readonly CheckPlan? _plan;
    private readonly bool _wide;
    private readonly int[] _slotLocal = new int[Slot.Count];
    private readonly bool[] _slotIsWide = new bool[Slot.Count];
    private readonly int[] _vectorLocal = new int[VSlot.Mm0];
    private readonly WrittenRegisters _registers;
    private readonly int[] _blockLabels;

    // Where a loop's head is entered when the tests before it are not needed.
    private readonly int[] _knownLabels;
    private readonly Dictionary<(ulong Target, uint Written), int> _exitLabels = [];
    private readonly Dictionary<(ulong Rip, uint Written), int> _requestLabels = [];
    private readonly List<Action> _coldPaths = [];
    private readonly List<nint> _sites = [];

    private int _ea, _page, _slow, _memory, _site, _count, _scratch;
    private int _dispatch, _entrySwitch, _missed;
    private int _cell, _entry, _product;
    private bool _hasProduct;

    private readonly FloatResults _results;
    private readonly LoopInvariants _invariants;
    private readonly FlagsFlow _flow;
    private FlagsForm _flags = FlagsForm.Memory;
    private bool[] _live = [];
    private IrOp[] _ops = [];
    private int _opIndex;
    private RegionBlock _block = null!;
    private int _insn;
    private bool _direct;
    private long _fromChecked;

    private RegionEmitter(IlSink il, Region region, ICellSource cells, EmitOptions options)
    {
        _il = il;
        _region = region;
        _cells = cells;
        _options = options;
        _plan = options.Alone ? null : new CheckPlan(region, cells.History, cells.IsLoopRefused);
        _wide = region.Mode.Is64();
        _registers = new WrittenRegisters(region, IsLinked);
        _flow = new FlagsFlow(region, options.Alone, block => _plan != null && _plan.LoopChecksOf(block).Count > 0, IsProven);
        _results = new FloatResults(region, _flow.Ops, options.Alone);
        _invariants = new LoopInvariants(region, _flow.Ops, options.Alone);
        _blockLabels = new int[region.Blocks.Count];
        _knownLabels = new int[region.Blocks.Count];
        SetNone(_slotLocal);
        SetNone(_vectorLocal);
        SetNone(_lowLocal);
        SetNone(_highLocal);
    }

    private static void SetNone(int[] locals)
    {
        for (var i = 0; i < locals.Length; i++)
            locals[i] = -1;
    }

    /// <summary>Fault sites of the method, unmanaged, owned by the caller: free them when the code is gone.</summary>
    public IReadOnlyList<nint> FaultSites => _sites;

    /// <summary>Emits a region.</summary>
    /// <param name="il">Receives the IL.</param>
    /// <param name="region">The region, analysed.</param>
    /// <param name="cells">Gives the cells of jump targets.</param>
    /// <param name="options">What to include.</param>
    public static RegionEmitter Emit(IlSink il, Region region, ICellSource cells, EmitOptions options)
    {
        var emitter = new RegionEmitter(il, region, cells, options);
        emitter.Run();
        return emitter;
    }

    private void Run()
    {
        DeclareLocals();
        _dispatch = _il.DefineLabel();
        _entrySwitch = _il.DefineLabel();
        _missed = _il.DefineLabel();
        for (var i = 0; i < _blockLabels.Length; i++)
        {
            _knownLabels[i] = _blockLabels[i] = _il.DefineLabel();
            if (_plan?.LoopChecksOf(_region.Blocks[i]).Count > 0)
                _knownLabels[i] = _il.DefineLabel();
        }

        EmitEntry();
        foreach (var block in _region.Blocks)
            EmitBlock(block);
        _il.BeginGlue(IlSink.OutOfLine);

        // A slow path may add an exit; exits add nothing.
        for (var i = 0; i < _coldPaths.Count; i++)
            _coldPaths[i]();
        EmitExits();
    }

    private void DeclareLocals()
    {
        var used = new bool[Slot.Count];
        var usedVector = new bool[VSlot.Mm0];
        foreach (var block in _region.Blocks)
            foreach (ref readonly var op in _flow.Ops(block).AsSpan())
                Collect(op, used, usedVector);
        var anyWide = Array.IndexOf(_slotIsWide, true) >= 0;
        for (ushort i = 0; i < Slot.Count; i++)
        {
            if (i < Slot.Part0 && (!used[i] || !(Slot.IsGpr(i) || Slot.IsTemp(i))))
                continue;
            _slotIsWide[i] |= _wide ? !Slot.IsTemp(i) || i >= Slot.Part0 : anyWide && i >= Slot.Part0;
            _slotLocal[i] = _il.DeclareLocal(_slotIsWide[i] ? typeof(long) : typeof(int), Slot.Name(i));
        }

        for (ushort i = 0; i < VSlot.Mm0; i++)
            if (usedVector[i])
                _vectorLocal[i] = _il.DeclareLocal(VectorType, VSlot.Name(i));
        _ea = _il.DeclareLocal(typeof(long), "ea");
        _page = _il.DeclareLocal(typeof(long), "page");
        _slow = _il.DeclareLocal(typeof(long), "slow");
        _scratch = _il.DeclareLocal(typeof(long), "scratch");
        _memory = _il.DeclareLocal(typeof(nint), "memory");
        _site = _il.DeclareLocal(typeof(long), "site");
        _count = _il.DeclareLocal(typeof(long), "count");
        _cell = _il.DeclareLocal(typeof(nint), "next");
        _product = _il.DeclareLocal(typeof(long), "product");
        _entry = _il.DeclareLocal(typeof(int), "entry");
    }

    private void Collect(in IrOp op, bool[] used, bool[] usedVector)
    {
        if (IrOperands.ReadsA(op))
            used[op.A] = true;
        if (IrOperands.ReadsB(op))
            used[op.B] = true;
        if (IrOperands.ReadsC(op))
            used[op.C] = true;
        if (IrOperands.WritesInteger(op))
        {
            used[op.Dst] = true;
            _slotIsWide[op.Dst] |= Slot.IsTemp(op.Dst) && ResultBytes(op) == 8;
        }

        if (IrOperands.ReadsVectorA(op))
            UseVector(op.A, usedVector);
        if (IrOperands.ReadsVectorB(op))
            UseVector(op.B, usedVector);
        if (op.Op == IrOpcode.VStore)
            UseVector(op.C, usedVector);
        if (IrOperands.WritesVector(op))
            UseVector(op.Dst, usedVector);
    }

    // The bytes that the result of an integer op is zero-extended from.
    private int ResultBytes(in IrOp op) => op.Op switch
    {
        IrOpcode.SignExtend or IrOpcode.LoadSigned => op.Sub,
        IrOpcode.GetCondition or IrOpcode.GetFlags or IrOpcode.Compare => 4,
        IrOpcode.Insert or IrOpcode.InsertHigh or IrOpcode.LinearAddress => _wide ? 8 : 4,
        IrOpcode.Call or IrOpcode.VToInt => 8,
        _ => op.Size,
    };

    private static void UseVector(ushort cell, bool[] used)
    {
        if (cell < VSlot.Mm0)
            used[cell] = true;
    }

    private void EmitEntry()
    {
        _il.BeginGlue("entry");
        LoadField(nameof(ExecutionState.MemoryBase), OpCodes.Ldind_I);
        StLoc(_memory);
        LoadRegisters();
        LoadVectors();
        ClearCount();
        CountEntry();
        if (_options.RegionNumber == 0)
            CheckRequest(_region.Blocks[0].Start);
        else
            EmitEntrySwitch();
    }

    // All entries, and all jumps that find their target at run time, go through one switch: it is the head of the loop that they make, so
    // that RyuJIT sees a loop with one entrance and lays slow paths out of it. The exit request is looked at here, too, so that regions
    // that jump to each other in a ring stop. The address that control goes to is in _slow.
    private void EmitEntrySwitch()
    {
        _il.Emit(OpCodes.Ldarg_1);
        Ldc4(RipOffset);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I8);
        StLoc(_slow);
        _il.Emit(OpCodes.Ldarg_2);
        _il.Emit(OpCodes.Conv_I4);
        StLoc(_entry);
        _il.MarkLabel(_entrySwitch);
        LeaveIfRequested();
        if (_region.EntryNumbers == 1)
            return;
        if (!UsesJumpTable)
        {
            // Most often it is the head: a branch is predicted better than the switch.
            LdLoc(_entry);
            _il.EmitBranch(OpCodes.Brfalse, _blockLabels[0]);
        }

        LdLoc(_entry);
        _il.EmitSwitch(EntryLabels());
        if (UsesJumpTable)
            _il.EmitBranch(OpCodes.Br, _missed);
    }

    private void LeaveIfRequested()
    {
        var requested = _il.DefineLabel();
        PushRequest();
        _il.EmitBranch(OpCodes.Brtrue, requested);
        _coldPaths.Add(() =>
        {
            _il.BeginGlue("exit request");
            _il.MarkLabel(requested);
            _written = UsesJumpTable ? _registers.AtDispatch : 0;
            StoreRipFromSlow();
            GoOut(WayOut.Return);
        });
    }

    private int[] EntryLabels()
    {
        var labels = new int[_region.EntryNumbers];
        Array.Fill(labels, _missed);
        foreach (var block in _region.Entries)
        {
            if (labels[block.Entry] != _missed)
                continue;
            var label = labels[block.Entry] = _il.DefineLabel();
            _coldPaths.Add(() => EmitSideEntry(label, block));
        }

        return labels;
    }

    private void StoreRipOfCell()
    {
        FieldAddress(Slot.Rip * 8);
        _il.Emit(OpCodes.Ldarg_1);
        Ldc4(RipOffset);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I8);
        _il.Emit(OpCodes.Stind_I8);
    }

    // Counts entries from outside; one in so many leaves as a sample of what is entered most.
    private void CountEntry()
    {
        if (_options.RegionNumber == 0)
            return;
        var hot = _il.DefineLabel();
        var offset = FieldOffset(nameof(ExecutionState.EntriesToSample));
        FieldAddress(offset);
        FieldAddress(offset);
        _il.Emit(OpCodes.Ldind_I4);
        Ldc4(1);
        _il.Emit(OpCodes.Sub);
        _il.Emit(OpCodes.Stind_I4);
        FieldAddress(offset);
        _il.Emit(OpCodes.Ldind_I4);
        _il.EmitBranch(OpCodes.Brfalse, hot);
        _coldPaths.Add(() =>
        {
            _il.BeginGlue("hot entry");
            _il.MarkLabel(hot);
            StoreRipOfCell();
            SetCause(ExitCause.HotEntry);
            _written = 0;
            GoOut(WayOut.Return);
        });
    }

    private void EmitSideEntry(int label, RegionBlock block)
    {
        _il.BeginGlue("entry");
        _flags = FlagsForm.Memory;
        _il.MarkLabel(label);
        if (!UsesJumpTable || block.Entry >= _region.JumpTable!.Size)
        {
            _il.EmitBranch(OpCodes.Br, _blockLabels[block.Order]);
            return;
        }

        foreach (var target in _region.JumpTable.At(block.Entry))
        {
            LdLoc(_slow);
            Ldc((long)target.Start);
            _il.EmitBranch(OpCodes.Beq, _blockLabels[target.Order]);
        }

        _il.EmitBranch(OpCodes.Br, _missed);
    }

    private void EmitBlock(RegionBlock block)
    {
        _block = block;
        _insn = -1;
        _written = _registers.At(block);
        ForgetValues();
        _il.MarkLabel(_blockLabels[block.Order]);
        _flags = _flow.Entry(block);
        EmitLoopChecks(block);
        _ops = _flow.Ops(block);
        BeginX87(block);
        _live = new bool[_ops.Length];
        DeadFlags.MarkLive(_ops, _flow.IsLiveAfter(block), _live);
        if (_options.CountInstructions)
        {
            LdLoc(_count);
            Ldc((long)block.Addresses.Length);
            _il.Emit(OpCodes.Add);
            StLoc(_count);
        }

        for (var i = 0; i < _ops.Length; i++)
        {
            ref readonly var op = ref _ops[i];
            _opIndex = i;
            if (op.Insn != _insn)
            {
                _insn = op.Insn;
                _il.BeginInstruction(block.Addresses[_insn]);
            }

            var step = FlagsTransfer.At(op, _flags, _live[i]);
            if (step.NeedsMemory)
                Materialise();
            EmitCopies(op, step);
            _flags = step.During;
            EmitOp(op);
            _written = WrittenRegisters.After(op, _written);
            _flags = step.After;
        }
    }

    private void EmitOp(in IrOp op)
    {
        switch (op.Op)
        {
            case IrOpcode.Nop or IrOpcode.SetFlags or IrOpcode.RotateFlags or IrOpcode.SetCarry or IrOpcode.ProductFlags:
                break;
            case IrOpcode.Load or IrOpcode.LoadSigned:
                EmitLoad(op);
                break;
            case IrOpcode.Store:
                EmitStore(op);
                break;
            case IrOpcode.VLoad:
                EmitVectorLoad(op);
                break;
            case IrOpcode.VStore:
                EmitVectorStore(op);
                break;
            case IrOpcode.Lea:
                EmitOffset(op);
                StoreDst(op.Dst, op.Size, WidthOf(op.Form));
                break;
            case IrOpcode.LinearAddress:
                EmitLinear(op);
                StoreDst(op.Dst, 8, 8);
                break;
            case IrOpcode.CheckLimit:
                EmitCheckLimit(op);
                break;
            case IrOpcode.GetCondition:
                EmitCondition((Condition)op.Sub, _flags);
                StoreDst(op.Dst, 8, 4);
                NoteExtended(op.Dst, 1);
                break;
            case IrOpcode.GetFlags:
                PushStatus();
                StoreDst(op.Dst, 8, 4);
                break;
            case IrOpcode.SetFlagsIf:
                EmitSetFlagsIf(op);
                break;
            case IrOpcode.VMov or IrOpcode.VMovMmx or IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VToInt or IrOpcode.VFromInt:
                EmitVector(op);
                break;
            case IrOpcode.Call:
                EmitHelper(op);
                break;
            case >= IrOpcode.Jump:
                EmitControl(op);
                break;
            default:
                EmitInteger(op);
                break;
        }
    }
}

/// <summary>What an emitted region includes besides the guest's semantics.</summary>
/// <param name="CountInstructions">Add executed instructions to the state's counter.</param>
/// <param name="Alone">
/// The region is one block to be executed once: direct exits return to the dispatcher instead of jumping on.
/// </param>
/// <param name="WindowPages">Pages in the address space's window, a constant in the code; 0 reads it from the state.</param>
/// <param name="HeatCounter">
/// Host address of a 64-bit counter that executed instructions are added to as well, when they are counted; 0 for none.
/// </param>
/// <param name="PermissionsOffset">
/// <see cref="Runtime.Memory.AddressSpace.PermissionsOffset"/>, a constant in the code; 0 reads the table's address from the state.
/// </param>
/// <param name="RegionNumber">
/// Number of the region in <see cref="EntryCell.Local"/>, by which a jump finds that it leads back into the region; 0 for code that is
/// not entered through cells: all its indirect jumps leave it.
/// </param>
public readonly record struct EmitOptions(
    bool CountInstructions = false, bool Alone = false, ulong WindowPages = 0, nint HeatCounter = 0, int PermissionsOffset = 0,
    uint RegionNumber = 0);

/// <summary>Gives the cell of a jump target.</summary>
public unsafe interface ICellSource
{
    /// <summary>The cell of a guest address in a mode; null when the cells are gone.</summary>
    EntryCell* Cell(ulong rip, GuestMode mode);

    /// <summary>True when the cells are gone for good: code made with them can never run.</summary>
    bool IsGone => false;

    /// <summary>How the accesses of the instruction at a RIP have fared so far.</summary>
    AccessHistory History(ulong rip) => AccessHistory.Fast;

    /// <summary>True when tests on the way into the loop with a head at a RIP have failed too often.</summary>
    bool IsLoopRefused(ulong rip) => false;
}

/// <summary>What earlier translations of an instruction met at its memory accesses; decides the checks that the next one gets.</summary>
public enum AccessHistory : byte
{
    /// <summary>Nothing known: test the fast bit, for the neighbourhood too, leave to the interpreter otherwise.</summary>
    Fast,

    /// <summary>
    /// The fast bit was often missing, as in the last page of a mapping: test the pages of the first and last byte that are surely accessed.
    /// </summary>
    EdgePages,

    /// <summary>Not even that sufficed, as for data beside translated code: call the slow path instead of leaving.</summary>
    Slow,
}
