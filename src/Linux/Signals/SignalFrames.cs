using System.Buffers.Binary;
using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Processes;
using DynaTrans.Runtime.Segmentation;
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

    // Segment registers by number.
    private const int ExtraSegment = 0, StackSegment = 2, DataSegment = 3;

    /// <summary>Builds the frame and points the registers at the handler. False: the stack is not writable; nothing has changed.</summary>
    public static bool TryBuild(GuestThread thread, in SignalInfo info, in SignalAction action, ulong mask) =>
        action.Is32
            ? (action.Flags & SignalFlags.Info) != 0 ? TryBuild32Info(thread, info, action, mask) : TryBuild32(thread, info, action, mask)
            : TryBuild64(thread, info, action, mask);

    // The stack pointer above the frame, and whether the frame must lie in the alternate stack.
    private static ulong StackTop(GuestThread thread, in SignalAction action, int redZone, out bool onAlternate)
    {
        var sp = thread.State->Slots[Slot.Rsp];
        var alternate = thread.AlternateStack;
        onAlternate = alternate.IsInUse(sp);
        sp -= (uint)redZone;
        if ((action.Flags & SignalFlags.OnStack) == 0 || alternate.Size == 0 || alternate.IsInUse(sp))
            return sp;
        onAlternate = true;
        return alternate.Address + alternate.Size;
    }

    // A frame that would run off the alternate stack is not delivered.
    private static bool Overflows(GuestThread thread, bool onAlternate, ulong frame) => onAlternate && !thread.AlternateStack.Holds(frame);

    private static void AfterBuild(GuestThread thread)
    {
        if ((thread.AlternateStack.Flags & AlternateStack.AutoDisarm) != 0)
            thread.AlternateStack = AlternateStack.Disarmed;
        CpuAccess.SetEflags(thread.State, CpuAccess.GetEflags(thread.State) & ~FlagsClearedForHandler);
        FpuImage.Reset(thread.State);
    }

    // A bad stack in the frame changes nothing.
    private static void RestoreAlternateStack(GuestThread thread, AlternateStack to)
    {
        var stack = thread.AlternateStack;
        AlternateStack.TryChange(ref stack, to, thread.State->Slots[Slot.Rsp]);
        thread.AlternateStack = stack;
    }

    // The return to user mode loads CS, SS and the instruction pointer; what is wrong with them is a fault of the program there, which sees
    // the selectors that could not be loaded.
    private static SigreturnResult Return(CpuState* s, uint code, uint stack)
    {
        var (codeSelector, stackSelector) = ((ushort)(code | 3), (ushort)(stack | 3));
        var fault = ThreadDescriptors.Return(s, codeSelector, stackSelector);
        s->Cs.Selector = codeSelector;
        s->Ss.Selector = stackSelector;
        return new SigreturnResult(true, fault);
    }

    // 64-bit code gets a stack segment that can be loaded (force_valid_ss). Whether it is present does matter here.
    private static ushort ValidStack(CpuState* s, ushort selector)
    {
        const ulong Present = 1 << 15, Ring3 = 3 << 13, CodeOrData = 1 << 12, Code = 1 << 11, Writable = 1 << 9;
        var rights = SegmentQueries.Rights(s, selector) & (Present | Ring3 | CodeOrData | Code | Writable);
        return rights == (Present | Ring3 | CodeOrData | Writable) ? selector : ThreadDescriptors.Data;
    }

    private static void Put16(Span<byte> to, int at, uint value) => BinaryPrimitives.WriteUInt16LittleEndian(to[at..], (ushort)value);

    private static void Put32(Span<byte> to, int at, ulong value) => BinaryPrimitives.WriteUInt32LittleEndian(to[at..], (uint)value);

    private static void Put64(Span<byte> to, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(to[at..], value);

    private static uint Get16(ReadOnlySpan<byte> from, int at) => BinaryPrimitives.ReadUInt16LittleEndian(from[at..]);

    private static uint Get32(ReadOnlySpan<byte> from, int at) => BinaryPrimitives.ReadUInt32LittleEndian(from[at..]);

    private static ulong Get64(ReadOnlySpan<byte> from, int at) => BinaryPrimitives.ReadUInt64LittleEndian(from[at..]);

    private static void RestoreFlags(CpuState* s, uint flags) =>
        CpuAccess.SetEflags(s, (CpuAccess.GetEflags(s) & ~FlagsRestored) | (flags & FlagsRestored));
}

/// <summary>How sigreturn ended.</summary>
/// <param name="IsRestored">False: the frame is not readable or its floating-point state not valid, SIGSEGV takes the place of the return.</param>
/// <param name="Fault">Vector and error code of the exception that the return raises with what it restored, or null.</param>
internal readonly record struct SigreturnResult(bool IsRestored, (int Vector, uint Error)? Fault)
{
    public static SigreturnResult Bad => new(false, null);
}
