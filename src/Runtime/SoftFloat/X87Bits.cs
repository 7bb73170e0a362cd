namespace DynaTrans.Runtime.SoftFloat;

/// <summary>Bits of the x87 status and control words (Intel SDM Vol. 1, 8.1.3 and 8.1.5).</summary>
public static class X87Bits
{
    /// <summary>Status: invalid operation.</summary>
    public const uint IE = 0x0001;

    /// <summary>Status: denormal operand.</summary>
    public const uint DE = 0x0002;

    /// <summary>Status: zero divide.</summary>
    public const uint ZE = 0x0004;

    /// <summary>Status: overflow.</summary>
    public const uint OE = 0x0008;

    /// <summary>Status: underflow.</summary>
    public const uint UE = 0x0010;

    /// <summary>Status: precision (inexact).</summary>
    public const uint PE = 0x0020;

    /// <summary>Status: stack fault.</summary>
    public const uint SF = 0x0040;

    /// <summary>Status: exception summary.</summary>
    public const uint ES = 0x0080;

    /// <summary>Status: condition code 0.</summary>
    public const uint C0 = 0x0100;

    /// <summary>Status: condition code 1 (rounded up; stack overflow).</summary>
    public const uint C1 = 0x0200;

    /// <summary>Status: condition code 2 (incomplete reduction; unordered).</summary>
    public const uint C2 = 0x0400;

    /// <summary>Status: condition code 3.</summary>
    public const uint C3 = 0x4000;

    /// <summary>Status: busy, always equal to <see cref="ES"/>.</summary>
    public const uint Busy = 0x8000;

    /// <summary>All four condition codes.</summary>
    public const uint ConditionCodes = C0 | C1 | C2 | C3;

    /// <summary>The six exception flags; the same bits of the control word are their masks.</summary>
    public const uint Exceptions = 0x3F;

    /// <summary>The exceptions that are found before the operation is carried out: unmasked, they leave operands and stack alone.</summary>
    public const uint PreExceptions = IE | DE | ZE;

    /// <summary>Position of TOP in the status word as software sees it.</summary>
    public const int TopShift = 11;

    /// <summary>TOP in the status word as software sees it.</summary>
    public const uint TopMask = 7u << TopShift;

    /// <summary>Control: rounding control.</summary>
    public const uint RoundingMask = 0x0C00;

    /// <summary>Rounding control: to nearest, ties to even.</summary>
    public const uint RoundNearest = 0x0000;

    /// <summary>Rounding control: towards minus infinity.</summary>
    public const uint RoundDown = 0x0400;

    /// <summary>Rounding control: towards plus infinity.</summary>
    public const uint RoundUp = 0x0800;

    /// <summary>Rounding control: towards zero.</summary>
    public const uint RoundZero = 0x0C00;

    /// <summary>Control: precision control.</summary>
    public const uint PrecisionMask = 0x0300;

    /// <summary>Precision control: 64-bit significand.</summary>
    public const uint PrecisionExtended = 0x0300;

    /// <summary>Control word after FNINIT.</summary>
    public const ushort InitialControl = 0x037F;

    /// <summary>Bits of the control word that can be written.</summary>
    public const uint ControlWritable = 0x1F3F;

    /// <summary>Bits of the control word that always read as one.</summary>
    public const uint ControlFixed = 0x0040;
}
