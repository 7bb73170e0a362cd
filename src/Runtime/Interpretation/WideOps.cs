using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>What has become of IR ops that were executed.</summary>
internal enum Outcome
{
    /// <summary>All have been executed.</summary>
    Done,

    /// <summary>The block goes on at its direct target.</summary>
    Taken,

    /// <summary>The block goes on behind itself.</summary>
    NotTaken,

    /// <summary>The block ends with the indirect jump that was come to.</summary>
    Indirect,

    /// <summary>The block ends with the exit that was come to.</summary>
    Exit,

    /// <summary>An exception or one of its likes is pending.</summary>
    Fault,

    /// <summary>A store hits translated code, and has not been done.</summary>
    HitsCode,
}

/// <summary>
/// Executes IR ops as they are: one switch over their dispatch codes. It knows every op, and is what blocks outside the cache are executed by, and those ops
/// of others that have no handler (<see cref="ThreadedEncoder"/>) or whose handler leaves them to it. A case is one line where it can be;
/// vector ops are in <see cref="VectorOps"/>. The state in memory is exact at every op that can fault.
/// </summary>
internal static unsafe class WideOps
{
    /// <summary>Executes ops of one block in order.</summary>
    /// <param name="s">The state.</param>
    /// <param name="block">The block.</param>
    /// <param name="position">The first op; on return that which the outcome is about.</param>
    /// <param name="end">Behind the last op.</param>
    public static Outcome Execute(CpuState* s, Block* block, IrOp** position, IrOp* end)
    {
        var r = s->Slots;
        var op = *position;
        while (op < end)
        {
            switch ((DispatchCode)op->Dispatch)
            {
                case DispatchCode.Nop: break;
                case DispatchCode.MovB: IntegerOps.Set<byte>(r, op->Dst, B(r, op)); break;
                case DispatchCode.MovW: IntegerOps.Set<ushort>(r, op->Dst, B(r, op)); break;
                case DispatchCode.MovD: IntegerOps.Set<uint>(r, op->Dst, B(r, op)); break;
                case DispatchCode.MovQ: IntegerOps.Set<ulong>(r, op->Dst, B(r, op)); break;
                case DispatchCode.SignExtend:
                    r[op->Dst] = IntegerOps.Cut((ulong)RareOps.SignExtend(r[op->B] + (ulong)op->Imm, op->Size), op->Sub);
                    break;
                case DispatchCode.InsertB: r[op->Dst] = (r[op->A] & ~0xFFUL) | (ulong)(byte)B(r, op); break;
                case DispatchCode.InsertW: r[op->Dst] = (r[op->A] & ~0xFFFFUL) | (ulong)(ushort)B(r, op); break;
                case DispatchCode.InsertHigh: r[op->Dst] = (r[op->A] & ~0xFF00UL) | ((ulong)(byte)B(r, op) << 8); break;
                case DispatchCode.ExtractHigh: r[op->Dst] = (byte)(r[op->B] >> 8); break;
                case DispatchCode.AddB: IntegerOps.Set<byte>(r, op->Dst, A(r, op) + B(r, op)); break;
                case DispatchCode.AddW: IntegerOps.Set<ushort>(r, op->Dst, A(r, op) + B(r, op)); break;
                case DispatchCode.AddD: IntegerOps.Set<uint>(r, op->Dst, A(r, op) + B(r, op)); break;
                case DispatchCode.AddQ: IntegerOps.Set<ulong>(r, op->Dst, A(r, op) + B(r, op)); break;
                case DispatchCode.AddFB: IntegerOps.AddF<byte>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.AddFW: IntegerOps.AddF<ushort>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.AddFD: IntegerOps.AddF<uint>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.AddFQ: IntegerOps.AddF<ulong>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SubB: IntegerOps.Set<byte>(r, op->Dst, A(r, op) - B(r, op)); break;
                case DispatchCode.SubW: IntegerOps.Set<ushort>(r, op->Dst, A(r, op) - B(r, op)); break;
                case DispatchCode.SubD: IntegerOps.Set<uint>(r, op->Dst, A(r, op) - B(r, op)); break;
                case DispatchCode.SubQ: IntegerOps.Set<ulong>(r, op->Dst, A(r, op) - B(r, op)); break;
                case DispatchCode.SubFB: IntegerOps.SubF<byte>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SubFW: IntegerOps.SubF<ushort>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SubFD: IntegerOps.SubF<uint>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SubFQ: IntegerOps.SubF<ulong>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.AndB: IntegerOps.Set<byte>(r, op->Dst, A(r, op) & B(r, op)); break;
                case DispatchCode.AndW: IntegerOps.Set<ushort>(r, op->Dst, A(r, op) & B(r, op)); break;
                case DispatchCode.AndD: IntegerOps.Set<uint>(r, op->Dst, A(r, op) & B(r, op)); break;
                case DispatchCode.AndQ: IntegerOps.Set<ulong>(r, op->Dst, A(r, op) & B(r, op)); break;
                case DispatchCode.AndFB: IntegerOps.LogicF<byte>(r, op->Dst, A(r, op) & B(r, op)); break;
                case DispatchCode.AndFW: IntegerOps.LogicF<ushort>(r, op->Dst, A(r, op) & B(r, op)); break;
                case DispatchCode.AndFD: IntegerOps.LogicF<uint>(r, op->Dst, A(r, op) & B(r, op)); break;
                case DispatchCode.AndFQ: IntegerOps.LogicF<ulong>(r, op->Dst, A(r, op) & B(r, op)); break;
                case DispatchCode.OrB: IntegerOps.Set<byte>(r, op->Dst, A(r, op) | B(r, op)); break;
                case DispatchCode.OrW: IntegerOps.Set<ushort>(r, op->Dst, A(r, op) | B(r, op)); break;
                case DispatchCode.OrD: IntegerOps.Set<uint>(r, op->Dst, A(r, op) | B(r, op)); break;
                case DispatchCode.OrQ: IntegerOps.Set<ulong>(r, op->Dst, A(r, op) | B(r, op)); break;
                case DispatchCode.OrFB: IntegerOps.LogicF<byte>(r, op->Dst, A(r, op) | B(r, op)); break;
                case DispatchCode.OrFW: IntegerOps.LogicF<ushort>(r, op->Dst, A(r, op) | B(r, op)); break;
                case DispatchCode.OrFD: IntegerOps.LogicF<uint>(r, op->Dst, A(r, op) | B(r, op)); break;
                case DispatchCode.OrFQ: IntegerOps.LogicF<ulong>(r, op->Dst, A(r, op) | B(r, op)); break;
                case DispatchCode.XorB: IntegerOps.Set<byte>(r, op->Dst, A(r, op) ^ B(r, op)); break;
                case DispatchCode.XorW: IntegerOps.Set<ushort>(r, op->Dst, A(r, op) ^ B(r, op)); break;
                case DispatchCode.XorD: IntegerOps.Set<uint>(r, op->Dst, A(r, op) ^ B(r, op)); break;
                case DispatchCode.XorQ: IntegerOps.Set<ulong>(r, op->Dst, A(r, op) ^ B(r, op)); break;
                case DispatchCode.XorFB: IntegerOps.LogicF<byte>(r, op->Dst, A(r, op) ^ B(r, op)); break;
                case DispatchCode.XorFW: IntegerOps.LogicF<ushort>(r, op->Dst, A(r, op) ^ B(r, op)); break;
                case DispatchCode.XorFD: IntegerOps.LogicF<uint>(r, op->Dst, A(r, op) ^ B(r, op)); break;
                case DispatchCode.XorFQ: IntegerOps.LogicF<ulong>(r, op->Dst, A(r, op) ^ B(r, op)); break;
                case DispatchCode.IncB: IntegerOps.Set<byte>(r, op->Dst, A(r, op) + 1); break;
                case DispatchCode.IncW: IntegerOps.Set<ushort>(r, op->Dst, A(r, op) + 1); break;
                case DispatchCode.IncD: IntegerOps.Set<uint>(r, op->Dst, A(r, op) + 1); break;
                case DispatchCode.IncQ: IntegerOps.Set<ulong>(r, op->Dst, A(r, op) + 1); break;
                case DispatchCode.IncFB: IntegerOps.StepF<byte>(r, op->Dst, A(r, op), FlagsKind.Inc, 1); break;
                case DispatchCode.IncFW: IntegerOps.StepF<ushort>(r, op->Dst, A(r, op), FlagsKind.Inc, 1); break;
                case DispatchCode.IncFD: IntegerOps.StepF<uint>(r, op->Dst, A(r, op), FlagsKind.Inc, 1); break;
                case DispatchCode.IncFQ: IntegerOps.StepF<ulong>(r, op->Dst, A(r, op), FlagsKind.Inc, 1); break;
                case DispatchCode.DecB: IntegerOps.Set<byte>(r, op->Dst, A(r, op) - 1); break;
                case DispatchCode.DecW: IntegerOps.Set<ushort>(r, op->Dst, A(r, op) - 1); break;
                case DispatchCode.DecD: IntegerOps.Set<uint>(r, op->Dst, A(r, op) - 1); break;
                case DispatchCode.DecQ: IntegerOps.Set<ulong>(r, op->Dst, A(r, op) - 1); break;
                case DispatchCode.DecFB: IntegerOps.StepF<byte>(r, op->Dst, A(r, op), FlagsKind.Dec, byte.MaxValue); break;
                case DispatchCode.DecFW: IntegerOps.StepF<ushort>(r, op->Dst, A(r, op), FlagsKind.Dec, ushort.MaxValue); break;
                case DispatchCode.DecFD: IntegerOps.StepF<uint>(r, op->Dst, A(r, op), FlagsKind.Dec, uint.MaxValue); break;
                case DispatchCode.DecFQ: IntegerOps.StepF<ulong>(r, op->Dst, A(r, op), FlagsKind.Dec, ulong.MaxValue); break;
                case DispatchCode.ShlB: IntegerOps.Shl<byte>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShlW: IntegerOps.Shl<ushort>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShlD: IntegerOps.Shl<uint>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShlQ: IntegerOps.Shl<ulong>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShlFB: IntegerOps.ShlF<byte>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShlFW: IntegerOps.ShlF<ushort>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShlFD: IntegerOps.ShlF<uint>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShlFQ: IntegerOps.ShlF<ulong>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShrB: IntegerOps.Shr<byte>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShrW: IntegerOps.Shr<ushort>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShrD: IntegerOps.Shr<uint>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShrQ: IntegerOps.Shr<ulong>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShrFB: IntegerOps.ShrF<byte>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShrFW: IntegerOps.ShrF<ushort>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShrFD: IntegerOps.ShrF<uint>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.ShrFQ: IntegerOps.ShrF<ulong>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SarB: IntegerOps.Sar<byte>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SarW: IntegerOps.Sar<ushort>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SarD: IntegerOps.Sar<uint>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SarQ: IntegerOps.Sar<ulong>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SarFB: IntegerOps.SarF<byte>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SarFW: IntegerOps.SarF<ushort>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SarFD: IntegerOps.SarF<uint>(r, op->Dst, A(r, op), B(r, op)); break;
                case DispatchCode.SarFQ: IntegerOps.SarF<ulong>(r, op->Dst, A(r, op), B(r, op)); break;
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
                        return Stopped(position, op, Outcome.Fault);
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
                case DispatchCode.LoadSigned: if (MemoryOps.LoadSigned(s, block, op)) break; else return Stopped(position, op, Outcome.Fault);
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
                        return Stopped(position, op, Outcome.Fault);
                    break;
                case DispatchCode.VStoreD or DispatchCode.VStoreQ or DispatchCode.VStoreX:
                    switch (VectorOps.Store(s, block, op))
                    {
                        case StoreResult.Fault: return Stopped(position, op, Outcome.Fault);
                        case StoreResult.HitsCode: return Stopped(position, op, Outcome.HitsCode);
                        default: break;
                    }

                    break;
                case >= DispatchCode.VMov and <= DispatchCode.VFromIntImm: VectorOps.Execute(s, op); break;
                case DispatchCode.Call:
                    r[op->Dst] = HelperTable.Pointer(op->Sub)(s, r[op->A], r[op->B] + (ulong)op->Imm, r[op->C]);
                    if (s->Execution.ExceptionVector >= 0)
                        return Stopped(position, op, Outcome.Fault);
                    break;
                case DispatchCode.Jump: return Stopped(position, op, Outcome.Taken);
                case DispatchCode.JumpCondition: return Stopped(position, op, InterpreterFlags.Holds(r, (Condition)op->Sub) ? Outcome.Taken : Outcome.NotTaken);
                case DispatchCode.JumpIf: return Stopped(position, op, r[op->A] != 0 ? Outcome.Taken : Outcome.NotTaken);
                case DispatchCode.JumpIndirect: return Stopped(position, op, Outcome.Indirect);
                case DispatchCode.Exit: return Stopped(position, op, Outcome.Exit);
                case DispatchCode.Raise:
                    CpuAccess.Raise(s, op->Sub, (uint)r[op->A]);
                    return Stopped(position, op, Outcome.Fault);
                default: throw new InvalidOperationException($"the interpreter does not know dispatch code {op->Dispatch}");
            }

            op++;
            continue;

        slowLoad:
            if (!MemoryOps.LoadSlow(s, block, op))
                return Stopped(position, op, Outcome.Fault);
            op++;
            continue;

        slowStore:
            var stored = MemoryOps.StoreSlow(s, block, op);
            if (stored == StoreResult.Fault)
                return Stopped(position, op, Outcome.Fault);
            if (stored == StoreResult.HitsCode)
                return Stopped(position, op, Outcome.HitsCode);
            op++;
        }

        return Outcome.Done;
    }

    private static Outcome Stopped(IrOp** position, IrOp* op, Outcome outcome)
    {
        *position = op;
        return outcome;
    }

    private static ulong A(ulong* r, IrOp* op) => r[op->A];

    private static ulong B(ulong* r, IrOp* op) => r[op->B] + (ulong)op->Imm;
}
