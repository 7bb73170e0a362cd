using System.Runtime.InteropServices;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Signals;

/// <summary>
/// Hands signals that the host process gets to the guest: those of the terminal to its foreground process group, others to the first
/// process. The host process itself ends only when its guests have.
/// </summary>
internal sealed class HostSignals : IDisposable
{
    private static readonly int[] s_signals =
    [
        Signal.Hup, Signal.Int, Signal.Quit, Signal.Term, Signal.Winch, Signal.Tstp, Signal.Cont, Signal.Usr1, Signal.Usr2, Signal.Alrm,
        Signal.Stkflt, Signal.Xcpu, Signal.Vtalrm, Signal.Prof, Signal.Io, Signal.Pwr,
    ];

    private readonly LinuxKernel _kernel;
    private readonly List<PosixSignalRegistration> _registrations = [];

    /// <summary>
    /// The actions that a program starts with: what whoever started the host process ignores (nohup, jobs in the background) stays ignored.
    /// SIGPIPE does not count, the runtime ignores it for itself. To be called before the first registration.
    /// </summary>
    public static SignalActions Inherited()
    {
        var actions = new SignalActions();
        var ignored = HostCalls.LineOf(HostCalls.ReadText("/proc/self/status"), "SigIgn:");
        if (!ulong.TryParse(ignored, System.Globalization.NumberStyles.HexNumber, null, out var set))
            return actions;
        foreach (var signal in s_signals)
            if ((set & Signal.Bit(signal)) != 0)
                actions[signal] = new SignalAction(SignalAction.Ignore, 0, 0, 0);
        return actions;
    }

    /// <summary>
    /// Makes the host process ignore what its kernel might send it for something that a guest did (a file that grows beyond the host's own
    /// limit): the guest gets the error, and its signal from DynaTrans. As far as the host can it leaves that limit to DynaTrans. To be
    /// called after the first process took it over.
    /// </summary>
    public static unsafe void Guard()
    {
        var ignore = stackalloc ulong[4] { SignalAction.Ignore, 0, 0, 0 };
        HostCalls.Call(HostSys.RtSigaction, Signal.Xfsz, (nint)ignore, 0, sizeof(ulong));
        var limits = stackalloc ulong[2];
        if (HostCalls.Call(HostSys.Prlimit64, 0, ResourceLimits.FileSize, 0, (nint)limits) != 0 || limits[0] == limits[1])
            return;
        limits[0] = limits[1];
        HostCalls.Call(HostSys.Prlimit64, 0, ResourceLimits.FileSize, (nint)limits, 0);
    }

    /// <summary>Begins.</summary>
    public HostSignals(LinuxKernel kernel)
    {
        _kernel = kernel;
        foreach (var signal in s_signals)
        {
            _registrations.Add(PosixSignalRegistration.Create((PosixSignal)signal, context =>
            {
                context.Cancel = true;
                Forward(signal);
            }));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _registrations.ForEach(r => r.Dispose());

    private void Forward(int signal)
    {
        var info = SignalInfo.Sent(signal, SignalInfo.FromKernel, 0, 0);
        lock (_kernel.Gate)
        {
            _kernel.WasToldToEnd |= signal is Signal.Hup or Signal.Int or Signal.Quit or Signal.Term;
            var fromTerminal = signal is Signal.Int or Signal.Quit or Signal.Tstp or Signal.Winch;
            var sent = false;
            foreach (var process in _kernel.Processes.ToArray())
            {
                if (fromTerminal ? process.GroupId != _kernel.ForegroundGroup : process.Pid != _kernel.HostProcessId)
                    continue;
                sent |= process.State != ProcessState.Zombie;
                process.Send(info);
            }

            // The first process may have ended before the others.
            if (!sent)
                foreach (var process in _kernel.Processes.ToArray())
                    process.Send(info);
        }
    }
}
