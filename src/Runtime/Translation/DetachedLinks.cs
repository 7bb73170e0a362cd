using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.Translation;

/// <summary>
/// Entry cells and fault sites for a translation that belongs to no block cache, such as one loaded from an exported assembly: every jump
/// out of it returns to its caller with RIP at the target. They live as long as the process; an assembly makes its own once.
/// </summary>
public static unsafe class DetachedLinks
{
    /// <summary>A cell for a guest address; code that jumps through it returns.</summary>
    public static long Cell(ulong rip)
    {
        var cell = (EntryCell*)NativeMemory.AllocZeroed((nuint)sizeof(EntryCell));
        cell->Rip = rip;
        cell->Target = EntryCell.Pack(RegionLinks.Stub, 0);
        return (long)cell;
    }

    /// <summary>A fault site; the parameters are its fields, the flags as <see cref="Pack"/> makes them.</summary>
    public static long Site(ulong rip, string flags, int notExecuted)
    {
        var site = (FaultSite*)NativeMemory.AllocZeroed((nuint)sizeof(FaultSite));
        site->Rip = rip;
        Convert.FromHexString(flags).CopyTo(new Span<byte>(&site->Flags, sizeof(FlagsForm)));
        site->NotExecuted = notExecuted;
        return (long)site;
    }

    /// <summary>A form of the flags as text.</summary>
    public static string Pack(FlagsForm flags) => Convert.ToHexString(new ReadOnlySpan<byte>(&flags, sizeof(FlagsForm)));
}
