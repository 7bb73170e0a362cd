using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>
/// The FXSAVE image: x87, MMX, XMM and MXCSR state in one (SDM Vol. 1, 10.5), for the FXSAVE and FXRSTOR instructions and for hosts that
/// lay out signal frames.
/// </summary>
public static unsafe class FxState
{
    /// <summary>Size of the image in bytes, reserved bytes included.</summary>
    public const int Size = 512;

    private const int MxcsrOffset = 24;
    private const int XmmOffset = 160;
    private const int Alignment = 16;

    /// <summary>Enters the helpers into <see cref="HelperTable"/>.</summary>
    internal static void RegisterHelpers()
    {
        HelperTable.Add(HelperId.X87Fxsave, &Fxsave, typeof(FxState), nameof(Fxsave), HelperEffects.MayFault | HelperEffects.Vectors);
        HelperTable.Add(HelperId.X87Fxrstor, &Fxrstor, typeof(FxState), nameof(Fxrstor), HelperEffects.MayFault | HelperEffects.Vectors | HelperEffects.ChangesContext);
    }

    /// <summary>Writes the image; the reserved bytes are left alone.</summary>
    /// <param name="s">The state, its MXCSR flags collected (<see cref="HostMxcsr.Collect"/>).</param>
    /// <param name="image">512 bytes.</param>
    /// <param name="wide">64-bit pointers (REX.W) instead of 32-bit ones.</param>
    /// <param name="registers">XMM registers: 16 in 64-bit code, else 8.</param>
    /// <returns>Bytes up to the last one written.</returns>
    public static int Write(CpuState* s, byte* image, bool wide, int registers)
    {
        X87Environment.WriteFxsave(&s->X87, image, wide);
        *(uint*)(image + MxcsrOffset) = s->Mxcsr;
        *(uint*)(image + MxcsrOffset + 4) = HostMxcsr.ValidBits;
        for (int i = 0; i < registers; i++)
            *(System.Runtime.Intrinsics.Vector128<byte>*)(image + XmmOffset + 16 * i) = *CpuAccess.Vector(s, VSlot.Xmm0 + i);
        return XmmOffset + 16 * registers;
    }

    /// <summary>Reads the image; the caller then makes the host's MXCSR follow where guest code is running (<see cref="HostMxcsr.Enter"/>).</summary>
    /// <returns>False, with nothing changed, when reserved bits of MXCSR are set.</returns>
    /// <inheritdoc cref="Write"/>
    public static bool Read(CpuState* s, byte* image, bool wide, int registers)
    {
        uint mxcsr = *(uint*)(image + MxcsrOffset);
        if ((mxcsr & ~HostMxcsr.ValidBits) != 0)
            return false;
        X87Environment.ReadFxsave(&s->X87, image, wide);
        HostMxcsr.Set(s, mxcsr);
        for (int i = 0; i < registers; i++)
            *CpuAccess.Vector(s, VSlot.Xmm0 + i) = *(System.Runtime.Intrinsics.Vector128<byte>*)(image + XmmOffset + 16 * i);
        return true;
    }

    internal static ulong Fxsave(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.BeginWithoutWait(s) || !IsAligned(s, a))
            return 0;
        byte* image = stackalloc byte[Size];
        HostMxcsr.Collect(s);
        int length = Write(s, image, (b & 1) != 0, (b & 2) != 0 ? 16 : 8);
        X87Access.StoreImage(s, a, b, image, length, Size, 0);
        return 0;
    }

    internal static ulong Fxrstor(CpuState* s, ulong a, ulong b, ulong c)
    {
        byte* image = stackalloc byte[Size];
        if (!X87Access.BeginWithoutWait(s) || !IsAligned(s, a) || !X87Access.LoadImage(s, a, b, image, Size, 0))
            return 0;
        if (Read(s, image, (b & 1) != 0, (b & 2) != 0 ? 16 : 8))
            HostMxcsr.Enter(s);
        else
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
        return 0;
    }

    private static bool IsAligned(CpuState* s, ulong linear)
    {
        if (linear % Alignment == 0)
            return true;
        CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
        return false;
    }
}
