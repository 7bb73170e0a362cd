using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Values: slots on and off the IL stack, what is known of their widths, and which registers differ from the state in memory. Widths are 4 (int32
/// on the stack, upper garbage allowed for sizes 1 and 2) or 8 (int64).
/// </summary>
internal sealed class ValueEmitter : EmitterPart
{
    // Of each integer slot, in the block so far: its value is zero-extended from this many bytes; 0 when nothing is known.
    private readonly byte[] _extendedFrom = new byte[Slot.Count];

    // Of each general register, in the block so far: bytes of its low part that are in a local of their own, since they were inserted; and
    // whether bits 15:8 are. Who reads a part need not wait for the whole, and often nobody reads the whole.
    private readonly byte[] _lowSize = new byte[16];
    private readonly bool[] _hasHigh = new bool[16];
    private readonly int[] _lowLocal = new int[16];
    private readonly int[] _highLocal = new int[16];

    public ValueEmitter(EmitContext context)
        : base(context)
    {
        Array.Fill(_lowLocal, -1);
        Array.Fill(_highLocal, -1);
    }

    /// <summary>The registers that may differ from the state in memory here (<see cref="WrittenRegisters"/>).</summary>
    public uint Written { get; set; }

    /// <summary>Width of the locals that hold parts of the flags.</summary>
    public int FlagsPartWidth => Locals.IsWide(Slot.Part0) ? 8 : 4;

    /// <summary>Forgets what is known of values, at the beginning of a block or path.</summary>
    public void ForgetAll()
    {
        Array.Clear(_extendedFrom);
        Array.Clear(_lowSize);
        Array.Clear(_hasHigh);
    }

    /// <summary>Pushes a slot.</summary>
    public void Push(ushort slot, int width)
    {
        if (slot == Slot.Zero)
        {
            LdcWidth(0, width);
            return;
        }

        var local = Locals.Of(slot);
        if (local < 0)
        {
            LoadSlotMemory(slot, width);
            return;
        }

        LdLoc(local);
        if (Locals.IsWide(slot) && width == 4)
            Il.Emit(OpCodes.Conv_I4);
        else if (!Locals.IsWide(slot) && width == 8)
            Il.Emit(OpCodes.Conv_U8);
    }

    /// <summary>Pushes slot + constant.</summary>
    public void Push(ushort slot, long imm, int width)
    {
        if (slot == Slot.Zero)
        {
            LdcWidth(imm, width);
            return;
        }

        Push(slot, width);
        if (imm == 0)
            return;
        LdcWidth(imm, width);
        Il.Emit(OpCodes.Add);
    }

    /// <summary>Pushes operand B of an op with its constant.</summary>
    public void PushB(in IrOp op, int width) => Push(op.B, op.Imm, width);

    /// <summary>Pushes slot + constant zero-extended from <paramref name="size"/>, as <paramref name="width"/>.</summary>
    public void PushZero(ushort slot, long imm, int size, int width)
    {
        if (slot == Slot.Zero)
        {
            LdcWidth((long)Mask((ulong)imm, size), width);
            return;
        }

        if (imm == 0 && TryPushExtended(slot, size, width))
            return;
        Push(slot, imm, Width(size));
        ZeroExtend(size, width);
    }

    // Pushes the low part of a slot where it needs no extension.
    private bool TryPushExtended(ushort slot, int size, int width)
    {
        if (Slot.IsGpr(slot) && size <= _lowSize[slot])
        {
            LdLoc(_lowLocal[slot]);
            if (size < _lowSize[slot])
                Il.Emit(OpCodes.Conv_U1);
            if (width == 8)
                Il.Emit(OpCodes.Conv_U8);
            return true;
        }

        if (_extendedFrom[slot] == 0 || _extendedFrom[slot] > size)
            return false;
        Push(slot, width);
        return true;
    }

    /// <summary>Pushes slot + constant sign-extended from <paramref name="size"/> to its width.</summary>
    public void PushSigned(ushort slot, long imm, int size)
    {
        if (slot == Slot.Zero)
        {
            LdcWidth(SignExtended((ulong)imm, size), Width(size));
            return;
        }

        if (imm == 0 && Slot.IsGpr(slot) && size <= _lowSize[slot])
            LdLoc(_lowLocal[slot]);
        else
            Push(slot, imm, Width(size));
        SignExtend(size);
    }

    /// <summary>Pushes bits 15:8 of a slot, as int32.</summary>
    public void PushHigh(ushort slot)
    {
        if (Slot.IsGpr(slot) && _hasHigh[slot])
        {
            LdLoc(_highLocal[slot]);
            return;
        }

        Push(slot, 4);
        Ldc4(8);
        Il.Emit(OpCodes.Shr_Un);
    }

    private void PushMaskedCount(in IrOp op)
    {
        Push(op.B, op.Imm, 4);
        Ldc4(op.Size == 8 ? 63 : 31);
        Il.Emit(OpCodes.And);
    }

    /// <summary>Pushes the result of a shift, upper garbage allowed.</summary>
    // IL leaves counts of the operand's width and more undefined: counts are below 32 (64), and narrow
    // operands are shifted as 32 bits, where a count above their size gives what the definition asks for.
    public void PushShifted(in IrOp op, int width)
    {
        if (op.Op == IrOpcode.Shl)
            Push(op.A, width);
        else if (op.Op == IrOpcode.Shr)
            PushZero(op.A, 0, op.Size, width);
        else
            PushSigned(op.A, 0, op.Size);
        if (op.B == Slot.Zero)
            Ldc4((int)op.Imm & (op.Size == 8 ? 63 : 31));
        else
            PushMaskedCount(op);
        Il.Emit(op.Op switch { IrOpcode.Shl => OpCodes.Shl, IrOpcode.Shr => OpCodes.Shr_Un, _ => OpCodes.Shr });
    }

    private static long SignExtended(ulong value, int size) => (long)(value << (64 - (size * 8))) >> (64 - (size * 8));

    private static ulong Mask(ulong value, int size) => size == 8 ? value : value & ((1UL << (size * 8)) - 1);

    /// <summary>Zero-extends the value on the stack, which has Width(size): upper bits of a narrow one are garbage.</summary>
    public void ZeroExtend(int size, int width)
    {
        if (size == 1)
            Il.Emit(OpCodes.Conv_U1);
        else if (size == 2)
            Il.Emit(OpCodes.Conv_U2);
        if (size < 8 && width == 8)
            Il.Emit(OpCodes.Conv_U8);
    }

    /// <summary>Sign-extends the value on the stack to its width.</summary>
    public void SignExtend(int size)
    {
        if (size == 1)
            Il.Emit(OpCodes.Conv_I1);
        else if (size == 2)
            Il.Emit(OpCodes.Conv_I2);
    }

    /// <summary>Pops a value of <paramref name="width"/>, truncates it to <paramref name="size"/> bytes, stores it zero-extended.</summary>
    public void StoreDst(ushort slot, int size, int width)
    {
        if (slot == Slot.Void)
        {
            Il.Emit(OpCodes.Pop);
            return;
        }

        Forget(slot);
        NoteExtended(slot, size);
        if (width == 8 && size < 8)
        {
            Il.Emit(OpCodes.Conv_I4);
            width = 4;
        }

        if (size == 1)
            Il.Emit(OpCodes.Conv_U1);
        else if (size == 2)
            Il.Emit(OpCodes.Conv_U2);
        var local = Locals.Of(slot);
        if (local >= 0)
        {
            if (Locals.IsWide(slot) && width == 4)
                Il.Emit(OpCodes.Conv_U8);
            else if (!Locals.IsWide(slot) && width == 8)
                Il.Emit(OpCodes.Conv_I4);
            StLoc(local);
            return;
        }

        if (width == 4)
            Il.Emit(OpCodes.Conv_U8);
        StLoc(Locals.Scratch);
        FieldAddress(slot * 8);
        LdLoc(Locals.Scratch);
        Il.Emit(OpCodes.Stind_I8);
    }

    /// <summary>Notes that the value in a slot is zero-extended from so many bytes.</summary>
    public void NoteExtended(ushort slot, int size)
    {
        // Slots without a local may be changed by helpers.
        if (slot != Slot.Void && Locals.Of(slot) >= 0)
            _extendedFrom[slot] = (byte)size;
    }

    /// <summary>True when a 4- or 8-byte value that replaces the one in a slot leaves nothing of it: upper halves are zero already.</summary>
    public bool IsWhole(ushort slot, int size) =>
        size == 8 || (size == 4 && (!Locals.IsWide(slot) || _extendedFrom[slot] is > 0 and <= 4));

    private void Forget(ushort slot)
    {
        _extendedFrom[slot] = 0;
        if (Slot.IsGpr(slot))
            (_lowSize[slot], _hasHigh[slot]) = (0, false);
    }

    /// <summary>Mov.</summary>
    public void Move(in IrOp op, int width)
    {
        // A value that is extended as the destination asks for is copied as it is.
        var from = op.Imm == 0 && op.B != Slot.Zero ? _extendedFrom[op.B] : 0;
        if (from != 0 && from <= op.Size && Locals.Of(op.Dst) >= 0 && Locals.IsWide(op.Dst))
        {
            Push(op.B, 8);
            StLoc(Locals.Of(op.Dst));
            Forget(op.Dst);
            _extendedFrom[op.Dst] = (byte)from;
            return;
        }

        if (op.Size < 4)
            PushZero(op.B, op.Imm, op.Size, 4);
        else
            PushB(op, width);
        StoreDst(op.Dst, op.Size, width);
    }

    /// <summary>Insert, InsertHigh.</summary>
    public void Insert(in IrOp op)
    {
        var isHigh = op.Op == IrOpcode.InsertHigh;
        var width = Plan.Is64 ? 8 : 4;
        if (!Slot.IsGpr(op.Dst))
        {
            PushRest(op, width);
            PushZero(op.B, op.Imm, isHigh ? 1 : op.Size, width);
            PlaceInserted(isHigh);
            StoreDst(op.Dst, width, width);
            return;
        }

        // The part not written stays known where the op keeps the register.
        var keepsHigh = op.A == op.Dst && _hasHigh[op.Dst] && !isHigh && op.Size == 1;
        var lowKept = op.A == op.Dst && isHigh && _lowSize[op.Dst] == 1;
        var (locals, part) = isHigh ? (_highLocal, "high") : (_lowLocal, "low");
        PushZero(op.B, op.Imm, isHigh ? 1 : op.Size, 4);
        StorePart(locals, op.Dst, part);
        PushRest(op, width);
        LdLoc(locals[op.Dst]);
        if (width == 8)
            Il.Emit(OpCodes.Conv_U8);
        PlaceInserted(isHigh);
        StoreDst(op.Dst, width, width);
        _hasHigh[op.Dst] = isHigh || keepsHigh;
        _lowSize[op.Dst] = isHigh ? (byte)(lowKept ? 1 : 0) : op.Size;
    }

    private void PushRest(in IrOp op, int width)
    {
        Push(op.A, width);
        LdcWidth(op.Op == IrOpcode.InsertHigh ? ~0xFF00L : op.Size == 1 ? ~0xFFL : ~0xFFFFL, width);
        Il.Emit(OpCodes.And);
    }

    private void PlaceInserted(bool isHigh)
    {
        if (isHigh)
        {
            Ldc4(8);
            Il.Emit(OpCodes.Shl);
        }

        Il.Emit(OpCodes.Or);
    }

    // Pops an int32, zero-extended: the part of a register that was just inserted.
    private void StorePart(int[] locals, ushort slot, string part)
    {
        if (locals[slot] < 0)
            locals[slot] = Il.DeclareLocal(typeof(int), $"{Slot.Name(slot)}.{part}");
        StLoc(locals[slot]);
    }

    /// <summary>Loads the general registers that the region uses from the state.</summary>
    public void LoadRegisters()
    {
        ForgetAll();
        for (ushort i = 0; i < 16; i++)
        {
            if (Locals.Of(i) < 0)
                continue;
            LoadSlotMemory(i, Locals.IsWide(i) ? 8 : 4);
            StLoc(Locals.Of(i));
        }
    }

    /// <summary>Loads the vector registers that the region uses from the state.</summary>
    public void LoadVectors()
    {
        for (ushort i = 0; i < 16; i++)
        {
            if (Locals.OfVector(i) < 0)
                continue;
            VectorAddress(i);
            Il.EmitType(OpCodes.Ldobj, VectorType);
            StLoc(Locals.OfVector(i));
        }
    }

    /// <summary>Stores registers of a set (<see cref="WrittenRegisters"/>).</summary>
    public void StoreWritten(uint set)
    {
        for (ushort i = 0; i < 16; i++)
        {
            if ((set >> i & 1) == 0)
                continue;
            FieldAddress(i * 8);
            Push(i, 8);
            Il.Emit(OpCodes.Stind_I8);
        }

        for (ushort i = 0; i < 16; i++)
        {
            if ((set >> (16 + i) & 1) == 0)
                continue;
            VectorAddress(i);
            LdLoc(Locals.OfVector(i));
            Il.EmitType(OpCodes.Stobj, VectorType);
        }
    }

    /// <summary>Pushes a vector cell.</summary>
    public void PushVector(ushort cell)
    {
        if (cell < VSlot.Mm0)
        {
            LdLoc(Locals.OfVector(cell));
            return;
        }

        VectorAddress(cell);
        Il.EmitType(OpCodes.Ldobj, VectorType);
    }

    /// <summary>Before the value of a vector cell is pushed: a cell of the MMX file is written through memory, its address is below the value.</summary>
    public void BeginVectorStore(ushort cell)
    {
        if (cell >= VSlot.Mm0)
            VectorAddress(cell);
    }

    /// <summary>Pops the value of a vector cell.</summary>
    public void EndVectorStore(ushort cell)
    {
        if (cell < VSlot.Mm0)
            StLoc(Locals.OfVector(cell));
        else
            Il.EmitType(OpCodes.Stobj, VectorType);
    }
}
