using System.Buffers.Binary;
using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Signals;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Processes;

/// <content>Being traced by another process (ptrace(2)): the thread stops at each signal, and the tracer decides what becomes of it.</content>
public sealed unsafe partial class GuestThread
{
    /// <summary>Registers of struct user_regs_struct of x86-64.</summary>
    internal const int TracedRegisters = 27;

    private static readonly ushort[] s_tracedSlots =
    [
        Slot.R15, Slot.R8 + 6, Slot.R8 + 5, Slot.R8 + 4, Slot.Rbp, Slot.Rbx, Slot.R8 + 3, Slot.R8 + 2, Slot.R8 + 1, Slot.R8, Slot.Rax,
        Slot.Rcx, Slot.Rdx, Slot.Rsi, Slot.Rdi,
    ];

    private int _signalToGoOnWith;

    /// <summary>The process that traces the thread, or null. Under the kernel's gate.</summary>
    internal GuestProcess? Tracer { get; private set; }

    /// <summary>The signal at which the thread is stopped for its tracer; 0 while it runs. Under the kernel's gate.</summary>
    internal int TraceStop { get; private set; }

    /// <summary>The tracer has not waited for the stop yet. Under the kernel's gate.</summary>
    internal bool IsTraceStopNews { get; set; }

    // A stop that is for the tracer comes although the process is stopped already.
    private bool IsStopForTracer => Tracer != null && (Pending.Set & Signal.Bit(Signal.Stop)) != 0;

    /// <summary>Begins to be traced, and stops. Under the kernel's gate.</summary>
    internal void BeginTracing(GuestProcess tracer)
    {
        Tracer = tracer;
        tracer.Tracees.Add(this);
        Process.Send(this, SignalInfo.Sent(Signal.Stop, SignalInfo.FromUser, 0, 0));
    }

    /// <summary>Goes on after a stop with a signal, or none. Under the kernel's gate.</summary>
    internal void GoOn(int signal)
    {
        TraceStop = 0;
        IsTraceStopNews = false;
        _signalToGoOnWith = signal;
        Monitor.PulseAll(Process.Kernel.Gate);
    }

    /// <summary>Is no longer traced. Under the kernel's gate.</summary>
    internal void EndTracing(int signal)
    {
        Tracer?.Tracees.Remove(this);
        Tracer?.WakeWaiters();
        Tracer = null;
        if (TraceStop != 0)
            GoOn(signal);
    }

    /// <summary>The registers of a thread that is stopped, as struct user_regs_struct.</summary>
    internal void WriteRegisters(Span<byte> to)
    {
        var s = State;
        var at = 0;
        foreach (var slot in s_tracedSlots)
            Put(ref at, s->Slots[slot], to);
        Put(ref at, ulong.MaxValue, to);
        Put(ref at, s->Slots[Slot.Rip], to);
        Put(ref at, s->Cs.Selector, to);
        Put(ref at, CpuAccess.GetEflags(s), to);
        Put(ref at, s->Slots[Slot.Rsp], to);
        Put(ref at, s->Ss.Selector, to);
        Put(ref at, s->Slots[Slot.FsBase], to);
        Put(ref at, s->Slots[Slot.GsBase], to);
        foreach (var selector in new[] { s->Ds.Selector, s->Es.Selector, s->Fs.Selector, s->Gs.Selector })
            Put(ref at, selector, to);

        static void Put(ref int at, ulong value, Span<byte> to)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(to[at..], value);
            at += sizeof(ulong);
        }
    }

    // A signal has been taken: the tracer decides. Under the gate, which is given up meanwhile. False: nothing is delivered.
    private bool AskTracer(ref SignalInfo info)
    {
        if (Tracer is not { } tracer || info.Number == Signal.Kill)
            return true;
        TraceStop = info.Number;
        IsTraceStopNews = true;
        tracer.NoteTraceStop(this);
        while (TraceStop != 0 && !Process.MustLeave(this) && (Pending.Set & Signal.Bit(Signal.Kill)) == 0
            && (Process.Pending.Set & Signal.Bit(Signal.Kill)) == 0)
            Monitor.Wait(Process.Kernel.Gate, 100);
        if (TraceStop != 0)
        {
            GoOn(0);
            return false;
        }

        var signal = _signalToGoOnWith;
        if (signal != 0 && signal != info.Number)
            info = SignalInfo.Sent(signal, SignalInfo.FromUser, tracer.Pid, tracer.Credentials.User);
        return signal != 0;
    }
}
