using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Memory;

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

/// <summary>The check of one access, or of those of a loop.</summary>
/// <param name="Form">What is tested.</param>
/// <param name="Write">The right to write is tested, else only that to read.</param>
/// <param name="Lo">First offset that the check is for; not above the access's.</param>
/// <param name="Hi">Offset after the last; at most a page from <paramref name="Lo"/>.</param>
/// <param name="Key">What the offsets are relative to; null for addresses without key, whose access has a test of its own.</param>
public sealed record AccessCheck(CheckForm Form, bool Write, long Lo, long Hi, AddressKey? Key)
{
    /// <summary>
    /// The window that the bytes are expected in, and tested to be in (<see cref="Runtime.Translation.Block.Windows"/>); where the test was made
    /// before, the one that they are known to be in. A test of its own may be for several.
    /// </summary>
    public ushort Window { get; init; }

    /// <summary>
    /// What may be accessed when the test has passed. The fast bit is about a whole page and the next; of most addresses it is not known
    /// where in its page they lie.
    /// </summary>
    /// <exception cref="InvalidOperationException">The test is not shared.</exception>
    public CheckedRange Granted
    {
        get
        {
            if (Key == null)
                throw new InvalidOperationException("the address has no key");
            if (Form != CheckForm.FastBit)
                return new CheckedRange(Key, Write, Lo, Hi, Window);
            if (!Key.IsAbsolute || Key.Seg != Slot.Zero)
                return new CheckedRange(Key, Write, Lo, Lo + AddressSpace.PageSize, Window);
            var page = Lo & -AddressSpace.PageSize;
            return new CheckedRange(Key, Write, page, page + (2 * AddressSpace.PageSize), Window);
        }
    }
}
