namespace DynaTrans.Frontend.Ir;

/// <summary>
/// What an access to guest memory is for, as far as a fault reports it. In an IR op the bits stand in <see cref="IrOp.Attr"/> (where they have
/// the names of <see cref="IrAttr"/>); a helper whose operand is in memory gets them in an argument, or knows them itself.
/// </summary>
[Flags]
public enum AccessIntent : byte
{
    /// <summary>An access at the privilege of the code, relative to a segment other than SS.</summary>
    None = 0,

    /// <summary>A read of what the instruction then writes: the page must grant both, and a fault is that of a write (SDM Vol. 3, 4.7).</summary>
    Update = 8,

    /// <summary>Relative to SS: an address that is not canonical raises #SS instead of #GP (SDM Vol. 3, 6.15, interrupt 12).</summary>
    Stack = 16,

    /// <summary>Made by the processor for itself (descriptor and interrupt tables), with supervisor privilege at any CPL (SDM Vol. 3, 4.6).</summary>
    Supervisor = 32,
}
