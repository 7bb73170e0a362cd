using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Signals;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using Iced.Intel;

namespace DynaTrans.Linux.Processes;

/// <summary>Exceptions of guest code as signals (Linux arch/x86/kernel/traps.c, mm/fault.c).</summary>
public sealed unsafe partial class GuestThread
{
    // All three ways into the kernel have two bytes.
    private const ulong SystemCallLength = 2;

    private const int SegvMapError = 1, SegvAccessError = 2, BusAlignment = 1, BusAddress = 2, TrapTrace = 2, TrapBreakpoint = 1, IllegalOperand = 2;

    private const uint PresentFault = 1, WriteFault = 2, UserFault = 4;

    // Four levels of page tables, less a page.
    private const ulong EndOfUserSpace = (1UL << 47) - 4096;

    /// <summary>Vector of the last fault, for the signal frame.</summary>
    internal int TrapNumber { get; private set; }

    /// <summary>Error code of the last fault.</summary>
    internal uint TrapError { get; private set; }

    /// <summary>Address of the last page fault (CR2).</summary>
    internal ulong TrapAddress { get; private set; }

    private void RaiseException()
    {
        var s = State;
        var rip = s->Slots[Slot.Rip];
        if (s->Execution.ExceptionVector == ExceptionVector.PageFault && s->Execution.FaultAddress == rip && CpuAccess.Mode(s).Is64() && Vsyscall.Contains(rip))
        {
            Vsyscall.Serve(this);
            return;
        }

        var kind = s->Execution.ExceptionVector == ExceptionVector.PageFault
            ? Process.Memory.Judge(s->Execution.FaultAddress, AccessOf(s->Execution.ExceptionError))
            : FaultKind.NotAllowed;
        if (kind == FaultKind.Gone)
            return;
        TrapNumber = s->Execution.ExceptionVector;
        TrapError = s->Execution.ExceptionError;

        // A fault pushes RF, a trap does not (SDM Vol. 3, 18.3.1.1). Building the signal frame clears it again.
        if (s->Execution.ExceptionVector is not (ExceptionVector.Debug or ExceptionVector.Breakpoint or ExceptionVector.Overflow))
            s->Slots[Slot.Eflags] |= Eflags.RF;
        var info = s->Execution.ExceptionVector switch
        {
            ExceptionVector.DivideError => SignalInfo.Fault(Signal.Fpe, 1, rip),
            ExceptionVector.Debug => SignalInfo.Fault(Signal.Trap, TrapTrace, rip),
            ExceptionVector.Breakpoint => SignalInfo.Fault(Signal.Trap, SignalInfo.FromKernel, 0),
            ExceptionVector.InvalidOpcode => SignalInfo.Fault(Signal.Ill, IllegalOperand, rip),
            ExceptionVector.SegmentNotPresent or ExceptionVector.StackFault => SignalInfo.Fault(Signal.Bus, SignalInfo.FromKernel, 0),
            ExceptionVector.PageFault => PageFault(s->Execution.FaultAddress, s->Execution.ExceptionError, kind),
            ExceptionVector.FloatingPoint => SignalInfo.Fault(Signal.Fpe, FloatingCode(s->Fsw & ~s->Fcw), rip),
            ExceptionVector.SimdFloatingPoint => SignalInfo.Fault(Signal.Fpe, FloatingCode((int)s->Mxcsr & ~((int)s->Mxcsr >> 7)), rip),
            ExceptionVector.AlignmentCheck => SignalInfo.Fault(Signal.Bus, BusAlignment, 0),
            _ => SignalInfo.Fault(Signal.Segv, SignalInfo.FromKernel, 0),
        };
        Process.Force(this, info);
    }

    // int n of a vector that user code may not call is #GP at the instruction. int1 (F1) and the one-byte int3 and into are traps: RIP is
    // behind them.
    private void RaiseSoftwareInterrupt(int vector)
    {
        var rip = State->Slots[Slot.Rip];
        switch (vector)
        {
            case ExceptionVector.Breakpoint:
                TrapNumber = vector;
                TrapError = 0;
                Process.Force(this, SignalInfo.Fault(Signal.Trap, SignalInfo.FromKernel, 0));
                break;
            case ExceptionVector.Overflow:
                TrapNumber = vector;
                TrapError = 0;
                Process.Force(this, SignalInfo.Fault(Signal.Segv, SignalInfo.FromKernel, 0));
                break;
            case ExceptionVector.Debug when Process.Memory.User.TryRead(LinearInstructionPointer - 1, out byte opcode) && opcode == 0xF1:
                TrapNumber = vector;
                TrapError = 0;
                Process.Force(this, SignalInfo.Fault(Signal.Trap, TrapBreakpoint, rip));
                break;
            default:
                State->Slots[Slot.Rip] = rip - 2;
                RaiseGeneralProtection((uint)((vector * 8) + 2));
                break;
        }
    }

    /// <summary>Sends the SIGSEGV of a general protection fault.</summary>
    internal void RaiseGeneralProtection(uint error) => RaiseSegmentFault(ExceptionVector.GeneralProtection, error);

    /// <summary>Sends the signal of a fault that has to do with a segment.</summary>
    internal void RaiseSegmentFault(int vector, uint error)
    {
        TrapNumber = vector;
        TrapError = error;
        State->Slots[Slot.Eflags] |= Eflags.RF;
        var signal = vector is ExceptionVector.SegmentNotPresent or ExceptionVector.StackFault ? Signal.Bus : Signal.Segv;
        Process.Force(this, SignalInfo.Fault(signal, SignalInfo.FromKernel, 0));
    }

    internal ulong LinearInstructionPointer
    {
        get
        {
            var linear = State->Slots[Slot.Rip] + State->Slots[Slot.CsBase];
            return CpuAccess.Mode(State).Is64() ? linear : (uint)linear;
        }
    }

    /// <summary>Sends the SIGSEGV of an argument of the vsyscall page that is no address of user space. False when it is one.</summary>
    internal bool RefuseKernelAddress(ulong address)
    {
        if (address <= EndOfUserSpace)
            return false;
        (TrapNumber, TrapError, TrapAddress) = (ExceptionVector.PageFault, WriteFault | UserFault, address);
        Process.Force(this, SignalInfo.Fault(Signal.Segv, SegvMapError, address));
        return true;
    }

    private SignalInfo PageFault(ulong address, uint error, FaultKind kind)
    {
        TrapAddress = address;
        if ((error & WriteFault) != 0 && IsStoreByKernel())
        {
            TrapError = WriteFault | UserFault;
            return SignalInfo.Fault(Signal.Segv, SegvMapError, address);
        }

        // PROT_NONE pages are mappings, but not present to the processor.
        var page = Process.Memory.Space.Query(address);
        var mapped = (page & PagePermission.Mapped) != 0;
        TrapError = (page & PagePermission.Protection) == 0 ? (error | UserFault) & ~PresentFault : error | UserFault;

        // What is mapped beyond user space is not told: it is always said to be present.
        if (address >= EndOfUserSpace)
            TrapError |= PresentFault;
        if (kind == FaultKind.BehindFile)
            return SignalInfo.Fault(Signal.Bus, BusAddress, address);
        return SignalInfo.Fault(Signal.Segv, mapped ? SegvAccessError : SegvMapError, address);
    }

    // sgdt, sidt, sldt, str and smsw are carried out by the kernel for user code (UMIP), which reports a failing store in its own way.
    private bool IsStoreByKernel()
    {
        Span<byte> bytes = stackalloc byte[15];
        var length = Process.Memory.Space.Read(LinearInstructionPointer, bytes);
        var decoder = Decoder.Create(CpuAccess.Mode(State).Bitness(), new ByteArrayCodeReader(bytes[..length].ToArray()));
        return decoder.Decode().Mnemonic is Mnemonic.Sgdt or Mnemonic.Sidt or Mnemonic.Sldt or Mnemonic.Str or Mnemonic.Smsw;
    }

    private static PagePermission AccessOf(uint error) =>
        (error & 16) != 0 ? PagePermission.Execute : (error & 2) != 0 ? PagePermission.Write : PagePermission.Read;

    // The host met the end of a file in the middle of guest code, which has gone on to where it could be left: the signal comes there. A
    // system call that it got to is not made before the handler has returned.
    private ExitCause RaiseBusFault(ExitCause cause)
    {
        if (!TakeBusFault(out var address))
            return cause;
        if (cause is ExitCause.Syscall or ExitCause.Sysenter || (cause == ExitCause.SoftwareInterrupt && (byte)State->Execution.ExitDetail == 0x80))
            State->Slots[Slot.Rip] -= SystemCallLength;
        TrapNumber = ExceptionVector.PageFault;
        TrapError = 4;
        TrapAddress = address;
        Process.Force(this, SignalInfo.Fault(Signal.Bus, BusAddress, address));
        return ExitCause.Requested;
    }

    // False when the address is none of this guest's.
    private bool TakeBusFault(out ulong address)
    {
        var host = (nint)_busFaults->Address;
        _busFaults->Address = 0;
        if (!Process.Memory.Space.TryGuestAddress(host, out address))
            return false;
        Process.Memory.RepairAt(address);
        return true;
    }

    // Exception bits: invalid, denormal, divide, overflow, underflow, precision (SDM Vol. 1, 8.1.3 and 10.2.3).
    private static int FloatingCode(int raised) => (raised & 0x3F) switch
    {
        var r when (r & 1) != 0 => 7,
        var r when (r & 4) != 0 => 3,
        var r when (r & 8) != 0 => 4,
        var r when (r & 0x12) != 0 => 5,
        var r when (r & 0x20) != 0 => 6,
        _ => 0,
    };
}
