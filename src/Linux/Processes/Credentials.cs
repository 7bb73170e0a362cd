using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Processes;

/// <summary>
/// User and group numbers. They start as the host's. A process of the guest that may change them changes this record only: access to host
/// files is always decided by the host, for the host process's own user.
/// </summary>
public sealed record Credentials
{
    /// <summary>Real user.</summary>
    public uint User { get; init; }

    /// <summary>Effective user.</summary>
    public uint EffectiveUser { get; init; }

    /// <summary>Saved user.</summary>
    public uint SavedUser { get; init; }

    /// <summary>Real group.</summary>
    public uint Group { get; init; }

    /// <summary>Effective group.</summary>
    public uint EffectiveGroup { get; init; }

    /// <summary>Saved group.</summary>
    public uint SavedGroup { get; init; }

    /// <summary>Supplementary groups.</summary>
    public IReadOnlyList<uint> Groups { get; init; } = [];

    /// <summary>True when a process with these numbers may send signals to one with others (kill(2)).</summary>
    public bool MaySignal(Credentials other) =>
        EffectiveUser == 0 || EffectiveUser == other.User || EffectiveUser == other.SavedUser || User == other.User || User == other.SavedUser;

    /// <summary>The host process's.</summary>
    public static unsafe Credentials FromHost()
    {
        var ids = stackalloc uint[3];
        HostCalls.Call(HostSys.Getresuid, (nint)ids, (nint)(ids + 1), (nint)(ids + 2));
        var users = (ids[0], ids[1], ids[2]);
        HostCalls.Call(HostSys.Getresgid, (nint)ids, (nint)(ids + 1), (nint)(ids + 2));
        var count = (int)Math.Max(0, HostCalls.Call(HostSys.Getgroups));
        var groups = new uint[count];
        fixed (uint* p = groups)
            HostCalls.Call(HostSys.Getgroups, count, (nint)p);
        return new Credentials
        {
            User = users.Item1, EffectiveUser = users.Item2, SavedUser = users.Item3,
            Group = ids[0], EffectiveGroup = ids[1], SavedGroup = ids[2], Groups = groups,
        };
    }
}
