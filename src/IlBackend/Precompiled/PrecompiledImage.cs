using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>Where a precompiled region can be entered.</summary>
/// <param name="Start">RIP of the block.</param>
/// <param name="Number">Number of the entry in the code.</param>
public readonly record struct PrecompiledEntry(ulong Start, ushort Number);

/// <summary>Guest code that a region was made from, without a gap.</summary>
/// <param name="Linear">Linear address of the first byte.</param>
/// <param name="Bytes">The bytes. The region may be used only where exactly these lie.</param>
public sealed record PrecompiledRange(ulong Linear, byte[] Bytes);

/// <summary>A region of an assembly that was compiled ahead of time.</summary>
/// <param name="Method">Metadata token of its method.</param>
/// <param name="Context">Index of its code context in <see cref="PrecompiledImage.Contexts"/>, which is a constant in the code.</param>
/// <param name="Entries">Where it can be entered; the first one is its head.</param>
/// <param name="Ranges">The code that it was made from, in ascending order.</param>
/// <param name="Targets">Guest addresses of the cells that it jumps to, in the order of <see cref="RegionLinks.Cells"/>.</param>
/// <param name="Sites">Its fault sites, in the order of <see cref="RegionLinks.Site"/>.</param>
public sealed record PrecompiledRegion(
    int Method, ushort Context, IReadOnlyList<PrecompiledEntry> Entries, IReadOnlyList<PrecompiledRange> Ranges, IReadOnlyList<ulong> Targets,
    IReadOnlyList<FaultSite> Sites);

/// <summary>What an assembly of precompiled regions is accompanied by: what is needed to find its regions and to tell whether they apply.</summary>
/// <param name="Assembly">Name of the assembly's file, in the same directory.</param>
/// <param name="AssemblyHash">XxHash128 of that file.</param>
/// <param name="Contexts">Code contexts by number: they must have these numbers in the block cache that uses the image.</param>
/// <param name="Regions">The regions.</param>
public sealed record PrecompiledImage(string Assembly, UInt128 AssemblyHash, IReadOnlyList<CodeContext> Contexts, IReadOnlyList<PrecompiledRegion> Regions)
{
    /// <summary>The kind of address space that the code is for (<see cref="CodeRecord.Form"/>).</summary>
    public PrecompiledForm Form { get; init; }

    /// <summary>What was known of accesses when the code was made (<see cref="CodeRecord.Accesses"/>): a run goes on from there.</summary>
    public IReadOnlyList<RecordedAccess> Accesses { get; init; } = [];
}

