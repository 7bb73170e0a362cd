using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;

namespace DynaTrans.IlBackend.Emission;

/// <summary>What is the same for all parts of the emitter: what is emitted and where to, and the place that the emitter has come to.</summary>
internal sealed class EmitContext
{
    public EmitContext(IlSink il, RegionPlan plan, EmitOptions options)
    {
        (Il, Plan, Options) = (il, plan, options);
        Locals = new RegionLocals(il, plan.Slots);
        Labels = new RegionLabels(il, plan);
        Block = plan.Region.Blocks[0];
    }

    public IlSink Il { get; }

    public RegionPlan Plan { get; }

    public EmitOptions Options { get; }

    public RegionLocals Locals { get; }

    public RegionLabels Labels { get; }

    public LinkList Links { get; } = new();

    /// <summary>The block that IL is written for.</summary>
    public RegionBlock Block { get; set; }

    /// <summary>Its ops, as the analyses have left them.</summary>
    public IrOp[] Ops { get; set; } = [];

    /// <summary>Index of the present op.</summary>
    public int OpIndex { get; set; }

    /// <summary>Index of the present instruction in the block; -1 before the first.</summary>
    public int Insn { get; set; }
}
