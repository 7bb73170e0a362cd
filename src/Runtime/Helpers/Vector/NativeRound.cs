using DynaTrans.Runtime.Host;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace DynaTrans.Runtime.Helpers.Vector;

/// <summary>
/// roundps and roundpd with the immediates for which .NET has no intrinsic: those that do not report inexact results (8..15). Executed by
/// the host instruction itself in a routine of machine code, made when first used.
/// </summary>
internal static unsafe class NativeRound
{
    private static readonly nint[] Routines = new nint[32];

    /// <summary>roundps.</summary>
    public static V Single(V b, byte imm) => Run(b, imm & 15);

    /// <summary>roundpd.</summary>
    public static V Double(V b, byte imm) => Run(b, 16 + (imm & 15));

    private static V Run(V b, int index)
    {
        var routine = Routines[index];
        if (routine == 0)
            routine = MakeNow(index);

        var value = b;
        ((delegate* unmanaged[SuppressGCTransition]<V*, void>)routine)(&value);
        return value;
    }

    // Making it computes with floating point, which must not show in the guest's flags.
    [UnderHostMxcsr]
    private static nint MakeNow(int index)
    {
        var mxcsr = HostMxcsr.Suspend();
        var routine = Make(index);
        HostMxcsr.Resume(mxcsr);
        return routine;
    }

    // Two threads that race make the same routine twice; either serves.
    private static nint Make(int index) => Routines[index] = NativeCode.Assemble("SSE4.1 rounding", a =>
    {
        a.movups(xmm0, __[rdi]);
        if (index < 16)
            a.roundps(xmm0, xmm0, (byte)(index & 15));
        else
            a.roundpd(xmm0, xmm0, (byte)(index & 15));
        a.movups(__[rdi], xmm0);
        a.ret();
    });
}
