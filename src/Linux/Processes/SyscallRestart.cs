using DynaTrans.Linux.Syscalls;

namespace DynaTrans.Linux.Processes;

/// <summary>
/// What becomes of a system call that a signal interrupted: a thread's undecided restart, and the call that restart_syscall goes on with
/// (signal(7), "Interruption of system calls and library functions by signal handlers").
/// </summary>
internal struct SyscallRestart
{
    private const ulong RestartNumber32 = 0, RestartNumber64 = 219;

    private int _reason;
    private ulong _number;
    private Abi _abi;

    /// <summary>
    /// When the time of the interrupted call is over (nanoseconds of CLOCK_MONOTONIC), 0 when it is not a call that restart_syscall makes.
    /// </summary>
    public long Deadline { get; set; }

    /// <summary>A call was interrupted, and it has not been decided yet whether it is made again.</summary>
    public readonly bool IsPending => _reason != 0;

    /// <summary>Begins a call. Gives its number, which for restart_syscall is that of the call to go on with.</summary>
    public ulong Enter(Abi abi, ulong number)
    {
        if (number == (abi == Abi.I386 ? RestartNumber32 : RestartNumber64) && Deadline != 0 && _abi == abi)
            return _number;
        Deadline = 0;
        return number;
    }

    /// <summary>Ends a call. True: it was interrupted, and the result is open.</summary>
    public bool Leave(Abi abi, ulong number, long result)
    {
        if (result is > -Errno.ERESTARTSYS or < -Errno.ERESTART_RESTARTBLOCK)
            return false;
        _reason = (int)-result;
        _number = number;
        _abi = abi;
        return true;
    }

    /// <summary>Decides about the interrupted call before a handler runs. True: it is made again.</summary>
    public bool Decide(bool handlerRestarts)
    {
        var again = _reason == Errno.ERESTARTNOINTR || (_reason == Errno.ERESTARTSYS && handlerRestarts);
        if (!again)
            _reason = 0;
        return again;
    }

    /// <summary>The number to make the call again with.</summary>
    public ulong Again()
    {
        var goesOn = _reason == Errno.ERESTART_RESTARTBLOCK;
        _reason = 0;
        return !goesOn ? _number : _abi == Abi.I386 ? RestartNumber32 : RestartNumber64;
    }

    /// <summary>Forgets the call of restart_syscall: a handler has returned, what it interrupted gives EINTR.</summary>
    public void Forget() => Deadline = 0;
}
