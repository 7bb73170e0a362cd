using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Frontend.Passes;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Helpers;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>A recorded block, lifted again.</summary>
/// <param name="Index">Its index in the list that it is part of.</param>
/// <param name="Recorded">The record.</param>
/// <param name="Body">The block for the back end, without entries: regions make copies of it.</param>
/// <param name="Weight">As <see cref="RegionBuilder.WeightOf(ReadOnlySpan{IrOp})"/> has it.</param>
internal sealed record LiftedBlock(int Index, RecordedBlock Recorded, RegionBlock Body, int Weight)
{
    /// <summary>How its last op ends it.</summary>
    public IrOpcode Ending => Body.Ops[^1].Op;

    /// <summary>Lifts the blocks of a record. One that is not what the lifter makes of its bytes (a damaged record) is left out.</summary>
    /// <param name="record">The record.</param>
    /// <param name="model">The CPU that the code ran on.</param>
    public static unsafe List<LiftedBlock> Lift(CodeRecord record, CpuModel model)
    {
        HelperFamilies.Register();
        var lifter = new Lifter { Model = model };
        var ir = new IrBlock();
        var lifted = new List<LiftedBlock>(record.Blocks.Count);
        foreach (var block in record.Blocks)
        {
            if (block.Context >= record.Contexts.Count || block.Bytes.Length == 0 || block.InstructionCount is < 1 or > IrBlock.MaxInstructions)
                continue;
            fixed (byte* code = block.Bytes)
            {
                if (!lifter.Lift(ir, code, block.Bytes.Length, block.Start, record.Contexts[block.Context].Mode, block.InstructionCount)
                    || ir.InstructionCount != block.InstructionCount || ir.Next - block.Start != (ulong)block.Bytes.Length)
                    continue;
            }

            DeadFlags.Run(ir);
            IrAssertions.Valid(ir);
            var body = new RegionBlock(
                lifted.Count, block.Start, ir.Next, ir.Taken, ir.EndsWithCall, ir.Ops.ToArray(),
                [.. Enumerable.Range(0, ir.InstructionCount).Select(ir.AddressOf)])
            {
                Targets = block.Targets,
                X87Stack = block.X87Stack,
            };
            lifted.Add(new LiftedBlock(lifted.Count, block, body, RegionBuilder.WeightOf(ir.Ops)));
        }

        return lifted;
    }

    /// <summary>A copy for a region.</summary>
    /// <param name="hadEntry">It is entered from outside.</param>
    public RegionBlock Copy(bool hadEntry) => Body with { HadEntry = hadEntry };
}
