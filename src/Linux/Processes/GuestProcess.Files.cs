using DynaTrans.Linux.Files;

namespace DynaTrans.Linux.Processes;

/// <content>What the file calls keep per process.</content>
public sealed partial class GuestProcess
{
    private RecordLocks? _locks;

    /// <summary>POSIX record locks; not inherited by a child.</summary>
    public RecordLocks Locks => _locks ?? Interlocked.CompareExchange(ref _locks, new RecordLocks(), null) ?? _locks!;

    /// <summary>The process closes a descriptor: POSIX says that its record locks on the file end.</summary>
    public void DropRecordLocks(OpenFile file) => _locks?.Closing(file.HostFd);

    /// <summary>The process ends: so do its record locks.</summary>
    public void DropAllRecordLocks() => _locks?.Dispose();
}
