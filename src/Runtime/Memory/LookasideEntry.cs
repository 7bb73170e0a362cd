using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.Memory;

/// <summary>An entry of a <see cref="TranslationLookaside"/>. A tag is the address of a page that may be accessed so.</summary>
[StructLayout(LayoutKind.Sequential, Size = 1 << TranslationLookaside.EntryBits)]
public struct LookasideEntry
{
    /// <summary>A tag that no address has.</summary>
    public const ulong NoPage = ulong.MaxValue;

    /// <summary>The page, if it may be read.</summary>
    public ulong ReadTag;

    /// <summary>The page, if it may be written to and holds no translated code.</summary>
    public ulong WriteTag;

    /// <summary>What is added to a guest address to get the host's.</summary>
    public nint Addend;

    /// <summary>Not 0: the page is global, so that a load of CR3 leaves it in the table.</summary>
    public ulong IsGlobal;
}
