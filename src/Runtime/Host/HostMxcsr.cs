using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace DynaTrans.Runtime.Host;

/// <summary>
/// The guest's MXCSR on the host. While guest code runs, the host's MXCSR holds the guest's rounding control, DAZ and FTZ with all
/// exceptions masked, and collects sticky flags; the control bits of <see cref="CpuState.Mxcsr"/> are always exact, its flags after
/// <see cref="Leave"/>. Between <see cref="Enter"/> and <see cref="Leave"/> there are the executors and nothing else: neither code of ours that
/// computes with floating point nor the runtime, whose compiler does; <see cref="Preparation"/> sees to the latter. SDM Vol. 1, 10.2.3 and 11.5.
/// </summary>
public static unsafe class HostMxcsr
{
    /// <summary>MXCSR after reset: all exceptions masked, round to nearest.</summary>
    public const uint Default = 0x1F80;

    /// <summary>The bits that may be set (MXCSR_MASK of fxsave); writing others raises #GP.</summary>
    public const uint ValidBits = 0xFFFF;

    private const uint FlagBits = 0x3F;
    private const uint MaskBits = 0x1F80;
    private const int MaskShift = 7;
    private const uint FlushToZero = 0x8000;
    private const uint UnderflowMask = 0x800;
    private const uint OverflowOrUnderflow = 0x18;
    private const uint Inexact = 0x20;

    // Flags found before the operation is carried out: invalid, denormal, divide by zero (SDM Vol. 1, 11.5.2).
    private const uint PreComputation = 7;

    // mov [rsp - 8], edi; ldmxcsr [rsp - 8]; ret
    private static readonly delegate* unmanaged[SuppressGCTransition]<uint, void> Load =
        (delegate* unmanaged[SuppressGCTransition]<uint, void>)NativeCode.Publish(
            "guest vector code", [0x89, 0x7C, 0x24, 0xF8, 0x0F, 0xAE, 0x54, 0x24, 0xF8, 0xC3]);

    // stmxcsr [rsp - 8]; mov eax, [rsp - 8]; ret
    private static readonly delegate* unmanaged[SuppressGCTransition]<uint> Store =
        (delegate* unmanaged[SuppressGCTransition]<uint>)NativeCode.Publish(
            "guest vector code", [0x0F, 0xAE, 0x5C, 0x24, 0xF8, 0x8B, 0x44, 0x24, 0xF8, 0xC3]);

    /// <summary>Gives the host the guest's MXCSR; call before guest code runs.</summary>
    public static void Enter(CpuState* s) => Load(s->Mxcsr | MaskBits);

    /// <summary>Collects the sticky flags into the state and gives the host its default MXCSR; call after guest code ran.</summary>
    public static void Leave(CpuState* s)
    {
        Collect(s);
        Load(Default);
    }

    /// <summary>
    /// Sets the guest's MXCSR and the mode bit that follows from it. While guest code runs (in a helper), <see cref="Enter"/> must follow.
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="value">The new value; reserved bits must be 0.</param>
    public static void Set(CpuState* s, uint value)
    {
        s->Mxcsr = value & ValidBits;
        var unmasked = (value & MaskBits) != MaskBits;
        var mode = CpuAccess.Mode(s);
        CpuAccess.SetMode(s, unmasked ? mode | GuestMode.SseUnmasked : mode & ~GuestMode.SseUnmasked);
    }

    /// <summary>Gives the host its default MXCSR, whatever was there.</summary>
    internal static void Reset() => Load(Default);

    /// <summary>Makes the flags of <see cref="CpuState.Mxcsr"/> exact while guest code runs.</summary>
    public static void Collect(CpuState* s) => s->Mxcsr |= Store() & FlagBits;

    /// <summary>Gives the host its default MXCSR in the middle of guest code; <see cref="Resume"/> takes the result.</summary>
    internal static uint Suspend()
    {
        var mxcsr = Store();
        Load(Default);
        return mxcsr;
    }

    /// <summary>Undoes <see cref="Suspend"/>.</summary>
    internal static void Resume(uint mxcsr) => Load(mxcsr);

    // The helpers (VectorHelpers registers them) are not inlined, or a compiler could drop or move the operations whose flags they read.

    // stmxcsr: gives the guest's MXCSR.
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static ulong StoreMxcsr(CpuState* s, ulong a, ulong b, ulong c)
    {
        Collect(s);
        return s->Mxcsr;
    }

    // ldmxcsr: a is the new value. Reserved bits raise #GP(0).
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static ulong LoadMxcsr(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (((uint)a & ~ValidBits) != 0)
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return 0;
        }

        Set(s, (uint)a);
        Enter(s);
        return 0;
    }

    // Before a floating-point operation in a mode with unmasked exceptions: clears the host's flags. Unmasked underflow is raised for
    // any tiny result, masked underflow only for one that is inexact too: flushing to zero makes the host report both alike.
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static ulong BeginSimdCheck(CpuState* s, ulong a, ulong b, ulong c)
    {
        Collect(s);
        Load(ForCheck(s));
        return 0;
    }

    private static uint ForCheck(CpuState* s)
    {
        var host = (s->Mxcsr | MaskBits) & ~FlagBits;
        return (s->Mxcsr & UnderflowMask) == 0 ? host | FlushToZero : host;
    }

    /// <summary>The flags that an operation raises under the guest's MXCSR, as between the two checks. Runs outside <see cref="Enter"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static uint FlagsOf(CpuState* s, delegate*<V, V, V> operation, V a, V b, out V result)
    {
        // Once before, so that compiling it does not add the compiler's flags.
        result = operation(a, b);
        Load(ForCheck(s));
        result = operation(a, b);
        var flags = Store() & FlagBits;
        Load(Default);
        return flags;
    }

    /// <summary>
    /// Ends the check after the operation: adds the flags to <see cref="CpuState.Mxcsr"/> and goes on under it. An unmasked flag found before
    /// the computation keeps those found after it from being set (SDM Vol. 1, 11.5.2).
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="open">
    /// Not 0: whether the inexact flag is due beside an unmasked overflow or underflow is still to be found out, and these are the other flags,
    /// not added yet.
    /// </param>
    /// <returns>True when a flag is up that is not masked.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool EndCheck(CpuState* s, out uint open)
    {
        var flags = Store() & FlagBits;
        var unmasked = flags & ~(s->Mxcsr >> MaskShift);
        if ((unmasked & PreComputation) != 0)
            flags &= PreComputation;
        open = (flags & Inexact) != 0 && (unmasked & flags & OverflowOrUnderflow) != 0 ? flags & ~Inexact : 0;
        if (open == 0)
            s->Mxcsr |= flags;
        Enter(s);
        return unmasked != 0;
    }
}
