using System.Runtime.Intrinsics;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Helpers.Vector;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>The interpreter's vector ops: loads and stores, and calls of the methods in the vector table.</summary>
internal static unsafe class VectorOps
{
    /// <summary>VLoad; false with an exception pending.</summary>
    public static bool Load(CpuState* s, IrOp* op)
    {
        var ea = Addresses.Linear(s->Slots, op);
        if ((op->Attr & IrAttr.Aligned) != 0 && (ea & 15) != 0)
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return false;
        }

        Vector128<byte> value = default;
        if (ea >> 12 < s->WindowPages && (s->Permissions[ea >> 12] & (byte)PagePermission.FastRead) != 0)
        {
            var p = s->MemoryBase + ea;
            value = op->Size switch
            {
                4 => Vector128.CreateScalar(*(uint*)p).AsByte(),
                8 => Vector128.CreateScalar(*(ulong*)p).AsByte(),
                _ => *(Vector128<byte>*)p,
            };
        }
        else if (!GuestMemory.ReadBytes(s, ea, (byte*)&value, op->Size))
            return false;

        *CpuAccess.Vector(s, op->Dst) = value;
        return true;
    }

    /// <summary>VStore.</summary>
    public static StoreResult Store(CpuState* s, IrOp* op)
    {
        var ea = Addresses.Linear(s->Slots, op);
        if ((op->Attr & IrAttr.Aligned) != 0 && (ea & 15) != 0)
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return StoreResult.Fault;
        }

        var value = CpuAccess.Vector(s, op->C);
        if (ea >> 12 >= s->WindowPages || (s->Permissions[ea >> 12] & (byte)PagePermission.FastWrite) == 0)
            return GuestMemory.WriteBytes(s, ea, (byte*)value, op->Size);
        var p = s->MemoryBase + ea;
        switch (op->Size)
        {
            case 4: *(uint*)p = *(uint*)value; break;
            case 8: *(ulong*)p = *(ulong*)value; break;
            default: *(Vector128<byte>*)p = *value; break;
        }

        return StoreResult.Done;
    }

    /// <summary>Moves and the operations of the vector table.</summary>
    public static void Execute(CpuState* s, IrOp* op)
    {
        var r = s->Slots;
        var v = CpuAccess.Vector(s, 0);
        var method = VectorTable.Pointer((VecOp)op->Sub);
        switch ((DispatchCode)op->Dispatch)
        {
            case DispatchCode.VMov:
                v[op->Dst] = v[op->B];
                break;
            case DispatchCode.VMovMmx:
                *(ulong*)(v + op->Dst) = *(ulong*)(v + op->B);
                ((ushort*)(v + op->Dst))[4] = 0xFFFF;
                break;
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
