namespace DynaTrans.IlBackend.Regions;

/// <summary>How an access of a region finds out that its bytes may be accessed.</summary>
public enum CheckForm : byte
{
    /// <summary>No plan: the access has a check and a slow path of its own.</summary>
    Own,

    /// <summary>Its bytes were checked before: no test.</summary>
    None,

    /// <summary>
    /// One test of a fast bit at the address of offset <see cref="AccessCheck.Lo"/>: good for the rest of that page and the whole next one.
    /// </summary>
    FastBit,

    /// <summary>The pages of the bytes at <see cref="AccessCheck.Lo"/> and before <see cref="AccessCheck.Hi"/> are tested: good for [Lo, Hi).</summary>
    Edges,
}

/// <summary>The check of one access. Offsets are relative to the address operand without displacement.</summary>
/// <param name="Form">What is tested.</param>
/// <param name="Write">The right to write is tested, else only that to read.</param>
/// <param name="Lo">First offset that the check is for; not above the access's.</param>
/// <param name="Hi">Offset after the last; at most a page from <paramref name="Lo"/>.</param>
public readonly record struct AccessCheck(CheckForm Form, bool Write, long Lo, long Hi);
