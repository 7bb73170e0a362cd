namespace DynaTrans.Conformance.Vectors;

/// <summary>
/// Documented differences between the 80286 that made the vectors and the later CPU that is modelled; the table in docs/quirks.md says
/// the same in prose. A vector that meets one is judged by it.
/// </summary>
internal static class Differences286
{
    /// <summary>What <see cref="ExpectedVector"/> gives for an instruction that completes on a later CPU.</summary>
    internal const int Completes = -1;

    private const int InvalidOpcode = 6;
    private const int StackFault = 12;
    private const int GeneralProtection = 13;

    /// <summary>The exception a later CPU raises for this vector where the 80286 did something else; null when they agree.</summary>
    internal static int? ExpectedVector(VectorFile file, RealModeVector vector)
    {
        var bytes = Convert.FromHexString(vector.Bytes);
        if (HasLock(bytes) && !Lockable(file.Form, bytes)) return InvalidOpcode;

        // mov from and to FS and GS: undefined on the 80286, segment registers since the 80386.
        if (file.Form is "8C" or "8E" && vector.ExceptionVector == InvalidOpcode && (ModRm(bytes) >> 3 & 7) is 4 or 5) return Completes;
        return null;
    }

    /// <summary>
    /// The exception of the 80286 for one of ours: an access beyond the limit of SS raises #SS in real mode since the 80386
    /// (SDM vol. 3, table "Exceptions and Interrupts in real-address mode"), #GP on the 80286.
    /// </summary>
    internal static int On286(int vector) => vector == StackFault ? GeneralProtection : vector;

    /// <summary>
    /// Flags that are undefined (SDM vol. 2), so that this CPU and the 80286 need not agree: all status flags after DIV and IDIV, and after
    /// AAM that divides by 0.
    /// </summary>
    internal static ushort UndefinedFlags(VectorFile file, RealModeVector vector) =>
        file.Form is "F6.6" or "F6.7" or "F7.6" or "F7.7" || (file.Form == "D4" && vector.ExceptionVector == 0) ? (ushort)0x8D5 : (ushort)0;

    /// <summary>
    /// True when CX, SI and DI are not compared: a string instruction whose element goes beyond the limit. The 80286 had moved them on
    /// before it raised the exception; since the 80386 a fault restores the state before the element (SDM vol. 3, 6.5).
    /// </summary>
    internal static bool MovedOn(VectorFile file, RealModeVector vector) =>
        vector.ExceptionVector == GeneralProtection && file.Form is "6D" or "6F" or "A5" or "A7" or "AB" or "AD" or "AF";

    private static bool HasLock(byte[] bytes) => bytes.TakeWhile(IsPrefix).Contains((byte)0xF0);

    private static byte ModRm(byte[] bytes) => bytes.SkipWhile(IsPrefix).Skip(1).FirstOrDefault();

    private static bool IsPrefix(byte b) => b is 0x26 or 0x2E or 0x36 or 0x3E or 0xF0 or 0xF2 or 0xF3;

    // LOCK is allowed on read-modify-write instructions with a memory destination only; elsewhere #UD since the 80386
    // (SDM vol. 3, "LOCK Prefix Handling" in the compatibility chapter; vol. 2, LOCK).
    private static bool Lockable(string form, byte[] bytes)
    {
        var modRm = ModRm(bytes);
        if (modRm >= 0xC0) return false;
        var opcode = Convert.ToByte(form[..2], 16);
        var group = form.Length == 4 ? form[3] - '0' : 0;
        return opcode switch
        {
            < 0x38 => (opcode & 7) < 2,
            0x80 or 0x81 or 0x82 or 0x83 => group != 7,
            0x86 or 0x87 => true,
            0xF6 or 0xF7 => group is 2 or 3,
            0xFE or 0xFF => group is 0 or 1,
            _ => false,
        };
    }
}
