using System.Diagnostics;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// The interpreter: one switch over the ops of a block, going from block to block by links without leaving the loop. A case is one line
/// where it can be; vector ops are in <see cref="VectorOps"/>. The state in memory is exact at every op that can fault.
/// </summary>
internal static unsafe class Interpreter
{
    /// <summary>
    /// Executes from <paramref name="block"/> on until something else has to act. Sets RIP and returns why:
    /// <see cref="ExitCause.Continue"/> when the next block is not in the cache, is hot, or has translated code.
    /// </summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="block">A valid block for the present RIP and mode.</param>
    /// <param name="alone">Execute this block only (it may be outside the cache).</param>
    public static ExitCause Run(Vcpu vcpu, Block* block, bool alone)
    {
        var s = vcpu.State;
        var r = s->Slots;
        var threshold = vcpu.HeatThreshold;
        IrOp* op;

    enter:
        if (!alone)
        {
            if (s->Execution.ExitRequest != 0)
                return Leave(s, block->Start, ExitCause.Requested);
            if (++block->Heat >= threshold)
                return Leave(s, block->Start, ExitCause.Continue);
            if (s->Execution.InstructionCount + block->InstructionCount > s->Execution.InstructionLimit)
                return Leave(s, block->Start, ExitCause.Budget);
        }

        Debug.Assert(block->HasOps, "what has no ops leaves because of its heat");
        s->Execution.InstructionCount += block->InstructionCount;
        op = Block.Ops(block);
        while (true)
        {
            switch ((DispatchCode)op->Dispatch)
            {
                case DispatchCode.Nop: break;
                case DispatchCode.MovB: IntegerOps.Set<byte>(r, op, IntegerOps.B<byte>(r, op)); break;
                case DispatchCode.MovW: IntegerOps.Set<ushort>(r, op, IntegerOps.B<ushort>(r, op)); break;
                case DispatchCode.MovD: IntegerOps.Set<uint>(r, op, IntegerOps.B<uint>(r, op)); break;
                case DispatchCode.MovQ: IntegerOps.Set<ulong>(r, op, IntegerOps.B<ulong>(r, op)); break;
                case DispatchCode.SignExtend:
                    r[op->Dst] = IntegerOps.Cut((ulong)RareOps.SignExtend(r[op->B] + (ulong)op->Imm, op->Size), op->Sub);
                    break;
                case DispatchCode.InsertB: r[op->Dst] = (r[op->A] & ~0xFFUL) | IntegerOps.B<byte>(r, op); break;
                case DispatchCode.InsertW: r[op->Dst] = (r[op->A] & ~0xFFFFUL) | IntegerOps.B<ushort>(r, op); break;
                case DispatchCode.InsertHigh: r[op->Dst] = (r[op->A] & ~0xFF00UL) | (IntegerOps.B<byte>(r, op) << 8); break;
                case DispatchCode.ExtractHigh: r[op->Dst] = (byte)(r[op->B] >> 8); break;
                case DispatchCode.AddB: IntegerOps.Add<byte>(r, op); break;
                case DispatchCode.AddW: IntegerOps.Add<ushort>(r, op); break;
                case DispatchCode.AddD: IntegerOps.Add<uint>(r, op); break;
                case DispatchCode.AddQ: IntegerOps.Add<ulong>(r, op); break;
                case DispatchCode.AddFB: IntegerOps.AddF<byte>(r, op); break;
                case DispatchCode.AddFW: IntegerOps.AddF<ushort>(r, op); break;
                case DispatchCode.AddFD: IntegerOps.AddF<uint>(r, op); break;
                case DispatchCode.AddFQ: IntegerOps.AddF<ulong>(r, op); break;
                case DispatchCode.SubB: IntegerOps.Sub<byte>(r, op); break;
                case DispatchCode.SubW: IntegerOps.Sub<ushort>(r, op); break;
                case DispatchCode.SubD: IntegerOps.Sub<uint>(r, op); break;
                case DispatchCode.SubQ: IntegerOps.Sub<ulong>(r, op); break;
                case DispatchCode.SubFB: IntegerOps.SubF<byte>(r, op); break;
                case DispatchCode.SubFW: IntegerOps.SubF<ushort>(r, op); break;
                case DispatchCode.SubFD: IntegerOps.SubF<uint>(r, op); break;
                case DispatchCode.SubFQ: IntegerOps.SubF<ulong>(r, op); break;
                case DispatchCode.AndB: IntegerOps.And<byte>(r, op); break;
                case DispatchCode.AndW: IntegerOps.And<ushort>(r, op); break;
                case DispatchCode.AndD: IntegerOps.And<uint>(r, op); break;
                case DispatchCode.AndQ: IntegerOps.And<ulong>(r, op); break;
                case DispatchCode.AndFB: IntegerOps.LogicF<byte>(r, op, IntegerOps.A<byte>(r, op) & IntegerOps.B<byte>(r, op)); break;
                case DispatchCode.AndFW: IntegerOps.LogicF<ushort>(r, op, IntegerOps.A<ushort>(r, op) & IntegerOps.B<ushort>(r, op)); break;
                case DispatchCode.AndFD: IntegerOps.LogicF<uint>(r, op, IntegerOps.A<uint>(r, op) & IntegerOps.B<uint>(r, op)); break;
                case DispatchCode.AndFQ: IntegerOps.LogicF<ulong>(r, op, IntegerOps.A<ulong>(r, op) & IntegerOps.B<ulong>(r, op)); break;
                case DispatchCode.OrB: IntegerOps.Or<byte>(r, op); break;
                case DispatchCode.OrW: IntegerOps.Or<ushort>(r, op); break;
                case DispatchCode.OrD: IntegerOps.Or<uint>(r, op); break;
                case DispatchCode.OrQ: IntegerOps.Or<ulong>(r, op); break;
                case DispatchCode.OrFB: IntegerOps.LogicF<byte>(r, op, IntegerOps.A<byte>(r, op) | IntegerOps.B<byte>(r, op)); break;
                case DispatchCode.OrFW: IntegerOps.LogicF<ushort>(r, op, IntegerOps.A<ushort>(r, op) | IntegerOps.B<ushort>(r, op)); break;
                case DispatchCode.OrFD: IntegerOps.LogicF<uint>(r, op, IntegerOps.A<uint>(r, op) | IntegerOps.B<uint>(r, op)); break;
                case DispatchCode.OrFQ: IntegerOps.LogicF<ulong>(r, op, IntegerOps.A<ulong>(r, op) | IntegerOps.B<ulong>(r, op)); break;
                case DispatchCode.XorB: IntegerOps.Xor<byte>(r, op); break;
                case DispatchCode.XorW: IntegerOps.Xor<ushort>(r, op); break;
                case DispatchCode.XorD: IntegerOps.Xor<uint>(r, op); break;
                case DispatchCode.XorQ: IntegerOps.Xor<ulong>(r, op); break;
                case DispatchCode.XorFB: IntegerOps.LogicF<byte>(r, op, IntegerOps.A<byte>(r, op) ^ IntegerOps.B<byte>(r, op)); break;
                case DispatchCode.XorFW: IntegerOps.LogicF<ushort>(r, op, IntegerOps.A<ushort>(r, op) ^ IntegerOps.B<ushort>(r, op)); break;
                case DispatchCode.XorFD: IntegerOps.LogicF<uint>(r, op, IntegerOps.A<uint>(r, op) ^ IntegerOps.B<uint>(r, op)); break;
                case DispatchCode.XorFQ: IntegerOps.LogicF<ulong>(r, op, IntegerOps.A<ulong>(r, op) ^ IntegerOps.B<ulong>(r, op)); break;
                case DispatchCode.IncB: IntegerOps.Set<byte>(r, op, IntegerOps.A<byte>(r, op) + 1); break;
                case DispatchCode.IncW: IntegerOps.Set<ushort>(r, op, IntegerOps.A<ushort>(r, op) + 1); break;
                case DispatchCode.IncD: IntegerOps.Set<uint>(r, op, IntegerOps.A<uint>(r, op) + 1); break;
                case DispatchCode.IncQ: IntegerOps.Set<ulong>(r, op, IntegerOps.A<ulong>(r, op) + 1); break;
                case DispatchCode.IncFB: IntegerOps.StepF<byte>(r, op, FlagsKind.Inc, 1); break;
                case DispatchCode.IncFW: IntegerOps.StepF<ushort>(r, op, FlagsKind.Inc, 1); break;
                case DispatchCode.IncFD: IntegerOps.StepF<uint>(r, op, FlagsKind.Inc, 1); break;
                case DispatchCode.IncFQ: IntegerOps.StepF<ulong>(r, op, FlagsKind.Inc, 1); break;
                case DispatchCode.DecB: IntegerOps.Set<byte>(r, op, IntegerOps.A<byte>(r, op) - 1); break;
                case DispatchCode.DecW: IntegerOps.Set<ushort>(r, op, IntegerOps.A<ushort>(r, op) - 1); break;
                case DispatchCode.DecD: IntegerOps.Set<uint>(r, op, IntegerOps.A<uint>(r, op) - 1); break;
                case DispatchCode.DecQ: IntegerOps.Set<ulong>(r, op, IntegerOps.A<ulong>(r, op) - 1); break;
                case DispatchCode.DecFB: IntegerOps.StepF<byte>(r, op, FlagsKind.Dec, byte.MaxValue); break;
                case DispatchCode.DecFW: IntegerOps.StepF<ushort>(r, op, FlagsKind.Dec, ushort.MaxValue); break;
                case DispatchCode.DecFD: IntegerOps.StepF<uint>(r, op, FlagsKind.Dec, uint.MaxValue); break;
                case DispatchCode.DecFQ: IntegerOps.StepF<ulong>(r, op, FlagsKind.Dec, ulong.MaxValue); break;
                case DispatchCode.ShlB: IntegerOps.Shl<byte>(r, op); break;
                case DispatchCode.ShlW: IntegerOps.Shl<ushort>(r, op); break;
                case DispatchCode.ShlD: IntegerOps.Shl<uint>(r, op); break;
                case DispatchCode.ShlQ: IntegerOps.Shl<ulong>(r, op); break;
                case DispatchCode.ShlFB: IntegerOps.ShlF<byte>(r, op); break;
                case DispatchCode.ShlFW: IntegerOps.ShlF<ushort>(r, op); break;
                case DispatchCode.ShlFD: IntegerOps.ShlF<uint>(r, op); break;
                case DispatchCode.ShlFQ: IntegerOps.ShlF<ulong>(r, op); break;
                case DispatchCode.ShrB: IntegerOps.Shr<byte>(r, op); break;
                case DispatchCode.ShrW: IntegerOps.Shr<ushort>(r, op); break;
                case DispatchCode.ShrD: IntegerOps.Shr<uint>(r, op); break;
                case DispatchCode.ShrQ: IntegerOps.Shr<ulong>(r, op); break;
                case DispatchCode.ShrFB: IntegerOps.ShrF<byte>(r, op); break;
                case DispatchCode.ShrFW: IntegerOps.ShrF<ushort>(r, op); break;
                case DispatchCode.ShrFD: IntegerOps.ShrF<uint>(r, op); break;
                case DispatchCode.ShrFQ: IntegerOps.ShrF<ulong>(r, op); break;
                case DispatchCode.SarB: IntegerOps.Sar<byte>(r, op); break;
                case DispatchCode.SarW: IntegerOps.Sar<ushort>(r, op); break;
                case DispatchCode.SarD: IntegerOps.Sar<uint>(r, op); break;
                case DispatchCode.SarQ: IntegerOps.Sar<ulong>(r, op); break;
                case DispatchCode.SarFB: IntegerOps.SarF<byte>(r, op); break;
                case DispatchCode.SarFW: IntegerOps.SarF<ushort>(r, op); break;
                case DispatchCode.SarFD: IntegerOps.SarF<uint>(r, op); break;
                case DispatchCode.SarFQ: IntegerOps.SarF<ulong>(r, op); break;
                case DispatchCode.AdcF: RareOps.CarryFlags(r, op, FlagsKind.Adc); break;
                case DispatchCode.SbbF: RareOps.CarryFlags(r, op, FlagsKind.Sbb); break;
                case DispatchCode.NegF: RareOps.NegFlags(r, op); break;
                case DispatchCode.Other: RareOps.Execute(r, op); break;
                case DispatchCode.Select: r[op->Dst] = IntegerOps.Cut((r[op->A] != 0 ? r[op->B] : r[op->C]), op->Size); break;
                case DispatchCode.Compare: r[op->Dst] = RareOps.Compare(r, op) ? 1UL : 0; break;
                case DispatchCode.GetCondition: r[op->Dst] = InterpreterFlags.Holds(r, (Condition)op->Sub) ? 1UL : 0; break;
                case DispatchCode.GetFlags: r[op->Dst] = FlagsRecord.Status(s); break;
                case DispatchCode.SetFlags: RareOps.SetFlags(r, op); break;
                case DispatchCode.SetFlagsIf:
                    if (r[op->C] != 0)
                        RareOps.SetFlags(r, op);
                    break;
                case DispatchCode.RotateFlags:
                    if (r[op->B] + (ulong)op->Imm != 0)
                        FlagsRecord.Rotate(s, op->Sub == 0, op->SizeLog2, r[op->A]);
                    break;
                case DispatchCode.SetCarry: FlagsRecord.ReplaceCarry(s, r[op->B] + (ulong)op->Imm); break;
                case DispatchCode.ProductFlags: FlagsRecord.SetProduct(s, op->SizeLog2, r[op->A], r[op->B] + (ulong)op->Imm); break;
                case DispatchCode.LeaFlat64: r[op->Dst] = Addresses.Sum(r, op); break;
                case DispatchCode.Lea: r[op->Dst] = IntegerOps.Cut(Addresses.Offset(r, op), op->Size); break;
                case DispatchCode.LinearAddress: r[op->Dst] = Addresses.Linear(r, op); break;
                case DispatchCode.CheckLimit:
                    if (!SegmentLimits.Check(s, op->Seg, r[op->A], (ulong)op->Imm))
                        goto fault;
                    break;
                case DispatchCode.LoadFlat32B: if (MemoryOps.Load<byte, Flat32>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadFlat32W: if (MemoryOps.Load<ushort, Flat32>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadFlat32D: if (MemoryOps.Load<uint, Flat32>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadFlat32Q: if (MemoryOps.Load<ulong, Flat32>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadFlat64B: if (MemoryOps.Load<byte, Flat64>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadFlat64W: if (MemoryOps.Load<ushort, Flat64>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadFlat64D: if (MemoryOps.Load<uint, Flat64>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadFlat64Q: if (MemoryOps.Load<ulong, Flat64>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadB: if (MemoryOps.Load<byte, Segmented>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadW: if (MemoryOps.Load<ushort, Segmented>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadD: if (MemoryOps.Load<uint, Segmented>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadQ: if (MemoryOps.Load<ulong, Segmented>(s, op)) break; else goto slowLoad;
                case DispatchCode.LoadSigned: if (MemoryOps.LoadSigned(s, block, op)) break; else goto fault;
                case DispatchCode.StoreFlat32B: if (MemoryOps.Store<byte, Flat32>(s, op)) break; else goto slowStore;
                case DispatchCode.StoreFlat32W: if (MemoryOps.Store<ushort, Flat32>(s, op)) break; else goto slowStore;
                case DispatchCode.StoreFlat32D: if (MemoryOps.Store<uint, Flat32>(s, op)) break; else goto slowStore;
                case DispatchCode.StoreFlat32Q: if (MemoryOps.Store<ulong, Flat32>(s, op)) break; else goto slowStore;
                case DispatchCode.StoreFlat64B: if (MemoryOps.Store<byte, Flat64>(s, op)) break; else goto slowStore;
                case DispatchCode.StoreFlat64W: if (MemoryOps.Store<ushort, Flat64>(s, op)) break; else goto slowStore;
                case DispatchCode.StoreFlat64D: if (MemoryOps.Store<uint, Flat64>(s, op)) break; else goto slowStore;
                case DispatchCode.StoreFlat64Q: if (MemoryOps.Store<ulong, Flat64>(s, op)) break; else goto slowStore;
                case DispatchCode.StoreB: if (MemoryOps.Store<byte, Segmented>(s, op)) break; else goto slowStore;
                case DispatchCode.StoreW: if (MemoryOps.Store<ushort, Segmented>(s, op)) break; else goto slowStore;
                case DispatchCode.StoreD: if (MemoryOps.Store<uint, Segmented>(s, op)) break; else goto slowStore;
                case DispatchCode.StoreQ: if (MemoryOps.Store<ulong, Segmented>(s, op)) break; else goto slowStore;
                case DispatchCode.VLoadD or DispatchCode.VLoadQ or DispatchCode.VLoadX:
                    if (!VectorOps.Load(s, block, op))
                        goto fault;
                    break;
                case DispatchCode.VStoreD or DispatchCode.VStoreQ or DispatchCode.VStoreX:
                    switch (VectorOps.Store(s, block, op))
                    {
                        case StoreResult.Fault: goto fault;
                        case StoreResult.HitsCode: goto hitsCode;
                        default: break;
                    }

                    break;
                case >= DispatchCode.VMov and <= DispatchCode.VFromIntImm: VectorOps.Execute(s, op); break;
                case DispatchCode.Call:
                    r[op->Dst] = HelperTable.Pointer(op->Sub)(s, r[op->A], r[op->B] + (ulong)op->Imm, r[op->C]);
                    if (s->Execution.ExceptionVector >= 0)
                        goto fault;
                    break;
                case DispatchCode.Jump: goto taken;
                case DispatchCode.JumpCondition: if (InterpreterFlags.Holds(r, (Condition)op->Sub)) goto taken; else goto notTaken;
                case DispatchCode.JumpIf: if (r[op->A] != 0) goto taken; else goto notTaken;
                case DispatchCode.JumpIndirect:
                    var target = r[op->A];
                    if (op->Sub is (byte)JumpKind.Jump or (byte)JumpKind.Call && !IndirectTargets.Contains(block->Targets, target) && !alone)
                        vcpu.Cache.NoteTarget(block, target);
                    var next = alone ? null : vcpu.FindCached(target);
                    if (next == null)
                        return Leave(s, target, ExitCause.Continue);
                    block = next;
                    goto enter;
                case DispatchCode.Exit:
                    s->Execution.ExitDetail = (ulong)op->Imm;
                    return Leave(s, block->Next, (ExitCause)op->Sub);
                case DispatchCode.Raise:
                    CpuAccess.Raise(s, op->Sub, (uint)r[op->A]);
                    goto fault;
                case DispatchCode.CmpE_B: if (IntegerOps.CmpE<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpE_W: if (IntegerOps.CmpE<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpE_D: if (IntegerOps.CmpE<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpE_Q: if (IntegerOps.CmpE<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpNe_B: if (!IntegerOps.CmpE<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpNe_W: if (!IntegerOps.CmpE<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpNe_D: if (!IntegerOps.CmpE<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpNe_Q: if (!IntegerOps.CmpE<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpB_B: if (IntegerOps.CmpB<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpB_W: if (IntegerOps.CmpB<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpB_D: if (IntegerOps.CmpB<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpB_Q: if (IntegerOps.CmpB<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpAe_B: if (!IntegerOps.CmpB<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpAe_W: if (!IntegerOps.CmpB<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpAe_D: if (!IntegerOps.CmpB<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpAe_Q: if (!IntegerOps.CmpB<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpBe_B: if (IntegerOps.CmpBe<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpBe_W: if (IntegerOps.CmpBe<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpBe_D: if (IntegerOps.CmpBe<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpBe_Q: if (IntegerOps.CmpBe<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpA_B: if (!IntegerOps.CmpBe<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpA_W: if (!IntegerOps.CmpBe<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpA_D: if (!IntegerOps.CmpBe<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpA_Q: if (!IntegerOps.CmpBe<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpL_B: if (IntegerOps.CmpL<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpL_W: if (IntegerOps.CmpL<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpL_D: if (IntegerOps.CmpL<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpL_Q: if (IntegerOps.CmpL<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpGe_B: if (!IntegerOps.CmpL<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpGe_W: if (!IntegerOps.CmpL<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpGe_D: if (!IntegerOps.CmpL<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpGe_Q: if (!IntegerOps.CmpL<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpLe_B: if (IntegerOps.CmpLe<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpLe_W: if (IntegerOps.CmpLe<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpLe_D: if (IntegerOps.CmpLe<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpLe_Q: if (IntegerOps.CmpLe<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpG_B: if (!IntegerOps.CmpLe<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpG_W: if (!IntegerOps.CmpLe<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpG_D: if (!IntegerOps.CmpLe<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.CmpG_Q: if (!IntegerOps.CmpLe<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestE_B: if (IntegerOps.TestE<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestE_W: if (IntegerOps.TestE<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestE_D: if (IntegerOps.TestE<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestE_Q: if (IntegerOps.TestE<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestNe_B: if (!IntegerOps.TestE<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestNe_W: if (!IntegerOps.TestE<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestNe_D: if (!IntegerOps.TestE<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestNe_Q: if (!IntegerOps.TestE<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestS_B: if (IntegerOps.TestS<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestS_W: if (IntegerOps.TestS<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestS_D: if (IntegerOps.TestS<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestS_Q: if (IntegerOps.TestS<ulong>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestNs_B: if (!IntegerOps.TestS<byte>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestNs_W: if (!IntegerOps.TestS<ushort>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestNs_D: if (!IntegerOps.TestS<uint>(r, op)) goto taken; else goto notTaken;
                case DispatchCode.TestNs_Q: if (!IntegerOps.TestS<ulong>(r, op)) goto taken; else goto notTaken;
                default: throw new InvalidOperationException($"the interpreter does not know dispatch code {op->Dispatch}");
            }

            op++;
            continue;

        slowLoad:
            if (!MemoryOps.LoadSlow(s, block, op))
                goto fault;
            op++;
            continue;

        slowStore:
            var stored = MemoryOps.StoreSlow(s, block, op);
            if (stored == StoreResult.Fault)
                goto fault;
            if (stored == StoreResult.HitsCode)
                goto hitsCode;
            op++;
        }

    taken:
        var link = block->TakenLink;
        if (link == null || link->Valid == 0)
        {
            link = alone ? null : vcpu.FindCached(block->Taken);
            if (link == null)
                return Leave(s, block->Taken, ExitCause.Continue);
            if (vcpu.CanLink(block, link))
                block->TakenLink = link;
        }

        Debug.Assert(link->Start == block->Taken && link->Context == block->Context, "a link leads to the block's target");
        block = link;
        goto enter;

    notTaken:
        link = block->NextLink;
        if (link == null || link->Valid == 0)
        {
            link = alone ? null : vcpu.FindCached(block->Next);
            if (link == null)
                return Leave(s, block->Next, ExitCause.Continue);
            if (vcpu.CanLink(block, link))
                block->NextLink = link;
        }

        Debug.Assert(link->Start == block->Next && link->Context == block->Context, "a link leads to the block behind");
        block = link;
        goto enter;

    fault:
        if (s->Execution.ExceptionVector == ExecutionState.RestartAlone)
        {
            s->Execution.ExceptionVector = -1;
            goto hitsCode;
        }

        // After a trap the instruction has been executed.
        var completed = (op->Attr & IrAttr.Trap) != 0 ? op->Insn + 1 : op->Insn;
        s->Execution.InstructionCount -= (ulong)(block->InstructionCount - completed);
        var cause = ExitCause.Exception;
        if (s->Execution.ExceptionVector == ExecutionState.LeaveAfter)
        {
            s->Execution.ExceptionVector = -1;
            cause = ExitCause.Continue;
        }

        return Leave(s, Block.AddressOf(block, completed), cause);

    hitsCode:
        s->Execution.InstructionCount -= (ulong)(block->InstructionCount - op->Insn);
        return Leave(s, Block.AddressOf(block, op->Insn), ExitCause.SingleStep);
    }

    private static ExitCause Leave(CpuState* s, ulong rip, ExitCause cause)
    {
        s->Slots[Slot.Rip] = rip;
        return cause;
    }
}
