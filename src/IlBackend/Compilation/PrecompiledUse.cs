using DynaTrans.IlBackend.Precompiled;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>A region made in another run, in use in a block cache: its bytes are the guest's. Several may be in use at once, of different pages.</summary>
internal sealed unsafe class PrecompiledUse : PublishedRegion
{
    /// <summary>Makes the links.</summary>
    /// <param name="source">Where it comes from.</param>
    /// <param name="code">Its host code.</param>
    /// <param name="number">Its number.</param>
    /// <param name="blocks">The blocks that its code is entered by in the block cache.</param>
    public PrecompiledUse(PrecompiledState source, nint code, uint number, IReadOnlyList<nint> blocks)
        : base(source.Image.NewLinks(source.Index, code))
    {
        Source = source;
        Number = number;
        Blocks = blocks;
    }

    /// <summary>Where it comes from.</summary>
    public PrecompiledState Source { get; }

    /// <summary>The blocks that its code is entered by in the block cache.</summary>
    public IReadOnlyList<nint> Blocks { get; }

    /// <inheritdoc/>
    public override ReadOnlySpan<ulong> Targets => Source.Image.Targets(Source.Index);

    /// <inheritdoc/>
    public override ushort Context => Source.Image.Region(Source.Index).Context;
}

/// <summary>How a region made in another run fares in a block cache.</summary>
internal sealed class PrecompiledState(PrecompiledImageView image, int index)
{
    /// <summary>The image that it is in.</summary>
    public PrecompiledImageView Image { get; } = image;

    /// <summary>Its index there.</summary>
    public int Index { get; } = index;

    /// <summary>Where it is in use.</summary>
    public List<PrecompiledUse> Uses { get; } = [];

    /// <summary>The range that the guest had other bytes at when it was looked at last; -1 when there was none.</summary>
    public int Suspect { get; set; } = -1;

    /// <summary>Times that its bytes changed while it was in use.</summary>
    public int Rewritten { get; set; }

    /// <summary>It is not used any more: it did not pay.</summary>
    public bool IsRefused { get; set; }
}
