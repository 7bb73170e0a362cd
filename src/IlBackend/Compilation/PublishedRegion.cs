using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>Host code of a region in one block cache: what it refers to, and where it is entered.</summary>
public abstract unsafe class PublishedRegion
{
    /// <summary>Takes over the links of the code.</summary>
    /// <param name="links">The links; owned by the region from now on. Their cells are not bound.</param>
    private protected PublishedRegion(RegionLinks* links) => Links = links;

    /// <summary>What the code refers to; owned by the region. Its cells are those of <see cref="Targets"/>, once they are bound.</summary>
    public RegionLinks* Links { get; }

    /// <summary>Address of the host code.</summary>
    public nint Code => Links->Code;

    /// <summary>The guest addresses of the cells.</summary>
    public abstract ReadOnlySpan<ulong> Targets { get; }

    /// <summary>Number of its code context.</summary>
    public abstract ushort Context { get; }

    /// <summary>Its number in <see cref="EntryCell.Region"/>, from 1; 0 before it is published.</summary>
    public uint Number { get; set; }

    /// <summary>It has given its entries to code of other pages at the same addresses, and may get them back.</summary>
    public bool IsParked { get; set; }

    /// <summary>With paging, the pages that its code was made from, since it was published.</summary>
    public CodePageUse[] Pages { get; set; } = [];

    /// <summary>The cells (<see cref="EntryCell"/>) that were given to it; another region may have taken some since.</summary>
    internal HashSet<nint> Cells { get; } = [];

    /// <summary>Tells the code who it is and where the jumps out of it lead. Before that it must not be executed.</summary>
    /// <param name="cell">Gives the address of a guest address's cell.</param>
    public void Bind(Func<ulong, nint> cell)
    {
        Links->Number = Number;
        for (var i = 0; i < Links->SiteCount; i++)
            RegionLinks.Site(Links, i)->Region = Number;
        var targets = Targets;
        for (var i = 0; i < targets.Length; i++)
            RegionLinks.Cells(Links)[i] = (EntryCell*)cell(targets[i]);
    }

    /// <summary>Frees the links. No vCPU may be inside.</summary>
    public virtual void Release() => RegionLinks.Free(Links);
}
