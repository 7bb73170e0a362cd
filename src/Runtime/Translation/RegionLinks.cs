using System.Runtime.InteropServices;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Translation;

/// <summary>
/// What the code of a region refers to outside itself, in one address space: the code has offsets into this table and no addresses of it, so
/// that several address spaces can use the same code. Before the table lie the region's fault sites, the first one next to it; after it the
/// addresses of the cells that the region jumps to. In unmanaged memory; it does not change while code of the region can be executed, except
/// for the counters of its sites.
/// </summary>
public unsafe struct RegionLinks
{
    /// <summary>Offset of the first cell's address.</summary>
    public static readonly int CellsOffset = sizeof(RegionLinks);

    /// <summary>Address of the host code. The first field: a jump reads it.</summary>
    public nint Code;

    /// <summary>Number of the region in <see cref="EntryCell.Local"/>; 0 before it is published.</summary>
    public ulong Number;

    /// <summary>Number of fault sites.</summary>
    public int SiteCount;

    /// <summary>Number of cells.</summary>
    public int CellCount;

    /// <summary>Where a site lies, from the table on.</summary>
    public static int OffsetOfSite(int index) => -(index + 1) * sizeof(FaultSite);

    /// <summary>A fault site.</summary>
    public static FaultSite* Site(RegionLinks* links, int index) => (FaultSite*)links - 1 - index;

    /// <summary>The addresses of the cells.</summary>
    public static EntryCell** Cells(RegionLinks* links) => (EntryCell**)(links + 1);

    /// <summary>Makes a table; its cells are to be filled in. It is the caller's, who frees it by <see cref="Free"/>.</summary>
    /// <param name="code">Address of the host code.</param>
    /// <param name="sites">The fault sites, which are copied.</param>
    /// <param name="cells">Number of cells.</param>
    public static RegionLinks* New(nint code, ReadOnlySpan<FaultSite> sites, int cells)
    {
        var links = New(code, sites.Length, cells);
        for (var i = 0; i < sites.Length; i++)
            *Site(links, i) = sites[i];
        return links;
    }

    /// <summary>Makes a table; its cells and fault sites are to be filled in. It is the caller's, who frees it by <see cref="Free"/>.</summary>
    /// <param name="code">Address of the host code.</param>
    /// <param name="sites">Number of fault sites.</param>
    /// <param name="cells">Number of cells.</param>
    public static RegionLinks* New(nint code, int sites, int cells)
    {
        var before = (nuint)sites * (nuint)sizeof(FaultSite);
        var memory = (byte*)NativeMemory.Alloc(before + (nuint)sizeof(RegionLinks) + ((nuint)cells * (nuint)sizeof(EntryCell*)));
        var links = (RegionLinks*)(memory + before);
        *links = new RegionLinks { Code = code, SiteCount = sites, CellCount = cells };
        return links;
    }

    /// <summary>Frees a table. No vCPU may be inside the code.</summary>
    public static void Free(RegionLinks* links) => NativeMemory.Free((FaultSite*)links - links->SiteCount);

    /// <summary>The table of code that has none: the stub that a cell without code leads to. It lives as long as the process.</summary>
    public static RegionLinks* Stub { get; } = MakeStub();

    private static RegionLinks* MakeStub()
    {
        delegate*<CpuState*, EntryCell*, nint, void> stub = &EntryCell.ReturnToDispatcher;
        return New((nint)stub, [], 0);
    }
}
