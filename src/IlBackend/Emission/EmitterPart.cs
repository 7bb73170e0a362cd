using System.Reflection.Emit;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// A part of the emitter: what all of them use to write IL, and the place in the region that IL is written for. A part has the state of one
/// subject; it reaches other parts through their public members only.
/// </summary>
internal abstract class EmitterPart(EmitContext context)
{
    protected static readonly Type VectorType = typeof(Vector128<byte>);

    protected EmitContext Context { get; } = context;

    protected IlSink Il { get; } = context.Il;

    protected RegionPlan Plan => Context.Plan;

    protected Region Region => Context.Plan.Region;

    protected EmitOptions Options => Context.Options;

    protected RegionLocals Locals => Context.Locals;

    protected RegionLabels Labels => Context.Labels;

    protected RegionBlock Block => Context.Block;

    protected IrOp[] Ops => Context.Ops;

    protected int OpIndex => Context.OpIndex;

    protected int Insn => Context.Insn;

    /// <summary>The present instruction.</summary>
    protected ulong Rip => Block.Addresses[Insn];

    protected static int Width(int size) => size == 8 ? 8 : 4;

    protected void LdLoc(int local) => Il.EmitLocal(OpCodes.Ldloc, local);

    protected void StLoc(int local) => Il.EmitLocal(OpCodes.Stloc, local);

    protected void Ldc(long value) => Il.Emit(OpCodes.Ldc_I8, value);

    protected void Ldc4(int value) => Il.Emit(OpCodes.Ldc_I4, value);

    protected void LdcWidth(long value, int width)
    {
        if (width == 8)
            Ldc(value);
        else
            Ldc4((int)value);
    }

    /// <summary>Pushes the address of a fault site.</summary>
    protected void PushSite(int site)
    {
        Il.EmitFaultSite(site, Context.Links.Sites[site]);
        Il.EmitSiteAddress(Locals.Links);
    }

    protected void FieldAddress(int offset) => Il.EmitStateAddress(offset);

    // Of a field of the execution part.
    protected static int FieldOffset(string name) => CpuState.ExecutionOffset + (int)Marshal.OffsetOf<ExecutionState>(name);

    protected void LoadField(string name, OpCode load)
    {
        FieldAddress(FieldOffset(name));
        Il.Emit(load);
    }

    // The exit-request word. Volatile, or RyuJIT takes the test out of a loop that stores nothing (and with it the guest's own loads: a loop
    // that waits for another thread would never end).
    protected void PushRequest()
    {
        FieldAddress(FieldOffset(nameof(ExecutionState.ExitRequest)));
        Il.Emit(OpCodes.Volatile);
        Il.Emit(OpCodes.Ldind_I4);
    }

    protected void LoadSlotMemory(int slot, int width)
    {
        FieldAddress(slot * 8);
        Il.Emit(width == 8 ? OpCodes.Ldind_I8 : OpCodes.Ldind_I4);
    }

    protected void VectorAddress(int cell) => FieldAddress(CpuState.VectorOffset + (cell * 16));
}
