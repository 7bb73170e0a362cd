using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>Address operands in the interpreter.</summary>
internal static unsafe class Addresses
{
    /// <summary>The offset, not truncated.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Sum(ulong* r, IrOp* op) => r[op->A] + (r[op->B] << op->Scale) + (ulong)op->Disp;

    /// <summary>The linear address of any form.</summary>
    public static ulong Linear(ulong* r, IrOp* op)
    {
        var sum = Sum(r, op);
        return op->Form switch
        {
            AddressForm.Flat64 => sum,
            AddressForm.Flat32 => (uint)sum,
            AddressForm.Segment64 => sum + r[op->Seg],
            AddressForm.Segment64Offset32 => (uint)sum + r[op->Seg],
            AddressForm.Segment32 => (uint)((uint)sum + r[op->Seg]),
            _ => (uint)((ushort)sum + r[op->Seg]),
        };
    }

    /// <summary>The offset of any form, as lea gives it before truncation to the operand size.</summary>
    public static ulong Offset(ulong* r, IrOp* op)
    {
        var sum = Sum(r, op);
        return op->Form switch
        {
            AddressForm.Flat64 or AddressForm.Segment64 => sum,
            AddressForm.Segment16 => (ushort)sum,
            _ => (uint)sum,
        };
    }
}
