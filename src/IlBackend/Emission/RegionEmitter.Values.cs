using System.Reflection.Emit;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.IlBackend.Emission;

/// <content>
/// Values: slots on and off the IL stack. Widths are 4 (int32 on the stack, upper garbage allowed for sizes 1 and 2) or 8 (int64).
/// </content>
public sealed unsafe partial class RegionEmitter
{
    // Of each integer slot, in the block so far: its value is zero-extended from this many bytes; 0 when nothing is known.
    private readonly byte[] _extendedFrom = new byte[Slot.Count];

    // Of each general register, in the block so far: bytes of its low part that are in a local of their own, since they were inserted; and
    // whether bits 15:8 are. Who reads a part need not wait for the whole, and often nobody reads the whole.
    private readonly byte[] _lowSize = new byte[16];
    private readonly bool[] _hasHigh = new bool[16];
    private readonly int[] _lowLocal = new int[16];
    private readonly int[] _highLocal = new int[16];

    private static int Width(int size) => size == 8 ? 8 : 4;

    private void ForgetValues()
    {
        Array.Clear(_extendedFrom);
        Array.Clear(_lowSize);
        Array.Clear(_hasHigh);
    }

    private void LdLoc(int local) => _il.EmitLocal(OpCodes.Ldloc, local);

    private void StLoc(int local) => _il.EmitLocal(OpCodes.Stloc, local);

    private void Ldc(long value) => _il.Emit(OpCodes.Ldc_I8, value);

    private void Ldc4(int value) => _il.Emit(OpCodes.Ldc_I4, value);

    private void LdcWidth(long value, int width)
    {
        if (width == 8)
            Ldc(value);
        else
            Ldc4((int)value);
    }

    private void FieldAddress(int offset) => _il.EmitStateAddress(offset);

    // Of a field of the execution part.
    private static int FieldOffset(string name) => CpuState.ExecutionOffset + (int)Marshal.OffsetOf<ExecutionState>(name);

    private void LoadField(string name, OpCode load)
    {
        FieldAddress(FieldOffset(name));
        _il.Emit(load);
    }

    private void LoadSlotMemory(int slot, int width)
    {
        FieldAddress(slot * 8);
        _il.Emit(width == 8 ? OpCodes.Ldind_I8 : OpCodes.Ldind_I4);
    }

    /// <summary>Pushes a slot.</summary>
    private void Push(ushort slot, int width)
    {
        if (slot == Slot.Zero)
        {
            LdcWidth(0, width);
            return;
        }

        var local = _slotLocal[slot];
        if (local < 0)
        {
            LoadSlotMemory(slot, width);
            return;
        }

        LdLoc(local);
        if (_slotIsWide[slot] && width == 4)
            _il.Emit(OpCodes.Conv_I4);
        else if (!_slotIsWide[slot] && width == 8)
            _il.Emit(OpCodes.Conv_U8);
    }

    /// <summary>Pushes slot + constant.</summary>
    private void Push(ushort slot, long imm, int width)
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
        _il.Emit(OpCodes.Add);
    }

    private void PushB(in IrOp op, int width) => Push(op.B, op.Imm, width);

    /// <summary>Pushes slot + constant zero-extended from <paramref name="size"/>, as <paramref name="width"/>.</summary>
    private void PushZero(ushort slot, long imm, int size, int width)
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
                _il.Emit(OpCodes.Conv_U1);
            if (width == 8)
                _il.Emit(OpCodes.Conv_U8);
            return true;
        }

        if (_extendedFrom[slot] == 0 || _extendedFrom[slot] > size)
            return false;
        Push(slot, width);
        return true;
    }

    /// <summary>Pushes slot + constant sign-extended from <paramref name="size"/> to its width.</summary>
    private void PushSigned(ushort slot, long imm, int size)
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

    private static long SignExtended(ulong value, int size) => (long)(value << (64 - (size * 8))) >> (64 - (size * 8));

    private static ulong Mask(ulong value, int size) => size == 8 ? value : value & ((1UL << (size * 8)) - 1);

    // The value on the stack has Width(size); upper bits of a narrow one are garbage.
    private void ZeroExtend(int size, int width)
    {
        if (size == 1)
            _il.Emit(OpCodes.Conv_U1);
        else if (size == 2)
            _il.Emit(OpCodes.Conv_U2);
        if (size < 8 && width == 8)
            _il.Emit(OpCodes.Conv_U8);
    }

    private void SignExtend(int size)
    {
        if (size == 1)
            _il.Emit(OpCodes.Conv_I1);
        else if (size == 2)
            _il.Emit(OpCodes.Conv_I2);
    }

    /// <summary>Pops a value of <paramref name="width"/>, truncates it to <paramref name="size"/> bytes, stores it zero-extended.</summary>
    private void StoreDst(ushort slot, int size, int width)
    {
        if (slot == Slot.Void)
        {
            _il.Emit(OpCodes.Pop);
            return;
        }

        Forget(slot);
        NoteExtended(slot, size);
        if (width == 8 && size < 8)
        {
            _il.Emit(OpCodes.Conv_I4);
            width = 4;
        }

        if (size == 1)
            _il.Emit(OpCodes.Conv_U1);
        else if (size == 2)
            _il.Emit(OpCodes.Conv_U2);
        var local = _slotLocal[slot];
        if (local >= 0)
        {
            if (_slotIsWide[slot] && width == 4)
                _il.Emit(OpCodes.Conv_U8);
            else if (!_slotIsWide[slot] && width == 8)
                _il.Emit(OpCodes.Conv_I4);
            StLoc(local);
            return;
        }

        if (width == 4)
            _il.Emit(OpCodes.Conv_U8);
        StLoc(_scratch);
        FieldAddress(slot * 8);
        LdLoc(_scratch);
        _il.Emit(OpCodes.Stind_I8);
    }

    // Slots without a local may be changed by helpers.
    private void NoteExtended(ushort slot, int size)
    {
        if (slot != Slot.Void && _slotLocal[slot] >= 0)
            _extendedFrom[slot] = (byte)size;
    }

    private void Forget(ushort slot)
    {
        _extendedFrom[slot] = 0;
        if (Slot.IsGpr(slot))
            (_lowSize[slot], _hasHigh[slot]) = (0, false);
    }

    // Pops an int32, zero-extended: the part of a register that was just inserted.
    private void StorePart(int[] locals, ushort slot, string part)
    {
        if (locals[slot] < 0)
            locals[slot] = _il.DeclareLocal(typeof(int), $"{Slot.Name(slot)}.{part}");
        StLoc(locals[slot]);
    }

    private void LoadRegisters()
    {
        ForgetValues();
        for (ushort i = 0; i < 16; i++)
        {
            if (_slotLocal[i] < 0)
                continue;
            LoadSlotMemory(i, _slotIsWide[i] ? 8 : 4);
            StLoc(_slotLocal[i]);
        }
    }

    private void LoadVectors()
    {
        for (ushort i = 0; i < 16; i++)
        {
            if (_vectorLocal[i] < 0)
                continue;
            VectorAddress(i);
            _il.EmitType(OpCodes.Ldobj, VectorType);
            StLoc(_vectorLocal[i]);
        }
    }

    private void VectorAddress(int cell) => FieldAddress(CpuState.VectorOffset + (cell * 16));
}
