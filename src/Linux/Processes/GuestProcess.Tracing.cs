using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Processes;

/// <content>Tracing threads of other processes (ptrace(2)).</content>
public sealed partial class GuestProcess
{
    /// <summary>The threads that this process traces. Under the kernel's gate.</summary>
    internal List<GuestThread> Tracees { get; } = [];

    /// <summary>A thread that this process traces has stopped. Under the kernel's gate.</summary>
    internal void NoteTraceStop(GuestThread tracee)
    {
        var action = Actions[Signal.Chld];
        if (action.Handler != SignalAction.Ignore && (action.Flags & SignalFlags.NoChildStop) == 0)
            Send(new SignalInfo
            {
                Number = Signal.Chld, Code = ChildTrapped, Kind = SignalInfoKind.Child, Pid = tracee.Tid, User = tracee.Process.Credentials.User,
                Status = tracee.TraceStop,
            });
        WakeWaiters();
    }

    // With the end of a tracer what it traces runs on.
    private void EndTracing()
    {
        foreach (var tracee in Tracees.ToArray())
            tracee.EndTracing(0);
    }
}
