using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Processes;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Signals;

/// <summary>
/// The two i386 frames. Without SA_SIGINFO: return address, number, sigcontext, an unused FPU image, the upper mask word and the code of
/// sigreturn. With it: return address, three arguments, siginfo, ucontext, code. The FNSAVE and FXSAVE images lie above.
/// </summary>
internal static unsafe partial class SignalFrames
{
    private const int ContextSize32 = 88, UnusedFpuSize = 624;
    private const int ContextAt32 = 8, UpperMaskAt32 = ContextAt32 + ContextSize32 + UnusedFpuSize, CodeAt32 = UpperMaskAt32 + 4;
    private const int FrameSize32 = CodeAt32 + 8;
    private const int InfoAt32 = 16, UserContextAt32 = InfoAt32 + SignalInfo.Size, InfoContextAt32 = UserContextAt32 + 20;
    private const int InfoMaskAt32 = InfoContextAt32 + ContextSize32, InfoCodeAt32 = InfoMaskAt32 + 8, InfoFrameSize32 = InfoCodeAt32 + 8;

    // In the order of struct sigcontext_32, from offset 16.
    private static readonly ushort[] s_order32 =
        [Slot.Rdi, Slot.Rsi, Slot.Rbp, Slot.Rsp, Slot.Rbx, Slot.Rdx, Slot.Rcx, Slot.Rax];

    private static readonly int[] s_segmentOrder32 = [5, 4, 0, 3];

    private static bool TryBuild32(GuestThread thread, in SignalInfo info, in SignalAction action, ulong mask)
    {
        if (!TryPlaceFpu(thread, action, out var fpu, out var onAlternate))
            return false;
        var frame = (uint)(((fpu - FrameSize32 + 4) & ~15U) - 4);
        if (Overflows(thread, onAlternate, frame))
            return false;
        Span<byte> bytes = stackalloc byte[FrameSize32];
        bytes.Clear();
        if (!TryPutReturn(thread, action, bytes, info: false))
            return false;
        Put32(bytes, 4, (ulong)info.Number);
        WriteContext32(thread, bytes[ContextAt32..], fpu, mask);
        Put32(bytes, UpperMaskAt32, mask >> 32);
        SigreturnPage.Code.CopyTo(bytes[CodeAt32..]);
        if (!thread.Process.Memory.User.TryWrite(frame, bytes))
            return false;
        Enter32(thread, frame, action.Handler, (ulong)info.Number, 0, 0);
        return true;
    }

    private static bool TryBuild32Info(GuestThread thread, in SignalInfo info, in SignalAction action, ulong mask)
    {
        if (!TryPlaceFpu(thread, action, out var fpu, out var onAlternate))
            return false;
        var frame = (uint)(((fpu - InfoFrameSize32 + 4) & ~15U) - 4);
        if (Overflows(thread, onAlternate, frame))
            return false;
        Span<byte> bytes = stackalloc byte[InfoFrameSize32];
        bytes.Clear();
        if (!TryPutReturn(thread, action, bytes, info: true))
            return false;
        Put32(bytes, 4, (ulong)info.Number);
        Put32(bytes, 8, frame + (uint)InfoAt32);
        Put32(bytes, 12, frame + (uint)UserContextAt32);
        info.Write(bytes[InfoAt32..], is32: true);
        var alternate = thread.AlternateStack;
        Put32(bytes, UserContextAt32 + 8, alternate.Address);
        Put32(bytes, UserContextAt32 + 12, alternate.Flags);
        Put32(bytes, UserContextAt32 + 16, alternate.Size);
        WriteContext32(thread, bytes[InfoContextAt32..], fpu, mask);
        Put64(bytes, InfoMaskAt32, mask);
        SigreturnPage.InfoCode.CopyTo(bytes[InfoCodeAt32..]);
        if (!thread.Process.Memory.User.TryWrite(frame, bytes))
            return false;
        Enter32(thread, frame, action.Handler, (ulong)info.Number, frame + (uint)InfoAt32, frame + (uint)UserContextAt32);
        return true;
    }

    /// <summary>sigreturn of i386: the frame without siginfo.</summary>
    public static SigreturnResult Restore32(GuestThread thread)
    {
        // The return address and, by the popping code, the number are gone.
        var frame = (uint)thread.State->Slots[Slot.Rsp] - 8;
        Span<byte> context = stackalloc byte[ContextSize32];
        var memory = thread.Process.Memory.User;
        if (!memory.TryRead(frame + (uint)ContextAt32, context) || !memory.TryRead(frame + (uint)UpperMaskAt32, out uint upper))
            return SigreturnResult.Bad;
        thread.SetMask(Get32(context, 80) | ((ulong)upper << 32));
        return RestoreContext32(thread, context);
    }

    /// <summary>rt_sigreturn of i386.</summary>
    public static SigreturnResult Restore32Info(GuestThread thread)
    {
        var frame = (uint)thread.State->Slots[Slot.Rsp] - 4;
        Span<byte> bytes = stackalloc byte[InfoCodeAt32 - UserContextAt32];
        if (!thread.Process.Memory.User.TryRead(frame + (uint)UserContextAt32, bytes))
            return SigreturnResult.Bad;
        thread.SetMask(Get64(bytes, InfoMaskAt32 - UserContextAt32));
        var result = RestoreContext32(thread, bytes.Slice(InfoContextAt32 - UserContextAt32, ContextSize32));
        if (result.IsRestored)
            RestoreAlternateStack(thread, new AlternateStack(Get32(bytes, 8), Get32(bytes, 16), Get32(bytes, 12)));
        return result;
    }

    // The return address of the handler. The code in the frame itself is only for debuggers to see.
    private static bool TryPutReturn(GuestThread thread, in SignalAction action, Span<byte> frame, bool info)
    {
        var code = (action.Flags & SignalFlags.Restorer) != 0 ? action.Restorer : SigreturnPage.Find(thread.Process.Memory, info);
        if (code is not { } address)
            return false;
        Put32(frame, 0, address);
        return true;
    }

    private static bool TryPlaceFpu(GuestThread thread, in SignalAction action, out uint address, out bool onAlternate)
    {
        var fxsave = ((uint)StackTop(thread, action, 0, out onAlternate) - FpuImage.Size) & ~63U;
        address = fxsave - FpuImage.LegacySize;
        if (Overflows(thread, onAlternate, address))
            return false;
        Span<byte> image = stackalloc byte[FpuImage.LegacySize + FpuImage.Size];
        FpuImage.WriteLegacy(thread.State, image);
        FpuImage.Write(thread.State, image[FpuImage.LegacySize..], wide: false);
        return thread.Process.Memory.User.TryWrite(address, image);
    }

    private static void WriteContext32(GuestThread thread, Span<byte> to, uint fpu, ulong mask)
    {
        var s = thread.State;
        for (var i = 0; i < s_segmentOrder32.Length; i++)
            Put32(to, i * 4, CpuAccess.Segment(s, s_segmentOrder32[i])->Selector);
        for (var i = 0; i < s_order32.Length; i++)
            Put32(to, 16 + (i * 4), s->Slots[s_order32[i]]);
        Put32(to, 48, (ulong)thread.TrapNumber);
        Put32(to, 52, thread.TrapError);
        Put32(to, 56, s->Slots[Slot.Rip]);
        Put32(to, 60, s->Cs.Selector);
        Put32(to, 64, CpuAccess.GetEflags(s));
        Put32(to, 68, s->Slots[Slot.Rsp]);
        Put32(to, 72, s->Ss.Selector);
        Put32(to, 76, fpu);
        Put32(to, 80, mask);
        Put32(to, 84, thread.TrapAddress);
    }

    private static void Enter32(GuestThread thread, uint frame, ulong handler, ulong eax, ulong edx, ulong ecx)
    {
        var s = thread.State;
        s->Slots[Slot.Rsp] = frame;
        s->Slots[Slot.Rip] = (uint)handler;
        s->Slots[Slot.Rax] = eax;
        s->Slots[Slot.Rdx] = edx;
        s->Slots[Slot.Rcx] = ecx;
        SegmentLoads.ReloadUser(s, ExtraSegment, ThreadDescriptors.Data);
        SegmentLoads.ReloadUser(s, DataSegment, ThreadDescriptors.Data);
        ThreadDescriptors.Enter(s, is32: true);
        AfterBuild(thread);
    }

    private static SigreturnResult RestoreContext32(GuestThread thread, ReadOnlySpan<byte> context)
    {
        var s = thread.State;
        for (var i = 0; i < s_segmentOrder32.Length; i++)
        {
            // One that did not change is not loaded, and keeps a base that is none of its descriptor.
            var selector = (ushort)Get32(context, i * 4);
            selector = (ushort)(selector <= 3 ? selector : selector | 3);
            if (selector != CpuAccess.Segment(s, s_segmentOrder32[i])->Selector)
                SegmentLoads.ReloadUser(s, s_segmentOrder32[i], selector);
        }

        for (var i = 0; i < s_order32.Length; i++)
            s->Slots[s_order32[i]] = Get32(context, 16 + (i * 4));
        s->Slots[Slot.Rip] = Get32(context, 56);
        RestoreFlags(s, Get32(context, 64));
        var fpu = Get32(context, 76);
        FpuImage.Reset(s);
        if (fpu != 0)
        {
            Span<byte> image = stackalloc byte[FpuImage.LegacySize + FpuImage.Size];
            if (!thread.Process.Memory.User.TryRead(fpu, image) || !FpuImage.IsValid(image[FpuImage.LegacySize..]))
                return SigreturnResult.Bad;
            FpuImage.Read(s, image[FpuImage.LegacySize..], wide: false);
            FpuImage.ReadLegacy(s, image);
        }

        return Return(s, Get32(context, 60), Get32(context, 72));
    }
}
