using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Processes;

/// <summary>Kinds of System V IPC objects.</summary>
internal enum IpcKind
{
    /// <summary>A message queue.</summary>
    Queue,

    /// <summary>A set of semaphores.</summary>
    Semaphores,

    /// <summary>A segment of shared memory.</summary>
    Segment,
}

/// <summary>
/// What the host cannot know of its System V IPC objects because all guest processes are one process there: who used an object last, and what
/// is undone at the end of a process (SEM_UNDO, semop(2)).
/// </summary>
internal sealed unsafe class IpcRecords(int hostProcess)
{
    /// <summary>Numbers of the users of queues and segments; those of a set are its semaphores.</summary>
    public const int Sender = 0, Receiver = 1, ReceivingThread = 2, HostThread = 3, Creator = 0, LastUser = 1;

    // SEM_UNDO and IPC_NOWAIT; the bounds of a value and of an adjustment.
    private const short UndoNoWait = 0x1000 | 0x800;
    private const int MostValue = 32767, LeastAdjustment = -32768;

    private readonly Lock _gate = new();
    private readonly Dictionary<(IpcKind Kind, int Id), Dictionary<int, int>> _users = [];
    private readonly Dictionary<int, Dictionary<(int Id, int Number), int>> _adjustments = [];

    /// <summary>Notes that a process used an object, or one semaphore of a set.</summary>
    /// <returns>Who did before, or 0.</returns>
    public int Used(IpcKind kind, int id, int role, int pid, bool onlyIfFirst = false)
    {
        lock (_gate)
        {
            if (!_users.TryGetValue((kind, id), out var users))
                _users[(kind, id)] = users = [];
            var before = users.GetValueOrDefault(role);
            if (!onlyIfFirst || before == 0)
                users[role] = pid;
            return before;
        }
    }

    /// <summary>Takes a note back, when the use has failed.</summary>
    public void Restore(IpcKind kind, int id, int role, int before)
    {
        lock (_gate)
        {
            if (!_users.TryGetValue((kind, id), out var users))
                return;
            if (before != 0)
                users[role] = before;
            else
                users.Remove(role);
            if (users.Count == 0)
                _users.Remove((kind, id));
        }
    }

    /// <summary>The guest process for a process number that the host gave.</summary>
    public int UserOf(IpcKind kind, int id, int role, int hostPid)
    {
        lock (_gate)
        {
            if (!_users.TryGetValue((kind, id), out var users))
                return hostPid;

            // Of a receiver that a message found waiting the host knows the thread.
            if (kind == IpcKind.Queue && role == Receiver && users.TryGetValue(HostThread, out var thread) && thread == hostPid && thread != hostProcess)
                return users[ReceivingThread];
            return hostPid == hostProcess && users.TryGetValue(role, out var pid) ? pid : hostPid;
        }
    }

    /// <summary>An object is gone.</summary>
    public void Removed(IpcKind kind, int id)
    {
        lock (_gate)
        {
            _users.Remove((kind, id));
            if (kind == IpcKind.Semaphores)
                Forget(id, null);
        }
    }

    /// <summary>A semaphore's value was set, or (null) all values of its set: nothing is undone there.</summary>
    public void Set(int id, int? number)
    {
        lock (_gate)
            Forget(id, number);
    }

    /// <summary>True when an operation with SEM_UNDO leaves the process's adjustment in its range (ERANGE).</summary>
    public bool MayAdjust(int pid, int id, int number, int operation)
    {
        lock (_gate)
        {
            var now = _adjustments.TryGetValue(pid, out var list) ? list.GetValueOrDefault((id, number)) : 0;
            return now - operation is >= LeastAdjustment and <= MostValue;
        }
    }

    /// <summary>An operation with SEM_UNDO was made.</summary>
    public void Adjust(int pid, int id, int number, int operation)
    {
        lock (_gate)
        {
            if (!_adjustments.TryGetValue(pid, out var list))
                _adjustments[pid] = list = [];
            var sum = list.GetValueOrDefault((id, number)) - operation;
            if (sum != 0)
                list[(id, number)] = sum;
            else
                list.Remove((id, number));
        }
    }

    /// <summary>
    /// A process has ended: undoes its operations. The host undoes what all guests left when DynaTrans itself ends, whatever ends it; so each
    /// operation here takes its part out of the host's list.
    /// </summary>
    public void Leave(int pid)
    {
        Dictionary<(int Id, int Number), int>? list;
        lock (_gate)
        {
            if (!_adjustments.Remove(pid, out list))
                return;
        }

        foreach (var ((id, number), adjustment) in list)
        {
            Undo(id, number, adjustment);
            Used(IpcKind.Semaphores, id, number, pid);
        }
    }

    // A value stays between 0 and SEMVMX, whatever the sum would be.
    private static void Undo(int id, int number, int adjustment)
    {
        const int GetValue = 12, Attempts = 16;
        var operation = stackalloc short[3] { (short)number, 0, UndoNoWait };
        for (var i = 0; i < Attempts && adjustment != 0; i++)
        {
            operation[1] = (short)adjustment;
            var error = HostCalls.Call(HostSys.Semop, id, (nint)operation, 1);
            if (error is not (-Errno.EAGAIN or -Errno.ERANGE))
                return;
            var value = (int)HostCalls.Call(HostSys.Semctl, id, number, GetValue);
            if (value < 0)
                return;
            adjustment = adjustment < 0 ? Math.Max(adjustment, -value) : Math.Min(adjustment, MostValue - value);
        }
    }

    private void Forget(int id, int? number)
    {
        foreach (var list in _adjustments.Values)
            foreach (var key in list.Keys.Where(key => key.Id == id && (number == null || key.Number == number)).ToList())
                list.Remove(key);
    }
}
