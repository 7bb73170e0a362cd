using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>The process, or one thread of it, that a directory of the guest's /proc is about.</summary>
/// <param name="Process">The process.</param>
/// <param name="Thread">The thread of a /proc/N/task/M; null for the process's own directory.</param>
internal sealed record ProcSubject(GuestProcess Process, GuestThread? Thread)
{
    /// <summary>Number of the thread, or of the process.</summary>
    public int Number => Thread?.Tid ?? Process.Pid;

    /// <summary>The thread, or the process's first one; null for a zombie.</summary>
    public GuestThread? Speaker
    {
        get
        {
            if (Thread != null)
                return Thread;
            lock (Process.Kernel.Gate)
                return Process.Threads.Count > 0 ? Process.Threads[0] : null;
        }
    }

    /// <summary>Name (comm) of the thread or process.</summary>
    public string Name => Thread?.Name ?? Process.Name;

    /// <summary>True after it was waited for: its files cannot be read any more, though a descriptor of its directory is open.</summary>
    public bool IsGone =>
        Process.Kernel.FindProcess(Process.Pid) != Process || (Thread != null && Process.Kernel.FindThread(Thread.Tid) != Thread);

    /// <summary>
    /// True when a process may look into this one: it is the same, or root, or of the same user and group in every sense (ptrace(2),
    /// "Ptrace access mode checking").
    /// </summary>
    public bool MayBeInspectedBy(in Asker who) => MayInspect(who.Process, Process);

    /// <inheritdoc cref="MayBeInspectedBy"/>
    public static bool MayInspect(GuestProcess asking, GuestProcess target)
    {
        if (asking == target)
            return true;
        var me = asking.Credentials;
        var other = target.Credentials;
        return me.EffectiveUser == 0
            || (target.IsDumpable && me.EffectiveUser == other.User && me.EffectiveUser == other.EffectiveUser && me.EffectiveUser == other.SavedUser
                && me.EffectiveGroup == other.Group && me.EffectiveGroup == other.EffectiveGroup && me.EffectiveGroup == other.SavedGroup);
    }
}
