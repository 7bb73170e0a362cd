using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Helpers.X87;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// x87 instructions whose registers are known. The first of a block compares TOP, tags and masks in the state with what
/// <see cref="X87Stack.Flow"/> expects and leaves to the interpreter if they differ; from there on a register is a constant address,
/// moves are inline, and arithmetic calls helpers that test nothing. TOP and tags in the state are right after every instruction, so any
/// other instruction may call its general helper, and exits need nothing.
/// </summary>
internal sealed class X87Emitter(EmitContext context, ValueEmitter values, AccessEmitter access, HostAccess host, ExitEmitter exits, ColdPaths cold)
    : EmitterPart(context)
{
    // Instructions of a block from which on the comparison pays.
    private const int MinKnownX87 = 2;
    private const int X87Registers = CpuState.X87Offset - X87State.ControlOffset;
    private const int StatusOffset = CpuState.X87Offset + 2;
    private const int StackOffset = CpuState.X87Offset + 4;
    private const int LastOffset = CpuState.X87Offset + 8;
    private const int PointerOffset = CpuState.X87Offset + 16;
    private X87Stack? _x87;
    private bool _x87Checked;
    private int _x87Significand = -1;
    private int _x87Exponent = -1;

    /// <summary>At the beginning of a block.</summary>
    public void Begin(RegionBlock block)
    {
        _x87 = Plan.X87At(block);
        _x87Checked = false;
        if (_x87 == null)
            return;
        var count = 0;
        foreach (ref readonly var op in Ops.AsSpan())
            if (X87Stack.IsX87(op))
                count++;
        if (count < MinKnownX87)
            _x87 = null;
    }

    /// <summary>True when the instruction has been emitted; else its general helper is to be called.</summary>
    public bool TryEmit(in IrOp op, HelperId id)
    {
        if (_x87 is not { } stack || !X87Stack.IsX87(op))
            return false;
        var effect = stack.Apply(op, out var after);
        if (effect == X87Effect.Unknown || (!_x87Checked && access.IsSlow))
        {
            _x87 = null;
            return false;
        }

        if (!_x87Checked && effect == X87Effect.Known)
        {
            CheckX87(stack);
            _x87Checked = true;
        }

        _x87 = after;
        if (effect == X87Effect.Control)
        {
            _x87Checked = false;
            return false;
        }

        return op.B == Slot.Zero && EmitKnownX87(op, id, stack, after);
    }

    private void CheckX87(X87Stack stack)
    {
        var slow = Il.DefineLabel();
        FieldAddress(StackOffset);
        Il.Emit(OpCodes.Ldind_I4);
        Ldc4(stack.Word);
        Il.EmitBranch(OpCodes.Bne_Un, slow);
        FieldAddress(CpuState.X87Offset);
        Il.Emit(OpCodes.Ldind_U2);
        Ldc4((int)X87Bits.Exceptions);
        Il.Emit(OpCodes.And);
        Ldc4((int)X87Bits.Exceptions);
        Il.EmitBranch(OpCodes.Bne_Un, slow);
        exits.LeaveSlowly(slow);
    }

    private bool EmitKnownX87(in IrOp op, HelperId id, X87Stack stack, X87Stack after)
    {
        var i = X87Stack.RegisterOf(op);
        switch (id)
        {
            case >= HelperId.X87AddTop and <= HelperId.X87DivideReverseInt:
                return EmitKnownArithmetic(op, id, stack, after);
            case HelperId.X87FldSingle:
                CallX87Memory(op, X87KnownHelpers.OfLoad(false), after.Top);
                StoreX87Stack(after);
                return true;
            case HelperId.X87FldDouble:
                LoadX87Double(op, after);
                return true;
            case HelperId.X87FstSingle or HelperId.X87FstpSingle or HelperId.X87FstDouble or HelperId.X87FstpDouble:
                CallX87Memory(op, X87KnownHelpers.OfStore(id is HelperId.X87FstDouble or HelperId.X87FstpDouble), stack.Top);
                if (after != stack)
                    StoreX87Stack(after);
                return true;
            case HelperId.X87FldRegister:
                CopyX87(after.Top, stack.Physical(i));
                break;
            case HelperId.X87FldConstant when i is 0 or 6:
                RegisterAddress(after.Top, 0);
                Ldc(i == 0 ? long.MinValue : 0);
                Il.Emit(OpCodes.Stind_I8);
                RegisterAddress(after.Top, 8);
                Ldc4(i == 0 ? 0x3FFF : 0);
                Il.Emit(OpCodes.Stind_I2);
                break;
            case HelperId.X87FstRegister or HelperId.X87FstpRegister:
                if (i != 0)
                    CopyX87(stack.Physical(i), stack.Top);
                break;
            case HelperId.X87Fxch:
                if (i != 0)
                    ExchangeX87(stack.Top, stack.Physical(i));
                break;
            case HelperId.X87Fabs or HelperId.X87Fchs:
                RegisterAddress(stack.Top, 8);
                RegisterAddress(stack.Top, 8);
                Il.Emit(OpCodes.Ldind_U2);
                Ldc4(id == HelperId.X87Fabs ? 0x7FFF : 0x8000);
                Il.Emit(id == HelperId.X87Fabs ? OpCodes.And : OpCodes.Xor);
                Il.Emit(OpCodes.Stind_I2);
                break;
            default:
                return false;
        }

        // Moves clear C1. The next instruction does it too, and replaces the last instruction, before anybody can look.
        if (after != stack)
            StoreX87Stack(after);
        if (IsReplacedByNext(after))
            return true;
        ClearC1();
        StoreLast(op);
        return true;
    }

    // FLD m64: a normal number in a page of the fast path is widened here, everything else by the helper.
    private void LoadX87Double(in IrOp op, X87Stack after)
    {
        var slow = Il.DefineLabel();
        var resume = Il.DefineLabel();
        var leave = exits.LeaveSite();
        DeclareX87Locals();
        values.Push(op.A, 8);
        StLoc(Locals.Ea);
        host.EmitReadCheck(8, slow);
        host.PushReadAddress();
        Il.Emit(OpCodes.Ldind_I8);
        StLoc(_x87Significand);

        // An exponent of neither 0 nor 7FF.
        LdLoc(_x87Significand);
        Ldc(0x7FF0000000000000);
        Il.Emit(OpCodes.And);
        Ldc(0x0010000000000000);
        Il.Emit(OpCodes.Sub);
        Ldc(0x7FE0000000000000);
        Il.EmitBranch(OpCodes.Bge_Un, slow);
        RegisterAddress(after.Top, 0);
        LdLoc(_x87Significand);
        Ldc4(11);
        Il.Emit(OpCodes.Shl);
        Ldc(long.MinValue);
        Il.Emit(OpCodes.Or);
        Il.Emit(OpCodes.Stind_I8);
        RegisterAddress(after.Top, 8);
        PushDoubleBits(52, 0x7FF);
        Ldc4(0x3FFF - 0x3FF);
        Il.Emit(OpCodes.Add);
        PushDoubleBits(48, 0x8000);
        Il.Emit(OpCodes.Or);
        Il.Emit(OpCodes.Stind_I2);
        ClearC1();
        Il.MarkLabel(resume);
        StoreX87Stack(after);
        StorePointers(op);
        var (linear, top, last) = (op.A, after.Top, op.Imm);
        cold.Here(() =>
        {
            Il.MarkLabel(slow);
            host.EmitMiss();
            Il.Emit(OpCodes.Ldarg_0);
            values.Push(linear, 8);
            RegisterAddress(top, 0);
            Ldc(last);
            Il.EmitCall(X87KnownHelpers.OfLoad(true));
            exits.LeaveIfPending(leave);
            Il.EmitBranch(OpCodes.Br, resume);
        });
    }

    private void PushDoubleBits(int shift, int mask)
    {
        LdLoc(_x87Significand);
        Ldc4(shift);
        Il.Emit(OpCodes.Shr_Un);
        Il.Emit(OpCodes.Conv_I4);
        Ldc4(mask);
        Il.Emit(OpCodes.And);
    }

    private void ClearC1()
    {
        FieldAddress(StatusOffset);
        FieldAddress(StatusOffset);
        Il.Emit(OpCodes.Ldind_U2);
        Ldc4(0xFFFF ^ (int)X87Bits.C1);
        Il.Emit(OpCodes.And);
        Il.Emit(OpCodes.Stind_I2);
    }

    private bool EmitKnownArithmetic(in IrOp op, HelperId id, X87Stack stack, X87Stack after)
    {
        const int forms = HelperId.X87MultiplyTop - HelperId.X87AddTop;
        var form = (id - HelperId.X87AddTop) % forms;
        var operation = (HelperId)((int)id - form);
        var other = stack.Physical(X87Stack.RegisterOf(op));
        switch (form)
        {
            case 0 or 1 or 2:
                Il.Emit(OpCodes.Ldarg_0);
                RegisterAddress(form == 0 ? stack.Top : other, 0);
                RegisterAddress(form == 0 ? other : stack.Top, 0);
                Il.EmitCall(X87KnownHelpers.OfRegisters(operation));
                if (after != stack)
                    StoreX87Stack(after);
                if (!IsReplacedByNext(after))
                    StoreLast(op);
                return true;
            case 3 or 4:
                CallX87Memory(op, X87KnownHelpers.OfMemory(operation, form == 4), stack.Top);
                return true;
            default:
                return false;
        }
    }

    // Calls a helper (state, linear address, register), leaves if it faulted, and keeps what FNSTENV tells.
    private void CallX87Memory(in IrOp op, MethodInfo helper, int register)
    {
        var leave = exits.LeaveSite();
        Il.Emit(OpCodes.Ldarg_0);
        values.Push(op.A, 8);
        RegisterAddress(register, 0);
        Ldc(op.Imm);
        Il.EmitCall(helper);
        var fail = Il.DefineLabel();
        LoadField(nameof(ExecutionState.ExceptionVector), OpCodes.Ldind_I4);
        Ldc4(0);
        Il.EmitBranch(OpCodes.Bge, fail);
        cold.Here(() =>
        {
            Il.MarkLabel(fail);
            exits.Leave(leave);
        });
        StorePointers(op);
    }

    // What FNSTENV tells about an instruction with a memory operand.
    private void StorePointers(in IrOp op)
    {
        StoreLast(op);
        FieldAddress(PointerOffset);
        values.Push(op.A, 8);
        if (op.C != Slot.Zero)
        {
            values.Push(op.C, 8);
            Il.Emit(OpCodes.Sub);
        }

        Il.Emit(OpCodes.Stind_I8);
    }

    private void StoreLast(in IrOp op)
    {
        FieldAddress(LastOffset);
        Ldc((long)X87State.WithoutOperand((ulong)op.Imm));
        Il.Emit(OpCodes.Stind_I8);
    }

    private void StoreX87Stack(X87Stack stack)
    {
        FieldAddress(StackOffset);
        Ldc4(stack.Word);
        Il.Emit(OpCodes.Stind_I4);
    }

    private void RegisterAddress(int physical, int offset) => FieldAddress(X87Registers + (physical * 16) + offset);

    // In two parts, as they are read and written everywhere: a load of both just after stores of each would wait.
    private void CopyX87(int target, int source)
    {
        RegisterAddress(target, 0);
        RegisterAddress(source, 0);
        Il.Emit(OpCodes.Ldind_I8);
        Il.Emit(OpCodes.Stind_I8);
        RegisterAddress(target, 8);
        RegisterAddress(source, 8);
        Il.Emit(OpCodes.Ldind_U2);
        Il.Emit(OpCodes.Stind_I2);
    }

    private void ExchangeX87(int a, int b)
    {
        DeclareX87Locals();
        RegisterAddress(a, 0);
        Il.Emit(OpCodes.Ldind_I8);
        StLoc(_x87Significand);
        RegisterAddress(a, 8);
        Il.Emit(OpCodes.Ldind_U2);
        StLoc(_x87Exponent);
        CopyX87(a, b);
        RegisterAddress(b, 0);
        LdLoc(_x87Significand);
        Il.Emit(OpCodes.Stind_I8);
        RegisterAddress(b, 8);
        LdLoc(_x87Exponent);
        Il.Emit(OpCodes.Stind_I2);
    }

    private void DeclareX87Locals()
    {
        if (_x87Significand >= 0)
            return;
        _x87Significand = Il.DeclareLocal(typeof(long), "significand");
        _x87Exponent = Il.DeclareLocal(typeof(int), "exponent");
    }

    // True when the next op is an x87 instruction without a memory operand that is emitted here: it cannot fault, and it writes C1 and the
    // last instruction.
    private bool IsReplacedByNext(X87Stack stack)
    {
        if (OpIndex + 1 >= Ops.Length)
            return false;
        ref readonly var next = ref Ops[OpIndex + 1];
        if (!X87Stack.IsX87(next) || next.B != Slot.Zero || stack.Apply(next, out _) != X87Effect.Known)
            return false;
        var id = (HelperId)next.Sub;
        return id switch
        {
            >= HelperId.X87AddTop and <= HelperId.X87DivideReverseInt => (id - HelperId.X87AddTop) % (HelperId.X87MultiplyTop - HelperId.X87AddTop) <= 2,
            HelperId.X87FldRegister or HelperId.X87FstRegister or HelperId.X87FstpRegister or HelperId.X87Fxch or HelperId.X87Fabs or HelperId.X87Fchs => true,
            _ => false,
        };
    }
}
