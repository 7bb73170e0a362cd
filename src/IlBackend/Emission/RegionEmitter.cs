using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Writes a region as one method: general registers and vector registers in IL locals, jumps inside the region as branches.
/// The method's shape: load the registers it uses, switch to the entry; the blocks; then, out of the way, slow paths and exits.
/// Invariant: at every IL instruction that can leave the method the locals hold the exact guest registers; what is missing (RIP, the flags)
/// is described by the fault site that the path out names.
/// This class goes over the blocks and hands each op to the part that it belongs to.
/// </summary>
public sealed class RegionEmitter
{
    private readonly EmitContext _context;
    private readonly ValueEmitter _values;
    private readonly AddressEmitter _addresses;
    private readonly ConditionEmitter _conditions;
    private readonly ColdPaths _cold;
    private readonly FlagsEmitter _flags;
    private readonly CountEmitter _counts;
    private readonly ExitEmitter _exits;
    private readonly AccessEmitter _access;
    private readonly X87Emitter _x87;
    private readonly IntegerEmitter _integers;
    private readonly VectorEmitter _vectors;
    private readonly HelperEmitter _helpers;
    private readonly ControlEmitter _control;
    private readonly EntryEmitter _entries;

    private RegionEmitter(EmitContext context)
    {
        _context = context;
        _values = new ValueEmitter(context);
        _addresses = new AddressEmitter(context, _values);
        _conditions = new ConditionEmitter(context, _values);
        _cold = new ColdPaths(context, _values);
        _cold.Flags = _flags = new FlagsEmitter(context, _values, _conditions, _cold);
        _counts = new CountEmitter(context);
        _exits = new ExitEmitter(context, _values, _flags, _counts, _cold);
        HostAccess host = context.Options.Access == AccessForm.Window ? new WindowAccess(context, _addresses) : new LookasideAccess(context, _addresses);
        _access = new AccessEmitter(context, _values, host, _exits, _cold);
        _x87 = new X87Emitter(context, _values, _access, host, _exits, _cold);
        _integers = new IntegerEmitter(context, _values);
        _vectors = new VectorEmitter(context, _values);
        _helpers = new HelperEmitter(context, _values, _x87, _counts, _exits, _cold);
        _control = new ControlEmitter(context, _values, _flags, _exits, _cold);
        _entries = new EntryEmitter(context, _values, _flags, host, _counts, _exits, _cold);
    }

    /// <summary>What the method refers to by its links.</summary>
    public LinkList Links => _context.Links;

    /// <summary>Plans and emits a region.</summary>
    /// <param name="il">Receives the IL.</param>
    /// <param name="region">The region, analysed.</param>
    /// <param name="history">How earlier translations have fared.</param>
    /// <param name="options">What to include.</param>
    public static RegionEmitter Emit(IlSink il, Region region, IAccessHistory history, EmitOptions options) =>
        Emit(il, RegionPlan.Make(region, history, options.Alone, options.IsLinked, options.Access == AccessForm.Window), options);

    /// <summary>Emits a region.</summary>
    /// <param name="il">Receives the IL.</param>
    /// <param name="plan">What was found out about the region.</param>
    /// <param name="options">What to include.</param>
    public static RegionEmitter Emit(IlSink il, RegionPlan plan, EmitOptions options)
    {
        var emitter = new RegionEmitter(new EmitContext(il, plan, options));
        emitter.Run();
        return emitter;
    }

    private void Run()
    {
        var il = _context.Il;
        _entries.Emit();
        foreach (var block in _context.Plan.Region.Blocks)
            EmitBlock(block);
        il.BeginGlue(IlSink.OutOfLine);

        // A slow path may add an exit; exits add nothing.
        _cold.EmitAll();
        il.BeginGlue("exits");
        _control.EmitExits();
        _exits.EmitWaysOut();
    }

    private void EmitBlock(RegionBlock block)
    {
        var (il, plan) = (_context.Il, _context.Plan);
        _context.Block = block;
        _context.Insn = -1;
        _values.Written = plan.Written.At(block);
        _values.ForgetAll();
        il.MarkLabel(_context.Labels.Of(block));
        _flags.Form = plan.Flags.Entry(block);
        _access.EmitLoopChecks(block);
        var ops = _context.Ops = plan.Flags.Ops(block);
        _x87.Begin(block);
        _counts.Add(block);
        var live = plan.Flags.Live(block);
        for (var i = 0; i < ops.Length; i++)
        {
            ref readonly var op = ref ops[i];
            _context.OpIndex = i;
            if (op.Insn != _context.Insn)
            {
                _context.Insn = op.Insn;
                il.BeginInstruction(block.Addresses[op.Insn]);
            }

            var step = FlagsTransfer.At(op, _flags.Form, live[i]);
            if (step.NeedsMemory)
                _flags.Materialise();
            _flags.Copy(op, step);
            _flags.Form = step.During;
            EmitOp(op);
            _values.Written = WrittenRegisters.After(op, _values.Written);
            _flags.Form = step.After;
        }
    }

    private void EmitOp(in IrOp op)
    {
        switch (op.Op)
        {
            case IrOpcode.Nop or IrOpcode.SetFlags or IrOpcode.RotateFlags or IrOpcode.SetCarry or IrOpcode.ProductFlags:
                break;
            case IrOpcode.Load or IrOpcode.LoadSigned:
                _access.Load(op);
                break;
            case IrOpcode.Store:
                _access.Store(op);
                break;
            case IrOpcode.VLoad:
                _access.LoadVector(op);
                break;
            case IrOpcode.VStore:
                _access.StoreVector(op);
                break;
            case IrOpcode.Lea:
                _addresses.PushOffset(op);
                _values.StoreDst(op.Dst, op.Size, AddressEmitter.WidthOf(op.Form));
                break;
            case IrOpcode.LinearAddress:
                _addresses.PushLinear(op);
                _values.StoreDst(op.Dst, 8, 8);
                break;
            case IrOpcode.CheckLimit:
                _access.CheckLimit(op);
                break;
            case IrOpcode.GetCondition:
                _conditions.Push((Condition)op.Sub, _flags.Form);
                _values.StoreDst(op.Dst, 8, 4);
                _values.NoteExtended(op.Dst, 1);
                break;
            case IrOpcode.GetFlags:
                _flags.PushStatus();
                _values.StoreDst(op.Dst, 8, 4);
                break;
            case IrOpcode.SetFlagsIf:
                _flags.SetIf(op);
                break;
            case IrOpcode.VMov or IrOpcode.VMovMmx or IrOpcode.VBinary or IrOpcode.VUnary or IrOpcode.VToInt or IrOpcode.VFromInt:
                _vectors.Emit(op);
                break;
            case IrOpcode.Call:
                _helpers.Emit(op);
                break;
            case >= IrOpcode.Jump:
                _control.Emit(op);
                break;
            default:
                _integers.Emit(op);
                break;
        }
    }
}
