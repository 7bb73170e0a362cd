using DynaTrans.Linux.Files;

namespace DynaTrans.Linux.Processes;

/// <content>What the file calls keep per process.</content>
public sealed partial class GuestProcess
{
    private RecordLocks? _locks;
    private ProcessSettings? _settings;

    /// <summary>What /proc lets a process set.</summary>
    internal ProcessSettings Settings
    {
        get => _settings ?? Interlocked.CompareExchange(ref _settings, ProcessSettings.FromHost(), null) ?? _settings!;
        set => _settings = value;
    }

    /// <summary>The program's file (/proc/self/exe); null when only <see cref="ExecutablePath"/> is known. The process has a reference.</summary>
    internal OpenFile? Executable { get; private set; }

    /// <summary>Changes <see cref="Executable"/>; takes over the reference.</summary>
    internal void SetExecutable(OpenFile? file)
    {
        var old = Executable;
        Executable = file;
        old?.Release();
    }

    /// <summary>POSIX record locks; not inherited by a child.</summary>
    public RecordLocks Locks => _locks ?? Interlocked.CompareExchange(ref _locks, new RecordLocks(), null) ?? _locks!;

    /// <summary>The process closes a descriptor: POSIX says that its record locks on the file end.</summary>
    public void DropRecordLocks(OpenFile file) => _locks?.Closing(file.HostFd);

    /// <summary>The process ends: so do its record locks.</summary>
    public void DropAllRecordLocks() => _locks?.Dispose();
}
