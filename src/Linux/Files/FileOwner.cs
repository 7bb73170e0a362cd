using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files;

/// <summary>
/// Who gets the signals about an open file (F_SETOWN), and which. The host knows nothing of it: it would signal the host process. Guarded by
/// the kernel's gate.
/// </summary>
internal sealed class FileOwner(LinuxKernel kernel, int hostFd) : IDisposable
{
    /// <summary>F_OWNER_TID, F_OWNER_PID and F_OWNER_PGRP.</summary>
    public const int Thread = 0, Process = 1, Group = 2;

    /// <summary>The host's descriptor of the file.</summary>
    public int HostFd => hostFd;

    /// <summary><see cref="Thread"/>, <see cref="Process"/> or <see cref="Group"/>.</summary>
    public int Kind { get; private set; } = Process;

    /// <summary>Number of the owner; 0: none.</summary>
    public int Number { get; private set; }

    /// <summary>Users of whoever set the owner: what may be signalled goes by them.</summary>
    public Credentials? Setter { get; private set; }

    /// <summary>The signal (F_SETSIG); 0: SIGIO without information.</summary>
    public int Signal { get; set; }

    /// <summary>O_ASYNC: the owner gets a signal when the file becomes readable or writable.</summary>
    public bool IsAsynchronous { get; set; }

    /// <summary>Guest descriptor by which O_ASYNC was set, for the signal's information.</summary>
    public int GuestFd { get; set; }

    /// <summary>Set while <see cref="OwnerSignals"/> watches the file.</summary>
    public bool IsWatched { get; set; }

    /// <summary>The next event was true before the file was watched.</summary>
    public bool SkipsNext { get; set; }

    /// <summary>Changes the owner. 0, -EINVAL or -ESRCH.</summary>
    public int Set(GuestProcess setter, int kind, int number)
    {
        if (kind is < Thread or > Group)
            return -Errno.EINVAL;
        if (number != 0 && !Exists(kind, number))
            return -Errno.ESRCH;
        (Kind, Number, Setter) = (kind, number, setter.Credentials);
        return 0;
    }

    /// <summary>The owner's number; 0 when it has gone.</summary>
    public int Current => Number != 0 && Exists(Kind, Number) ? Number : 0;

    /// <summary>The file is closed.</summary>
    public void Dispose() => kernel.OwnerSignals.Forget(this);

    private bool Exists(int kind, int number) => kind == Group
        ? kernel.Processes.Any(process => process.GroupId == number)
        : kernel.FindAnyProcess(number) != null;
}
