using System.Buffers.Binary;
using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Processes;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Signals;

/// <summary>
/// Frames that the kernel puts on the stack of a signal handler, byte for byte (Linux arch/x86/kernel/signal_64.c, signal_32.c,
/// uapi/asm/sigcontext.h), and the way back.
/// </summary>
internal static unsafe partial class SignalFrames
{
    // RF, and what a handler must not inherit: TF and DF.
    private const uint FlagsClearedForHandler = Eflags.TF | Eflags.DF | 0x10000;

    // What sigreturn may change: AC, OF, DF, TF, SF, ZF, AF, PF, CF (FIX_EFLAGS without RF).
    private const uint FlagsRestored = 0x40000 | 0x800 | 0x400 | 0x100 | 0x80 | 0x40 | 0x10 | 4 | 1;

    private const int RedZone = 128;

    /// <summary>Builds the frame and points the registers at the handler. False: the stack is not writable; nothing has changed.</summary>
    public static bool TryBuild(GuestThread thread, in SignalInfo info, in SignalAction action, ulong mask) =>
        thread.Process.Is32
            ? (action.Flags & SignalFlags.Info) != 0 ? TryBuild32Info(thread, info, action, mask) : TryBuild32(thread, info, action, mask)
            : TryBuild64(thread, info, action, mask);

    private static ulong StackTop(GuestThread thread, in SignalAction action, int redZone)
    {
        var sp = thread.State->Slots[Slot.Rsp];
        var alternate = thread.AlternateStack;
        if ((action.Flags & SignalFlags.OnStack) != 0 && alternate.Size != 0 && !alternate.Holds(sp))
            return alternate.Address + alternate.Size;
        return sp - (uint)redZone;
    }

    // A frame that would run off the alternate stack is not delivered.
    private static bool Overflows(GuestThread thread, ulong frame)
    {
        var alternate = thread.AlternateStack;
        var sp = thread.State->Slots[Slot.Rsp];
        return alternate.Holds(sp) && !alternate.Holds(frame);
    }

    private static void AfterBuild(GuestThread thread)
    {
        if ((thread.AlternateStack.Flags & AlternateStack.AutoDisarm) != 0)
            thread.AlternateStack = AlternateStack.None;
        CpuAccess.SetEflags(thread.State, CpuAccess.GetEflags(thread.State) & ~FlagsClearedForHandler);
        FpuImage.Reset(thread.State);
    }

    private static void Put16(Span<byte> to, int at, uint value) => BinaryPrimitives.WriteUInt16LittleEndian(to[at..], (ushort)value);

    private static void Put32(Span<byte> to, int at, ulong value) => BinaryPrimitives.WriteUInt32LittleEndian(to[at..], (uint)value);

    private static void Put64(Span<byte> to, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(to[at..], value);

    private static uint Get32(ReadOnlySpan<byte> from, int at) => BinaryPrimitives.ReadUInt32LittleEndian(from[at..]);

    private static ulong Get64(ReadOnlySpan<byte> from, int at) => BinaryPrimitives.ReadUInt64LittleEndian(from[at..]);

    private static void RestoreFlags(CpuState* s, uint flags) =>
        CpuAccess.SetEflags(s, (CpuAccess.GetEflags(s) & ~FlagsRestored) | (flags & FlagsRestored));
}
