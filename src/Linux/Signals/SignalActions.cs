namespace DynaTrans.Linux.Signals;

/// <summary>What a process does about a signal.</summary>
/// <param name="Handler">Guest address, or <see cref="Default"/> or <see cref="Ignore"/>.</param>
/// <param name="Flags">SA_*.</param>
/// <param name="Restorer">Guest address of the code that returns from the handler, with SA_RESTORER.</param>
/// <param name="Mask">Signals blocked while the handler runs.</param>
/// <param name="Is32">It was set through the i386 interface: the handler is 32-bit code and gets a frame of that kind.</param>
public readonly record struct SignalAction(ulong Handler, uint Flags, ulong Restorer, ulong Mask, bool Is32 = false)
{
    /// <summary>SIG_DFL.</summary>
    public const ulong Default = 0;

    /// <summary>SIG_IGN.</summary>
    public const ulong Ignore = 1;

    /// <summary>True when a handler of the guest would run.</summary>
    public bool IsHandler => Handler > Ignore;

    /// <summary>True when nothing happens.</summary>
    /// <param name="signal">The signal that it is the action of.</param>
    public bool Ignores(int signal) =>
        Handler == Ignore || (Handler == Default && Signal.DefaultOf(signal) is DefaultAction.Ignore or DefaultAction.Continue);
}

/// <summary>The actions for all signals. Guarded by the kernel's gate.</summary>
public sealed class SignalActions
{
    private readonly SignalAction[] _actions = new SignalAction[Signal.Count + 1];

    /// <summary>The action for signal 1..64.</summary>
    public SignalAction this[int signal]
    {
        get => _actions[signal];
        set => _actions[signal] = value;
    }

    /// <summary>A copy for a new process.</summary>
    public SignalActions Copy()
    {
        var copy = new SignalActions();
        _actions.CopyTo(copy._actions, 0);
        return copy;
    }

    /// <summary>The actions after execve: handlers become the default, ignored signals stay ignored.</summary>
    public SignalActions AfterExecve()
    {
        var copy = new SignalActions();
        for (var i = 1; i <= Signal.Count; i++)
            copy[i] = _actions[i].Handler == SignalAction.Ignore ? new SignalAction(SignalAction.Ignore, 0, 0, 0) : default;
        return copy;
    }
}
