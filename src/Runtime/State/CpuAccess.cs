using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.State;

/// <summary>Accessors to a <see cref="CpuState"/> for helpers and hosts. Not checked: pass a pointer to a live state.</summary>
public static unsafe class CpuAccess
{
    /// <summary>The segment register with encoding <paramref name="index"/> (0..5: ES CS SS DS FS GS).</summary>
    public static SegmentRegister* Segment(CpuState* s, int index) => &s->Es + index;

    /// <summary>Cell <paramref name="index"/> of the vector file.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte>* Vector(CpuState* s, int index) => (Vector128<byte>*)((byte*)s + CpuState.VectorOffset) + index;

    /// <summary>The mode that code at RIP is decoded in.</summary>
    public static GuestMode Mode(CpuState* s) => (GuestMode)s->Mode;

    /// <summary>Sets the mode.</summary>
    public static void SetMode(CpuState* s, GuestMode mode)
    {
        s->Mode = (ushort)mode;
        ContextChanged(s);
    }

    /// <summary>
    /// To be called by whoever has changed the mode, the base or limit of CS, or the address space of a state while its vCPU is in Run, before the next
    /// instruction: other translations stand for it. (Run begins with it, so a host that changes them between two runs need not.)
    /// </summary>
    public static void ContextChanged(CpuState* s)
    {
        if (s->Execution.ContextFinder != null)
            s->Execution.ContextFinder(s);
    }

    /// <summary>
    /// Records a pending exception. A helper that called this returns at once; the executor then leaves the block at the instruction
    /// that called the helper.
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="vector">Exception vector (SDM Vol. 3, table 6-1).</param>
    /// <param name="error">Error code, 0 where the vector has none.</param>
    public static void Raise(CpuState* s, int vector, uint error = 0)
    {
        s->Execution.ExceptionVector = vector;
        s->Execution.ExceptionError = error;
    }

    /// <summary>
    /// Records an exception for when the instruction under way has been executed: the vCPU stops with it before the next one, at what RIP is then. Of two, the
    /// later one counts.
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="vector">Exception vector.</param>
    /// <param name="error">Error code, 0 where the vector has none.</param>
    public static void RaiseLater(CpuState* s, int vector, uint error = 0)
    {
        s->Execution.TrapVector = vector;
        s->Execution.TrapError = error;
        Interlocked.Or(ref s->Execution.ExitRequest, (int)ExitRequests.Trap);
    }

    /// <summary>The full EFLAGS image: the status flags computed from the record, and the rest.</summary>
    public static uint GetEflags(CpuState* s) => (uint)s->Slots[Slot.Eflags] | FlagsRecord.Status(s);

    /// <summary>Writes the full EFLAGS image; the caller masks what the privilege level may not change.</summary>
    public static void SetEflags(CpuState* s, uint value)
    {
        s->Slots[Slot.Eflags] = (value & ~Eflags.Status) | 2;
        FlagsRecord.SetStatus(s, value);
    }

    /// <summary>To be called by whoever has set EFLAGS.IF: an interrupt that waits for it is taken before the next instruction, or after the shadow.</summary>
    public static void InterruptsAllowed(CpuState* s)
    {
        if (s->Execution.InterruptPending != 0)
            Interlocked.Or(ref s->Execution.ExitRequest, (int)ExitRequests.Host);
    }
}
