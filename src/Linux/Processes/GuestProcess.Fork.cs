using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Loading;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Signals;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Processes;

/// <summary>How processes, threads and programs begin.</summary>
public sealed unsafe partial class GuestProcess
{
    private const int MaxInherited = 256;

    /// <summary>Makes the first process of a kernel, with a program loaded; its thread is not started.</summary>
    internal static GuestThread CreateFirst(
        LinuxKernel kernel, string path, IReadOnlyList<string> arguments, IReadOnlyList<string> environment)
    {
        _ = kernel.Roots.Host;
        var files = new FdTable();

        // What the host process was given: descriptors that are not closed at exec. Those that the .NET runtime opens are.
        for (var fd = 0; fd < MaxInherited; fd++)
            if (Host.HostCalls.Call(Host.HostSys.Fcntl, fd, 1) == 0)
                files.Set(fd, new OpenFile(fd) { OwnsHostFd = false }, closeOnExec: false);
        var umask = (int)Host.HostCalls.Call(Host.HostSys.Umask, 0);
        var process = new GuestProcess(kernel, kernel.HostProcessId, null!, files, FileSystemContext.FromHost(umask))
        {
            GroupId = kernel.ForegroundGroup,
            SessionId = kernel.HostSession,
            OrphanParentPid = (int)Host.HostCalls.Call(Host.HostSys.Getppid),
            Environment = environment,
            Actions = HostSignals.Inherited(),
        };
        process.Limits[ResourceLimits.Files] = HostDescriptors.FirstLimit(process.Limits[ResourceLimits.Files]);
        files.Limit = (int)process.Limits[ResourceLimits.Files].Soft;
        var program = new ProgramLoader(kernel).Load(process, PathResolver.AtWorkingDirectory, path, arguments, environment);
        process.Memory = program.Memory;
        var thread = new GuestThread(process, process.Pid, kernel.CreateVcpu(program.Memory));
        process.Threads.Add(thread);
        process.Become(thread, program);
        kernel.Add(process);
        kernel.Add(thread);
        process.WatchCpuLimit();
        JudgeInherited(process);
        return thread;
    }

    // An inherited descriptor may lie in the host's /proc. What it stands for there was the host process's to know.
    private static void JudgeInherited(GuestProcess process)
    {
        foreach (var fd in process.Files.Numbers())
        {
            if (!HostFiles.IsProc(fd))
                continue;
            if (ProcMounts.Admit(new Asker(process, process.Pid), fd, false) is { } file)
                process.Files.Set(fd, file, closeOnExec: false);
            else
                process.Files.Remove(fd)?.Release();
        }
    }

    /// <summary>Takes over a loaded program: the one thread's registers, the names, the reset of what execve resets.</summary>
    internal void Become(GuestThread thread, LoadedProgram program)
    {
        Is32 = program.Is32;
        ExecutablePath = program.Path;
        program.File.AddReference();
        SetExecutable(program.File);
        Name = program.Name;
        thread.Name = null;
        Arguments = program.Arguments;
        AuxiliaryVector = program.AuxiliaryVector;
        Personality = (Personality & ~0x0040_0000u) | program.Personality;
        var s = thread.State;
        s->Mode = (ushort)(program.Is32 ? GuestMode.Linux32 : GuestMode.Linux64);
        ThreadDescriptors.Start(s, program.Is32);
        FpuImage.Reset(s);
        s->Slots[Slot.Rip] = program.Entry;
        s->Slots[Slot.Rsp] = program.StackPointer;
    }

    /// <summary>Makes a child process with a copy of, or a share in, what this one has. Its thread is not started.</summary>
    /// <returns>The child's thread, or a negative error number.</returns>
    internal long Fork(GuestThread caller, CloneFlags flags, int exitSignal, out GuestThread? thread)
    {
        const int MaxProcesses = 4096;
        thread = null;
        if (Kernel.Processes.Count >= MaxProcesses || !MayStartThread())
            return -Errno.EAGAIN;
        var shares = (flags & CloneFlags.Memory) != 0;
        var memory = shares ? Memory : Memory.Fork(Kernel.TranslatorFactory(Memory.Program));
        if (memory == null)
            return -Errno.ENOMEM;
        if (shares)
            memory.AddUser();
        else
            Kernel.Meter?.Add(memory);
        var files = Files;
        if ((flags & CloneFlags.Files) != 0)
            files.AddUser();
        else
            files = files.Copy();
        var fileSystem = FileSystem;
        if ((flags & CloneFlags.FileSystem) != 0)
            fileSystem.AddUser();
        else
            fileSystem = fileSystem.Copy();
        var child = new GuestProcess(Kernel, Kernel.AllocateId(), memory, files, fileSystem)
        {
            GroupId = GroupId,
            SessionId = SessionId,
            Credentials = Credentials,
            Limits = Limits.Copy(),
            Actions = (flags & CloneFlags.SignalActions) != 0 ? Actions : Actions.Copy(),
            Is32 = Is32,
            ExecutablePath = ExecutablePath,
            Arguments = Arguments,
            Environment = Environment,
            Name = Name,
            AuxiliaryVector = AuxiliaryVector,
            Personality = Personality,
            ExitSignal = exitSignal,
            IsDumpable = IsDumpable,
            HoldsParent = (flags & CloneFlags.Vfork) != 0,
            Settings = Settings.Copy(),
        };
        try
        {
            thread = caller.Copy(child, child.Pid);
        }
        catch (OutOfMemoryException)
        {
            memory.RemoveUser();
            files.RemoveUser();
            fileSystem.RemoveUser();
            return -Errno.ENOMEM;
        }

        if (Executable is { } executable && executable.TryAddReference())
            child.SetExecutable(executable);
        if (!shares || (flags & CloneFlags.Vfork) != 0)
            thread.AlternateStack = caller.AlternateStack;
        child.Threads.Add(thread);
        lock (Kernel.Gate)
        {
            (child.Parent, child.Maker) = (flags & CloneFlags.Parent) != 0 ? (Parent, Maker) : (this, caller);
            child.OrphanParentPid = OrphanParentPid;
            child.Parent?.Children.Add(child);
            Kernel.Add(child);
            Kernel.Add(thread);
        }

        child.WatchCpuLimit();
        return child.Pid;
    }

    // RLIMIT_NPROC counts the threads of a user; root is exempt.
    private bool MayStartThread()
    {
        if (!ThreadLimit.Allows(Kernel.ThreadCount))
            return false;
        var limit = Limits[ResourceLimits.Processes].Soft;
        if (limit == ResourceLimits.Infinity || Credentials.User == 0)
            return true;
        lock (Kernel.Gate)
            return (ulong)Kernel.Processes.Where(process => process.Credentials.User == Credentials.User).Sum(process => process.Threads.Count) < limit;
    }

    /// <summary>Makes another thread of this process. It is not started.</summary>
    internal GuestThread? AddThread(GuestThread caller)
    {
        lock (Kernel.Gate)
        {
            if (MustLeave(caller) || !MayStartThread())
                return null;
            try
            {
                var thread = caller.Copy(this, Kernel.AllocateId());
                Threads.Add(thread);
                Kernel.Add(thread);
                return thread;
            }
            catch (OutOfMemoryException)
            {
                return null;
            }
        }
    }

    /// <summary>
    /// Replaces the program: loads the new one, ends the other threads, and starts it in the calling thread.
    /// </summary>
    /// <returns>0 or a negative error number; the old program goes on then.</returns>
    internal long Execute(
        GuestThread caller, int directory, string path, IReadOnlyList<string> arguments, IReadOnlyList<string> environment)
    {
        LoadedProgram program;
        try
        {
            program = new ProgramLoader(Kernel).Load(this, directory, path, arguments, environment);
        }
        catch (LoadException e)
        {
            return -e.Error;
        }

        if (!EndOtherThreads(caller))
        {
            program.Memory.RemoveUser();
            return -Errno.EAGAIN;
        }

        caller.ReleaseFutexes();
        if (Files.IsShared)
        {
            var own = Files.Copy();
            Files.RemoveUser();
            Files = own;
        }

        Files.CloseOnExecve();
        Timers.Clear();
        var old = Memory;
        lock (Kernel.Gate)
        {
            Memory = program.Memory;
            Actions = Actions.AfterExecve();
            caller.ReplaceCpu(Kernel.CreateVcpu(program.Memory));
            Become(caller, program);
            Environment = environment;
            HasExecuted = true;
            caller.KeepsCapabilities = false;
            IsDumpable = Credentials.EffectiveUser == Credentials.User && Credentials.EffectiveGroup == Credentials.Group;
            if (!IsDumpable)
                caller.DeathSignal = 0;
            caller.AlternateStack = AlternateStack.None;
            if (caller.Tid != Pid)
                Kernel.Renumber(caller, Pid);
        }

        ReleaseParent();
        old.RemoveUser();
        return 0;
    }

    private bool EndOtherThreads(GuestThread caller)
    {
        lock (Kernel.Gate)
        {
            if (MustLeave(caller))
                return false;
            if (Threads.Count == 1)
                return true;
            Survivor = caller;
            foreach (var thread in Threads)
                if (thread != caller)
                    thread.Interrupt();
            while (Threads.Count > 1)
            {
                Monitor.Wait(Kernel.Gate, 10);
                foreach (var thread in Threads)
                    if (thread != caller)
                        thread.Interrupt();
            }

            Survivor = null;
            return !IsExiting;
        }
    }
}

/// <summary>CLONE_* flags.</summary>
[Flags]
internal enum CloneFlags : ulong
{
    Memory = 0x100,
    FileSystem = 0x200,
    Files = 0x400,
    SignalActions = 0x800,
    PidFd = 0x1000,
    Vfork = 0x4000,
    Parent = 0x8000,
    Thread = 0x10000,
    NewNamespace = 0x20000,
    SetTls = 0x80000,
    ParentSetTid = 0x100000,
    ChildClearTid = 0x200000,
    Detached = 0x400000,
    ChildSetTid = 0x1000000,
    Namespaces = 0x7E020000,
    ClearActions = 0x1_0000_0000,
}
