using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <content>Operands: registers, memory, stack.</content>
public sealed partial class LiftContext
{
    /// <summary>Size in bytes of operand <paramref name="index"/> (register width, or size of the memory operand).</summary>
    public int OperandSize(int index) => _insn.GetOpKind(index) switch
    {
        OpKind.Register => _insn.GetOpRegister(index).GetSize(),
        OpKind.Memory or (>= OpKind.MemorySegSI and <= OpKind.MemoryESRDI) => _insn.MemorySize.GetSize(),
        OpKind.Immediate8 => 1,
        OpKind.Immediate8to16 or OpKind.Immediate16 => 2,
        OpKind.Immediate8to32 or OpKind.Immediate32 => 4,
        _ => 8,
    };

    /// <summary>True when operand <paramref name="index"/> is in memory.</summary>
    public bool IsMemory(int index) => _insn.GetOpKind(index) == OpKind.Memory;

    /// <summary>The value of an integer operand; a memory operand is loaded. Bits above its size are undefined for registers.</summary>
    public Val Read(int index)
    {
        switch (_insn.GetOpKind(index))
        {
            case OpKind.Register:
                return ReadRegister(_insn.GetOpRegister(index));
            case OpKind.Memory:
                var size = OperandSize(index);
                return Load(size, MemoryOperand(size));
            default:
                return Val.Const((long)_insn.GetImmediate(index));
        }
    }

    /// <summary>The value of an operand as a slot.</summary>
    public ushort ReadSlot(int index)
    {
        var value = Read(index);
        return value.Imm == 0 ? value.Slot : Copy(8, value);
    }

    /// <summary>The slot whose low bits are the general register (high byte registers are extracted).</summary>
    public ushort ReadRegister(Register register)
    {
        if (!Registers.IsHighByte(register))
            return Registers.Gpr(register);
        return Emit(IrOpcode.ExtractHigh, 1, Slot.Zero, Registers.Gpr(register));
    }

    /// <summary>Writes a general register: 64 and 32 bits replace the slot, 16 and 8 bits are inserted (SDM Vol. 1, 3.4.1.1).</summary>
    public void WriteRegister(Register register, Val value)
    {
        var slot = Registers.Gpr(register);
        var size = register.GetSize();
        if (Registers.IsHighByte(register))
            Op(IrOpcode.InsertHigh, 1, slot, slot, value);
        else if (size >= 4)
            Op(IrOpcode.Mov, size, slot, Slot.Zero, value);
        else
            Op(IrOpcode.Insert, size, slot, slot, value);
    }

    /// <summary>Writes an integer operand: a general register, or memory (whose address is computed now).</summary>
    public void Write(int index, Val value)
    {
        if (_insn.GetOpKind(index) == OpKind.Register)
        {
            WriteRegister(_insn.GetOpRegister(index), value);
            return;
        }

        var size = OperandSize(index);
        Store(size, MemoryOperand(size), value);
    }

    /// <summary>t = memory that the instruction then writes.</summary>
    public ushort LoadForUpdate(int size, in Address address) => Load(size, address.ForUpdate);

    /// <summary>t = memory.</summary>
    public ushort Load(int size, in Address address)
    {
        var t = Temp();
        Fill(ref Op(IrOpcode.Load, size, t, Slot.Zero, Slot.Zero), address);
        return t;
    }

    /// <summary>memory = value.</summary>
    public void Store(int size, in Address address, Val value)
    {
        ref var op = ref Op(IrOpcode.Store, size, Slot.Void, Slot.Zero, Slot.Zero, value.Slot);
        Fill(ref op, address);
        op.Imm = value.Imm;
    }

    /// <summary>Vector dst = memory, upper bytes 0.</summary>
    public void VLoad(int size, ushort dst, in Address address, bool aligned = false)
    {
        ref var op = ref Op(IrOpcode.VLoad, size, dst, Slot.Zero, Slot.Zero);
        Fill(ref op, address);
        op.Attr |= aligned ? IrAttr.Aligned : IrAttr.None;
    }

    /// <summary>memory = low bytes of a vector.</summary>
    public void VStore(int size, ushort value, in Address address, bool aligned = false)
    {
        ref var op = ref Op(IrOpcode.VStore, size, Slot.Void, Slot.Zero, Slot.Zero, value);
        Fill(ref op, address);
        op.Attr |= aligned ? IrAttr.Aligned : IrAttr.None;
    }

    /// <summary>t = linear address of an address operand: what helpers that access memory take.</summary>
    public ushort LinearAddress(in Address address)
    {
        var t = Temp();
        Fill(ref Op(IrOpcode.LinearAddress, 8, t, Slot.Zero, Slot.Zero), address);
        return t;
    }

    /// <summary>t = what an atomic helper takes as its third argument: size | carry &lt;&lt; 8 | intent &lt;&lt; 16.</summary>
    public ushort AtomicForm(int size, in Address address, ushort carry = Slot.Zero)
    {
        var constant = Val.Const(size | ((int)address.Intent << 16));
        return carry == Slot.Zero ? Copy(4, constant) : Emit(IrOpcode.Or, 4, Emit(IrOpcode.Shl, 4, carry, Val.Const(8)), constant);
    }

    /// <summary>Puts an address into an op.</summary>
    public static void Fill(ref IrOp op, in Address address)
    {
        op.A = address.Base;
        op.B = address.Index;
        op.Scale = address.Scale;
        op.Disp = address.Disp;
        op.Seg = (byte)address.Seg;
        op.Form = address.Form;
        op.Attr |= (IrAttr)address.Intent;
    }

    /// <summary>
    /// The instruction's memory operand, for an access of <paramref name="size"/> bytes (limit checks of modes that have them are emitted
    /// here; 0 for an address that is not accessed).
    /// </summary>
    /// <param name="size">Bytes that will be accessed.</param>
    /// <param name="extraDisp">Added to the displacement (second half of an operand; pop through rSP).</param>
    public Address MemoryOperand(int size, int extraDisp = 0)
    {
        var offset = OffsetOperand(extraDisp, out var addressBytes);
        return Segmented(offset, addressBytes, SegmentOfOperand, size, WritesMemory(SegmentOfOperand));
    }

    /// <summary>
    /// The segment of the instruction's memory operand. 64-bit mode ignores the prefixes of ES, CS, SS and DS (SDM Vol. 1, 3.4.2.1): there it
    /// is the one that goes with the base register.
    /// </summary>
    public Register SegmentOfOperand
    {
        get
        {
            if (!Is64 || _insn.SegmentPrefix is Register.None or Register.FS or Register.GS)
                return _insn.MemorySegment;
            return _insn.MemoryBase is Register.RSP or Register.ESP or Register.RBP or Register.EBP ? Register.SS : Register.DS;
        }
    }

    /// <summary>The offset part of the memory operand (lea): segment not applied.</summary>
    /// <param name="extraDisp">Added to the displacement.</param>
    /// <param name="addressBytes">Address size: 2, 4 or 8.</param>
    public Address OffsetOperand(int extraDisp, out int addressBytes)
    {
        var baseRegister = _insn.MemoryBase;
        var index = _insn.MemoryIndex;
        var disp = _insn.MemoryDisplacement64 + (ulong)extraDisp;
        var baseSlot = Slot.Zero;
        if (_insn.IsIPRelativeMemoryOperand)
            addressBytes = baseRegister == Register.EIP ? 4 : 8;
        else if (baseRegister != Register.None)
        {
            addressBytes = baseRegister.GetSize();
            baseSlot = Registers.Gpr(baseRegister);
        }
        else
            addressBytes = index != Register.None ? index.GetSize() : _insn.MemoryDisplSize;

        var signed = addressBytes switch { 2 => (short)disp, 4 => (int)disp, _ => (long)disp };
        if (signed != (int)signed)
        {
            var t = Copy(8, new Val(baseSlot, signed));
            (baseSlot, signed) = (t, 0);
        }

        var indexSlot = index == Register.None ? Slot.Zero : Registers.Gpr(index);
        var scale = (byte)System.Numerics.BitOperations.TrailingZeroCount(_insn.MemoryIndexScale);
        return new Address(baseSlot, indexSlot, scale, (int)signed, Slot.Zero, FlatForm(addressBytes));
    }

    /// <summary>Adds the segment to an offset, with the check of limit and type where the mode has one.</summary>
    /// <param name="offset">The offset.</param>
    /// <param name="addressBytes">Address size: 2, 4 or 8.</param>
    /// <param name="segment">The segment register.</param>
    /// <param name="size">Bytes that will be accessed; 0 for an address that is not accessed.</param>
    /// <param name="writes">The bytes are written.</param>
    public Address Segmented(Address offset, int addressBytes, Register segment, int size, bool writes = false)
    {
        var intent = segment == Register.SS ? AccessIntent.Stack : AccessIntent.None;
        var isChecked = size > 0 && (IsChecked(segment) || (writes && IsWriteToCode(segment)));
        if (IsFlat && segment < Register.FS && !isChecked)
            return offset with { Intent = intent };
        var seg = Registers.SegmentBase(segment);
        if (isChecked)
        {
            var t = Temp();
            Fill(ref Op(IrOpcode.Lea, Math.Min(addressBytes, 4), t, Slot.Zero, Slot.Zero), offset);
            ref var check = ref Op(IrOpcode.CheckLimit, 4, Slot.Void, t, Val.Const(writes ? size | SegmentAccess.Write : size));
            check.Seg = (byte)seg;
            offset = new Address(t, Slot.Zero, 0, 0, Slot.Zero, offset.Form);
        }

        var form = Is64
            ? addressBytes == 8 ? AddressForm.Segment64 : AddressForm.Segment64Offset32
            : addressBytes == 2 ? AddressForm.Segment16 : AddressForm.Segment32;
        return offset with { Seg = seg, Form = form, Intent = intent };
    }

    /// <summary>The address [register + disp] in a segment, with address size <paramref name="addressBytes"/>.</summary>
    public Address At(ushort register, int disp, int addressBytes, Register segment, int size, bool writes = false) =>
        Segmented(new Address(register, Slot.Zero, 0, disp, Slot.Zero, FlatForm(addressBytes)), addressBytes, segment, size, writes);

    /// <summary>Size of the stack pointer in bytes: 2, 4 or 8.</summary>
    public int StackBytes => Mode.StackBytes();

    /// <summary>The stack address [rSP + disp] for an access of <paramref name="size"/> bytes.</summary>
    public Address StackAt(int disp, int size) => At(Slot.Rsp, disp, StackBytes, Register.SS, size);

    /// <summary>Adds to rSP; the last thing an instruction does with the stack.</summary>
    public void AdjustStack(int bytes)
    {
        if (StackBytes >= 4)
        {
            Op(IrOpcode.Add, StackBytes, Slot.Rsp, Slot.Rsp, Val.Const(bytes));
            return;
        }

        Op(IrOpcode.Insert, 2, Slot.Rsp, Slot.Rsp, Emit(IrOpcode.Add, 2, Slot.Rsp, Val.Const(bytes)));
    }

    /// <summary>Pushes a value of <paramref name="size"/> bytes.</summary>
    public void Push(int size, Val value)
    {
        Store(size, StackAt(-size, size), value);
        AdjustStack(-size);
    }

    // True when accesses through the segment register are checked in this mode.
    private bool IsChecked(Register segment) => !IsFlat
        || (segment == Register.FS && (Mode & GuestMode.CheckedFs) != 0) || (segment == Register.GS && (Mode & GuestMode.CheckedGs) != 0);

    // Outside real mode a code segment cannot be written to; 64-bit code does not have segments.
    private bool IsWriteToCode(Register segment) => segment == Register.CS && !Is64 && (Mode & GuestMode.Real) == 0;

    // Asked only where it matters, for it is slow: whether the instruction writes its memory operand.
    private bool WritesMemory(Register segment)
    {
        if ((!IsChecked(segment) && !IsWriteToCode(segment)) || (Mode & GuestMode.Real) != 0)
            return false;
        var info = _information.GetInfo(_insn, InstructionInfoOptions.NoRegisterUsage);
        for (var i = 0; i < _insn.OpCount; i++)
            if (_insn.GetOpKind(i) == OpKind.Memory
                && info.GetOpAccess(i) is OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite)
                return true;
        return false;
    }

    /// <summary>The form of an offset to which no segment is added.</summary>
    public AddressForm FlatForm(int addressBytes) => addressBytes switch
    {
        8 => AddressForm.Flat64,
        4 => Is64 ? AddressForm.Segment64Offset32 : AddressForm.Flat32,
        _ => AddressForm.Segment16,
    };
}
