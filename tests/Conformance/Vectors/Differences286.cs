namespace DynaTrans.Conformance.Vectors;

/// <summary>
/// Documented differences between the 80286 that made the vectors and the later CPU that is modelled; the table in docs/quirks.md says
/// the same in prose. A vector that meets one is judged by it.
/// </summary>
internal static class Differences286
{
    private const int InvalidOpcode = 6;

    /// <summary>The exception a later CPU raises for this vector where the 80286 did something else; null when they agree.</summary>
    internal static int? ExpectedVector(VectorFile file, RealModeVector vector)
    {
        var bytes = Convert.FromHexString(vector.Bytes);
        return HasLock(bytes) && !Lockable(file.Form, bytes) ? InvalidOpcode : null;
    }

    private static bool HasLock(byte[] bytes) => bytes.TakeWhile(IsPrefix).Contains((byte)0xF0);

    private static bool IsPrefix(byte b) => b is 0x26 or 0x2E or 0x36 or 0x3E or 0xF0 or 0xF2 or 0xF3;

    // LOCK is allowed on read-modify-write instructions with a memory destination only; elsewhere #UD since the 80386
    // (SDM vol. 3, "LOCK Prefix Handling" in the compatibility chapter; vol. 2, LOCK).
    private static bool Lockable(string form, byte[] bytes)
    {
        var modRm = bytes.SkipWhile(IsPrefix).Skip(1).FirstOrDefault();
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
