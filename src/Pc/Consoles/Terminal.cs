using System.Runtime.InteropServices;

namespace DynaTrans.Pc.Consoles;

/// <summary>
/// The terminal at standard input in raw mode: every key reaches the guest, nothing is echoed. It is as before when the process ends, by a signal, too,
/// and while it is stopped.
/// </summary>
internal sealed unsafe partial class Terminal : IDisposable
{
    private const int StandardInput = 0;
    private const int SetAfterOutput = 1;

    // By number: the names are not for all of .NET's platforms.
    private const PosixSignal Stop = (PosixSignal)20, Resume = (PosixSignal)18;

    // OPOST: a line feed goes to the start of the line; programs of the guest that run without a terminal driver count on it.
    private const uint ProcessOutput = 1;
    private const int OutputFlagsAt = 4;

    // struct termios of x86-64 has 60 bytes.
    private const int StateSize = 64;

    private readonly byte[] _before = new byte[StateSize];
    private readonly byte[] _raw = new byte[StateSize];
    private readonly List<PosixSignalRegistration> _signals = [];
    private bool _isOver;

    private Terminal()
    {
    }

    /// <summary>Makes standard input raw.</summary>
    /// <returns>Null when it is no terminal.</returns>
    public static Terminal? Open()
    {
        if (IsTerminal(StandardInput) == 0)
            return null;
        var terminal = new Terminal();
        fixed (byte* before = terminal._before, raw = terminal._raw)
        {
            if (GetAttributes(StandardInput, before) != 0)
                return null;
            terminal._before.CopyTo(terminal._raw, 0);
            MakeRaw(raw);
            *(uint*)(raw + OutputFlagsAt) |= ProcessOutput;
        }

        terminal.Set(terminal._raw);
        foreach (var signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGQUIT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, Stop })
            terminal._signals.Add(PosixSignalRegistration.Create(signal, _ => terminal.Set(terminal._before)));
        terminal._signals.Add(PosixSignalRegistration.Create(Resume, _ => terminal.Continue()));
        AppDomain.CurrentDomain.ProcessExit += terminal.Restore;
        return terminal;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= Restore;
        Restore(null, EventArgs.Empty);
        foreach (var signal in _signals)
            signal.Dispose();
        _signals.Clear();
    }

    private void Restore(object? sender, EventArgs e)
    {
        lock (_before)
        {
            _isOver = true;
            Set(_before);
        }
    }

    private void Continue()
    {
        lock (_before)
        {
            if (!_isOver)
                Set(_raw);
        }
    }

    private void Set(byte[] state)
    {
        lock (_before)
        {
            fixed (byte* bytes = state)
                _ = SetAttributes(StandardInput, SetAfterOutput, bytes);
        }
    }

    [LibraryImport("libc", EntryPoint = "isatty")]
    private static partial int IsTerminal(int file);

    [LibraryImport("libc", EntryPoint = "tcgetattr")]
    private static partial int GetAttributes(int file, byte* state);

    [LibraryImport("libc", EntryPoint = "tcsetattr")]
    private static partial int SetAttributes(int file, int when, byte* state);

    [LibraryImport("libc", EntryPoint = "cfmakeraw")]
    private static partial void MakeRaw(byte* state);
}
