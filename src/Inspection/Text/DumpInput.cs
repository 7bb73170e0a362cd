using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;

namespace DynaTrans.Inspection.Text;

/// <summary>Reads guest code: copies bytes from an address on and returns their number, fewer than asked at the end of what is known.</summary>
public delegate int GuestCodeReader(ulong address, Span<byte> destination);

/// <summary>A region to be dumped, with what its translation depends on.</summary>
/// <param name="Region">The region.</param>
/// <param name="Code">Its bytes.</param>
public sealed record DumpInput(Region Region, GuestCodeReader Code)
{
    /// <summary>Where the region begins, in the program's own words, or null.</summary>
    public string? Symbol { get; init; }

    /// <summary>How it is emitted.</summary>
    public EmitOptions Options { get; init; }

    /// <summary>Guest instructions executed in it, when it was run.</summary>
    public long? Executed { get; init; }

    /// <summary>With paging, the pages that it was made from; else none.</summary>
    public IReadOnlyList<CodePageUse> Pages { get; init; } = [];

    /// <summary>What accesses of instructions met before, where that decides what code they get (by RIP).</summary>
    public IReadOnlyDictionary<ulong, AccessHistory> Histories { get; init; } = new Dictionary<ulong, AccessHistory>();
}
