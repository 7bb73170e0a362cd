using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Helpers.Vector;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>The interpreter's vector ops: loads and stores, and calls of the methods in the vector table.</summary>
internal static unsafe class VectorOps
{
    /// <summary>VLoad; false with an exception pending.</summary>
    public static bool Load(CpuState* s, Block* block, IrOp* op)
    {
        var ea = Addresses.Linear(s->Slots, op);
        if ((op->Attr & IrAttr.Aligned) != 0 && (ea & 15) != 0)
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return false;
        }

        Vector128<byte> value = default;
        if (MemoryProbe.Fast(s, ea, PagePermission.FastRead, out var p) || (p = MemoryOps.FindRead(s, block, op, ea)) != null)
        {
            value = op->Size switch
            {
                4 => Read<uint>(p),
                8 => Read<ulong>(p),
                _ => Read<Vector128<byte>>(p),
            };
        }
        else if (!GuestMemory.TryRead(s, ea, (byte*)&value, op->Size, op->Intent))
            return false;

        *CpuAccess.Vector(s, op->Dst) = value;
        return true;
    }

    /// <summary>A vector of the bytes of a size, the upper ones 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Read<T>(byte* p)
        where T : unmanaged => sizeof(T) switch
        {
            4 => Vector128.CreateScalar(*(uint*)p).AsByte(),
            8 => Vector128.CreateScalar(*(ulong*)p).AsByte(),
            _ => *(Vector128<byte>*)p,
        };

    /// <summary>VStore.</summary>
    public static StoreResult Store(CpuState* s, Block* block, IrOp* op)
    {
        var ea = Addresses.Linear(s->Slots, op);
        if ((op->Attr & IrAttr.Aligned) != 0 && (ea & 15) != 0)
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return StoreResult.Fault;
        }

        var value = CpuAccess.Vector(s, op->C);
        if (!MemoryProbe.Fast(s, ea, PagePermission.FastWrite, out var p) && (p = MemoryOps.FindWrite(s, block, op, ea)) == null)
            return GuestMemory.Store(s, ea, (byte*)value, op->Size, op->Intent);
        switch (op->Size)
        {
            case 4: *(uint*)p = *(uint*)value; break;
            case 8: *(ulong*)p = *(ulong*)value; break;
            default: *(Vector128<byte>*)p = *value; break;
        }

        return StoreResult.Done;
    }

    /// <summary>Moves and the operations of the vector table; the most frequent ones without the call.</summary>
    public static void Execute(CpuState* s, IrOp* op)
    {
        var r = s->Slots;
        var v = CpuAccess.Vector(s, 0);
        if (op->Op == IrOpcode.VMov)
        {
            v[op->Dst] = v[op->B];
            return;
        }

        if (op->Op == IrOpcode.VMovMmx)
        {
            *(ulong*)(v + op->Dst) = *(ulong*)(v + op->B);
            ((ushort*)(v + op->Dst))[4] = 0xFFFF;
            return;
        }

        switch ((VecOp)op->Sub)
        {
            case VecOp.And: v[op->Dst] = VectorMethods.And(v[op->A], v[op->B]); return;
            case VecOp.AndNot: v[op->Dst] = VectorMethods.AndNot(v[op->A], v[op->B]); return;
            case VecOp.Or: v[op->Dst] = VectorMethods.Or(v[op->A], v[op->B]); return;
            case VecOp.Xor: v[op->Dst] = VectorMethods.Xor(v[op->A], v[op->B]); return;
            case VecOp.MoveSs: v[op->Dst] = VectorMethods.MoveSs(v[op->A], v[op->B]); return;
            case VecOp.MoveSd: v[op->Dst] = VectorMethods.MoveSd(v[op->A], v[op->B]); return;
            case VecOp.PAddB: v[op->Dst] = VectorMethods.PAddB(v[op->A], v[op->B]); return;
            case VecOp.PAddD: v[op->Dst] = VectorMethods.PAddD(v[op->A], v[op->B]); return;
            case VecOp.PAddQ: v[op->Dst] = VectorMethods.PAddQ(v[op->A], v[op->B]); return;
            case VecOp.PSubB: v[op->Dst] = VectorMethods.PSubB(v[op->A], v[op->B]); return;
            case VecOp.PCmpEqB: v[op->Dst] = VectorMethods.PCmpEqB(v[op->A], v[op->B]); return;
            case VecOp.PCmpEqD: v[op->Dst] = VectorMethods.PCmpEqD(v[op->A], v[op->B]); return;
            case VecOp.PMinUb: v[op->Dst] = VectorMethods.PMinUb(v[op->A], v[op->B]); return;
            case VecOp.PUnpckLBw: v[op->Dst] = VectorMethods.PUnpckLBw(v[op->A], v[op->B]); return;
            case VecOp.PUnpckLDq: v[op->Dst] = VectorMethods.PUnpckLDq(v[op->A], v[op->B]); return;
            case VecOp.PUnpckLQdq: v[op->Dst] = VectorMethods.PUnpckLQdq(v[op->A], v[op->B]); return;
            case VecOp.PShufB: v[op->Dst] = VectorMethods.PShufB(v[op->A], v[op->B]); return;
            case VecOp.AddSs: v[op->Dst] = VectorMethods.AddSs(v[op->A], v[op->B]); return;
            case VecOp.SubSs: v[op->Dst] = VectorMethods.SubSs(v[op->A], v[op->B]); return;
            case VecOp.MulSs: v[op->Dst] = VectorMethods.MulSs(v[op->A], v[op->B]); return;
            case VecOp.DivSs: v[op->Dst] = VectorMethods.DivSs(v[op->A], v[op->B]); return;
            case VecOp.AddSd: v[op->Dst] = VectorMethods.AddSd(v[op->A], v[op->B]); return;
            case VecOp.SubSd: v[op->Dst] = VectorMethods.SubSd(v[op->A], v[op->B]); return;
            case VecOp.MulSd: v[op->Dst] = VectorMethods.MulSd(v[op->A], v[op->B]); return;
            case VecOp.DivSd: v[op->Dst] = VectorMethods.DivSd(v[op->A], v[op->B]); return;
            case VecOp.SqrtSd: v[op->Dst] = VectorMethods.SqrtSd(v[op->A], v[op->B]); return;
            case VecOp.MinSd: v[op->Dst] = VectorMethods.MinSd(v[op->A], v[op->B]); return;
            case VecOp.MaxSd: v[op->Dst] = VectorMethods.MaxSd(v[op->A], v[op->B]); return;
            case VecOp.AddPs: PackedArithmetic.AddPs(v + op->Dst, v + op->A, v + op->B); return;
            case VecOp.SubPs: v[op->Dst] = VectorMethods.SubPs(v[op->A], v[op->B]); return;
            case VecOp.MulPs: PackedArithmetic.MulPs(v + op->Dst, v + op->A, v + op->B); return;
            case VecOp.AddPd: PackedArithmetic.AddPd(v + op->Dst, v + op->A, v + op->B); return;
            case VecOp.SubPd: v[op->Dst] = VectorMethods.SubPd(v[op->A], v[op->B]); return;
            case VecOp.MulPd: PackedArithmetic.MulPd(v + op->Dst, v + op->A, v + op->B); return;
            case VecOp.CvtSs2Sd: v[op->Dst] = VectorMethods.CvtSs2Sd(v[op->A], v[op->B]); return;
            case VecOp.CvtSd2Ss: v[op->Dst] = VectorMethods.CvtSd2Ss(v[op->A], v[op->B]); return;
            case VecOp.MoveQ: v[op->Dst] = VectorMethods.MoveQ(v[op->B]); return;
            case VecOp.UcomiSs: r[op->Dst] = VectorMethods.UcomiSs(v[op->A], v[op->B]); return;
            case VecOp.UcomiSd: r[op->Dst] = VectorMethods.UcomiSd(v[op->A], v[op->B]); return;
            case VecOp.ComiSs: r[op->Dst] = VectorMethods.ComiSs(v[op->A], v[op->B]); return;
            case VecOp.ComiSd: r[op->Dst] = VectorMethods.ComiSd(v[op->A], v[op->B]); return;
            case VecOp.PMovMskB: r[op->Dst] = VectorMethods.PMovMskB(v[op->B]); return;
            case VecOp.ToD: r[op->Dst] = VectorMethods.ToD(v[op->B]); return;
            case VecOp.ToQ: r[op->Dst] = VectorMethods.ToQ(v[op->B]); return;
            case VecOp.CvttSd2Si32: r[op->Dst] = VectorMethods.CvttSd2Si32(v[op->B]); return;
            case VecOp.CvttSd2Si64: r[op->Dst] = VectorMethods.CvttSd2Si64(v[op->B]); return;
            case VecOp.Zero: v[op->Dst] = Vector128<byte>.Zero; return;
            case VecOp.FromD: v[op->Dst] = VectorMethods.FromD(v[op->A], r[op->B]); return;
            case VecOp.FromQ: v[op->Dst] = VectorMethods.FromQ(v[op->A], r[op->B]); return;
            case VecOp.CvtSi2Sd32: v[op->Dst] = VectorMethods.CvtSi2Sd32(v[op->A], r[op->B]); return;
            case VecOp.CvtSi2Sd64: v[op->Dst] = VectorMethods.CvtSi2Sd64(v[op->A], r[op->B]); return;
            default: Call(r, v, op); return;
        }
    }

    private static void Call(ulong* r, Vector128<byte>* v, IrOp* op)
    {
        var method = VectorTable.Pointer((VecOp)op->Sub);
        switch ((DispatchCode)op->Dispatch)
        {
            case DispatchCode.VBinary:
                v[op->Dst] = ((delegate*<Vector128<byte>, Vector128<byte>, Vector128<byte>>)method)(v[op->A], v[op->B]);
                break;
            case DispatchCode.VBinaryImm:
                v[op->Dst] = ((delegate*<Vector128<byte>, Vector128<byte>, byte, Vector128<byte>>)method)(v[op->A], v[op->B], (byte)op->Imm);
                break;
            case DispatchCode.VUnary:
                v[op->Dst] = ((delegate*<Vector128<byte>, Vector128<byte>>)method)(v[op->B]);
                break;
            case DispatchCode.VUnaryImm:
                v[op->Dst] = ((delegate*<Vector128<byte>, byte, Vector128<byte>>)method)(v[op->B], (byte)op->Imm);
                break;
            case DispatchCode.VToInt:
                r[op->Dst] = ((delegate*<Vector128<byte>, ulong>)method)(v[op->B]);
                break;
            case DispatchCode.VToIntImm:
                r[op->Dst] = ((delegate*<Vector128<byte>, byte, ulong>)method)(v[op->B], (byte)op->Imm);
                break;
            case DispatchCode.VBinaryToInt:
                r[op->Dst] = ((delegate*<Vector128<byte>, Vector128<byte>, ulong>)method)(v[op->A], v[op->B]);
                break;
            case DispatchCode.VFromInt:
                v[op->Dst] = ((delegate*<Vector128<byte>, ulong, Vector128<byte>>)method)(v[op->A], r[op->B]);
                break;
            default:
                v[op->Dst] = ((delegate*<Vector128<byte>, ulong, byte, Vector128<byte>>)method)(v[op->A], r[op->B], (byte)op->Imm);
                break;
        }
    }
}
