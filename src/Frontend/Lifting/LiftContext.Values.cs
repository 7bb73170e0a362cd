using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Frontend.Lifting;

/// <content>Small values that many families need.</content>
public sealed partial class LiftContext
{
    /// <summary>True in real-address mode.</summary>
    public bool IsReal => (Mode & GuestMode.Real) != 0;

    /// <summary>True at ring 3, where privileged instructions raise #GP.</summary>
    public bool IsUser => Mode.IsUser();

    /// <summary>True in code of a system with tables of its own; see <see cref="GuestMode.System"/>.</summary>
    public bool IsSystem => Mode.IsSystem();

    /// <summary>True at ring 0 and in real mode.</summary>
    public bool IsPrivileged => Mode.IsPrivileged();

    /// <summary>Raises #GP(0) unless code is privileged, which the result says.</summary>
    public bool RequirePrivilege()
    {
        if (!IsPrivileged)
            Raise(ExceptionVector.GeneralProtection);
        return IsPrivileged;
    }

    /// <summary>Ends the block before the next instruction, which may belong to another context.</summary>
    public void EndContext() => JumpIndirect(Copy(8, Val.Const((long)NextRip)), JumpKind.Far);

    /// <summary>Writes the low <paramref name="size"/> bytes of a general register's slot: 1 and 2 bytes are inserted, 4 zero-extended.</summary>
    public void WriteSlot(int size, ushort slot, Val value)
    {
        if (size >= 4)
            Op(IrOpcode.Mov, size, slot, Slot.Zero, value);
        else
            Op(IrOpcode.Insert, size, slot, slot, value);
    }

    /// <summary>slot = slot + value at <paramref name="size"/> bytes, narrower sizes inserted.</summary>
    public void AddToSlot(int size, ushort slot, Val value)
    {
        if (size >= 4)
            Op(IrOpcode.Add, size, slot, slot, value);
        else
            Op(IrOpcode.Insert, size, slot, slot, Emit(IrOpcode.Add, size, slot, value));
    }

    /// <summary>t = value sign-extended from <paramref name="from"/> to <paramref name="to"/> bytes.</summary>
    public ushort SignExtend(int from, int to, Val value)
    {
        var t = Temp();
        Op(IrOpcode.SignExtend, from, t, Slot.Zero, value).Sub = (ushort)to;
        return t;
    }

    /// <summary>t = the six status flags at their EFLAGS positions.</summary>
    public ushort GetFlags()
    {
        var t = Temp();
        Op(IrOpcode.GetFlags, 4, t, Slot.Zero, Slot.Zero);
        return t;
    }

    /// <summary>Replaces CF by <paramref name="carry"/> (0 or 1), the other status flags stay.</summary>
    public void SetCarry(Val carry) => Op(IrOpcode.SetCarry, 4, Slot.Void, Slot.Zero, carry);
}
