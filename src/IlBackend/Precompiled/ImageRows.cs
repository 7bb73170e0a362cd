using System.Runtime.InteropServices;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>Beginning of an image file. All numbers are little-endian; offsets are from the beginning, and multiples of 8.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ImageHeader
{
    /// <summary>"DTIMAGE" and 0.</summary>
    public const ulong Signature = 0x0045_4741_4D49_5444;

    /// <summary>Raised with every change of the format.</summary>
    public const uint CurrentVersion = 1;

    /// <summary>Bytes that the hash does not cover: up to its end.</summary>
    public const int Unhashed = 32;

    public ulong Magic;
    public uint Version;

    /// <summary>Bytes of a <see cref="Runtime.Translation.FlagsForm"/>, which is stored as it is in memory.</summary>
    public uint FormSize;

    /// <summary>XxHash128 of all that follows.</summary>
    public ulong HashLow, HashHigh;

    /// <summary>Bytes of the file.</summary>
    public long Length;

    public ulong AssemblyHashLow, AssemblyHashHigh;
    public ulong WindowPages;
    public int PermissionsOffset;
    public byte Access, IsPaged;
    public ushort Reserved;

    /// <summary>The name of the assembly's file in UTF-8.</summary>
    public Section Name;
    public Section Contexts, Regions, Entries, Table, Ranges, Targets, Forms, Sites, Accesses, Bytes;
}

/// <summary>An array in an image file.</summary>
/// <param name="Offset">Where it begins.</param>
/// <param name="Count">Its elements.</param>
internal readonly record struct Section(int Offset, int Count);

[StructLayout(LayoutKind.Sequential)]
internal struct ContextRow
{
    public ulong CodeBase;
    public uint CodeLimit, AddressSpace;
    public ushort Mode, IsBudgeted;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RegionRow
{
    /// <summary>Metadata token of the method.</summary>
    public int Method;
    public int FirstEntry, EntryCount, FirstRange, RangeCount, FirstTarget, TargetCount, FirstSite, SiteCount;

    /// <summary>Bytes in all ranges.</summary>
    public int ByteCount;
    public ushort Context, Reserved;
}

/// <summary>An entry. Those of a region follow one another.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct EntryRow
{
    public ulong Start;
    public int Region;

    /// <summary>The next one at the same address in the same context, which has a higher index; -1 when there is none.</summary>
    public int Next;
    public ushort Number, Context;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RangeRow
{
    public ulong Linear;

    /// <summary>Where its bytes begin among the bytes.</summary>
    public int Bytes;
    public int Length;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SiteRow
{
    public ulong Rip;

    /// <summary>Which of the forms of the flags.</summary>
    public int Form;
    public ushort NotExecuted, IsBeforeLoop;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AccessRow
{
    public ulong Rip;
    public ushort Context;
    public byte History, IsLoopRefused;
    public uint Reserved;
}
