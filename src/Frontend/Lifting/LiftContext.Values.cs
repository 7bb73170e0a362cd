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
