using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Processes;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Signals;

/// <summary>The x86-64 frame: return address, ucontext, siginfo; the FXSAVE image above it, aligned to 64.</summary>
internal static unsafe partial class SignalFrames
{
    private const int ContextAt64 = 8, InfoAt64 = ContextAt64 + 304, FrameSize64 = InfoAt64 + SignalInfo.Size;
    private const int RegistersAt64 = ContextAt64 + 40, MaskAt64 = ContextAt64 + 296;

    // UC_SIGCONTEXT_SS, and UC_STRICT_RESTORE_SS for 64-bit code.
    private const ulong StackSegmentIsSaved = 2, StrictStackSegment = 4;

    // In the order of struct sigcontext_64.
    private static readonly ushort[] s_order64 =
    [
        Slot.R8, Slot.R8 + 1, Slot.R8 + 2, Slot.R8 + 3, Slot.R8 + 4, Slot.R8 + 5, Slot.R8 + 6, Slot.R15, Slot.Rdi, Slot.Rsi, Slot.Rbp,
        Slot.Rbx, Slot.Rdx, Slot.Rax, Slot.Rcx, Slot.Rsp, Slot.Rip,
    ];

    private static bool TryBuild64(GuestThread thread, in SignalInfo info, in SignalAction action, ulong mask)
    {
        if ((action.Flags & SignalFlags.Restorer) == 0)
            return false;
        var s = thread.State;
        var fpu = (StackTop(thread, action, RedZone, out var onAlternate) - FpuImage.Size) & ~63UL;
        var frame = ((fpu - FrameSize64) & ~15UL) - 8;
        if (Overflows(thread, onAlternate, frame))
            return false;
        Span<byte> image = stackalloc byte[FpuImage.Size];
        FpuImage.Write(s, image, wide: true);
        Span<byte> bytes = stackalloc byte[FrameSize64];
        bytes.Clear();
        Put64(bytes, 0, action.Restorer);
        Put64(bytes, ContextAt64, CpuAccess.Mode(s).Is64() ? StackSegmentIsSaved | StrictStackSegment : StackSegmentIsSaved);
        var alternate = thread.AlternateStack;
        Put64(bytes, ContextAt64 + 16, alternate.Address);
        Put32(bytes, ContextAt64 + 24, alternate.Flags);
        Put64(bytes, ContextAt64 + 32, alternate.Size);
        var at = RegistersAt64;
        foreach (var slot in s_order64)
        {
            Put64(bytes, at, s->Slots[slot]);
            at += 8;
        }

        Put64(bytes, at, CpuAccess.GetEflags(s));
        Put16(bytes, at + 8, s->Cs.Selector);
        Put16(bytes, at + 14, s->Ss.Selector);
        Put64(bytes, at + 16, thread.TrapError);
        Put64(bytes, at + 24, (ulong)thread.TrapNumber);
        Put64(bytes, at + 32, mask);
        Put64(bytes, at + 40, thread.TrapAddress);
        Put64(bytes, at + 48, fpu);
        Put64(bytes, MaskAt64, mask);
        var memory = thread.Process.Memory.User;
        if ((action.Flags & SignalFlags.Info) != 0)
            info.Write(bytes[InfoAt64..], is32: false);
        else
            bytes = bytes[..InfoAt64];
        if (!memory.TryWrite(fpu, image) || !memory.TryWrite(frame, bytes))
            return false;
        s->Slots[Slot.Rsp] = frame;
        s->Slots[Slot.Rip] = action.Handler;
        s->Slots[Slot.Rax] = 0;
        s->Slots[Slot.Rdi] = (ulong)info.Number;
        s->Slots[Slot.Rsi] = frame + InfoAt64;
        s->Slots[Slot.Rdx] = frame + ContextAt64;
        SegmentLoads.ReloadUser(s, StackSegment, ValidStack(s, s->Ss.Selector));
        CodeTransfers.SetUserCode(s, ThreadDescriptors.Code64);
        AfterBuild(thread);
        return true;
    }

    /// <summary>rt_sigreturn of x86-64.</summary>
    public static SigreturnResult Restore64(GuestThread thread)
    {
        var s = thread.State;
        var memory = thread.Process.Memory.User;

        // The handler's return has popped the return address.
        Span<byte> bytes = stackalloc byte[InfoAt64 - ContextAt64];
        if (!memory.TryRead(s->Slots[Slot.Rsp], bytes))
            return SigreturnResult.Bad;
        thread.SetMask(Get64(bytes, MaskAt64 - ContextAt64));
        RestoreAlternateStack(thread, new AlternateStack(Get64(bytes, 16), Get64(bytes, 32), Get32(bytes, 24)));
        var at = RegistersAt64 - ContextAt64;
        foreach (var slot in s_order64)
        {
            s->Slots[slot] = Get64(bytes, at);
            at += 8;
        }

        RestoreFlags(s, Get32(bytes, at));
        var fpu = Get64(bytes, at + 48);
        FpuImage.Reset(s);
        if (fpu != 0)
        {
            Span<byte> image = stackalloc byte[FpuImage.Size];
            if ((fpu & 15) != 0 || !memory.TryRead(fpu, image) || !FpuImage.IsValid(image))
                return SigreturnResult.Bad;
            FpuImage.Read(s, image, wide: true);
        }

        // Without UC_STRICT_RESTORE_SS 64-bit code gets an SS that can be loaded.
        var (code, stack) = ((ushort)(Get16(bytes, at + 8) | 3), (ushort)(Get16(bytes, at + 14) | 3));
        if ((Get64(bytes, 0) & StrictStackSegment) == 0 && code == ThreadDescriptors.Code64)
            stack = ValidStack(s, stack);
        return Return(s, code, stack);
    }
}
