using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Users, groups and capabilities.</summary>
internal static unsafe class IdentitySyscalls
{
    private const uint Unchanged = uint.MaxValue;
    public const int MaxGroups = 65536;

    public static void Register(SyscallTable table)
    {
        table.Add("getuid", &GetUser, "", i386: 199, x64: 102);
        table.Add("geteuid", &GetEffectiveUser, "", i386: 201, x64: 107);
        table.Add("getgid", &GetGroup, "", i386: 200, x64: 104);
        table.Add("getegid", &GetEffectiveGroup, "", i386: 202, x64: 108);
        table.Add("setuid", &SetUser, "u", i386: 213, x64: 105);
        table.Add("setgid", &SetGroup, "u", i386: 214, x64: 106);
        table.Add("setreuid", &SetUsers, "dd", i386: 203, x64: 113);
        table.Add("setregid", &SetGroups2, "dd", i386: 204, x64: 114);
        table.Add("setresuid", &SetUsers3, "ddd", i386: 208, x64: 117);
        table.Add("setresgid", &SetGroups3, "ddd", i386: 210, x64: 119);
        table.Add("getresuid", &GetUsers3, "ppp", i386: 209, x64: 118);
        table.Add("getresgid", &GetGroups3, "ppp", i386: 211, x64: 120);
        table.Add("setfsuid", &SetFileUser, "d", i386: 215, x64: 122);
        table.Add("setfsgid", &SetFileGroup, "d", i386: 216, x64: 123);
        table.Add("getgroups", &GetGroups, "dp", i386: 205, x64: 115);
        table.Add("setgroups", &SetGroups, "dp", i386: 206, x64: 116);
        table.Add("capget", &CapGet, "pp", i386: 184, x64: 125);
        table.Add("capset", &CapSet, "pp", i386: 185, x64: 126);
    }

    private static long GetUser(in SyscallContext c) => c.Process.Credentials.User;

    private static long GetEffectiveUser(in SyscallContext c) => c.Process.Credentials.EffectiveUser;

    private static long GetGroup(in SyscallContext c) => c.Process.Credentials.Group;

    private static long GetEffectiveGroup(in SyscallContext c) => c.Process.Credentials.EffectiveGroup;

    public static bool IsRoot(in SyscallContext c) => c.Process.Credentials.EffectiveUser == 0;

    public static long SetUser(in SyscallContext c)
    {
        var now = c.Process.Credentials;
        var id = (uint)c.A0;
        if (id == Unchanged)
            return -Errno.EINVAL;
        if (IsRoot(c))
            c.Process.Credentials = now with { User = id, EffectiveUser = id, SavedUser = id };
        else if (id == now.User || id == now.SavedUser)
            c.Process.Credentials = now with { EffectiveUser = id };
        else
            return -Errno.EPERM;
        return 0;
    }

    public static long SetGroup(in SyscallContext c)
    {
        var now = c.Process.Credentials;
        var id = (uint)c.A0;
        if (id == Unchanged)
            return -Errno.EINVAL;
        if (IsRoot(c))
            c.Process.Credentials = now with { Group = id, EffectiveGroup = id, SavedGroup = id };
        else if (id == now.Group || id == now.SavedGroup)
            c.Process.Credentials = now with { EffectiveGroup = id };
        else
            return -Errno.EPERM;
        return 0;
    }

    public static long SetUsers(in SyscallContext c)
    {
        var now = c.Process.Credentials;
        var real = Wanted(c.A0, now.User);
        var effective = Wanted(c.A1, now.EffectiveUser);
        if (!IsRoot(c) && ((real != now.User && real != now.EffectiveUser)
            || (effective != now.User && effective != now.EffectiveUser && effective != now.SavedUser)))
            return -Errno.EPERM;
        var saved = IsUnchanged(c.A0) && (IsUnchanged(c.A1) || effective == now.User) ? now.SavedUser : effective;
        c.Process.Credentials = now with { User = real, EffectiveUser = effective, SavedUser = saved };
        return 0;
    }

    public static long SetGroups2(in SyscallContext c)
    {
        var now = c.Process.Credentials;
        var real = Wanted(c.A0, now.Group);
        var effective = Wanted(c.A1, now.EffectiveGroup);
        if (!IsRoot(c) && ((real != now.Group && real != now.EffectiveGroup)
            || (effective != now.Group && effective != now.EffectiveGroup && effective != now.SavedGroup)))
            return -Errno.EPERM;
        var saved = IsUnchanged(c.A0) && (IsUnchanged(c.A1) || effective == now.Group) ? now.SavedGroup : effective;
        c.Process.Credentials = now with { Group = real, EffectiveGroup = effective, SavedGroup = saved };
        return 0;
    }

    public static long SetUsers3(in SyscallContext c)
    {
        var now = c.Process.Credentials;
        var next = now with
        {
            User = Wanted(c.A0, now.User),
            EffectiveUser = Wanted(c.A1, now.EffectiveUser),
            SavedUser = Wanted(c.A2, now.SavedUser),
        };
        uint[] own = [now.User, now.EffectiveUser, now.SavedUser];
        if (!IsRoot(c) && !(own.Contains(next.User) && own.Contains(next.EffectiveUser) && own.Contains(next.SavedUser)))
            return -Errno.EPERM;
        c.Process.Credentials = next;
        return 0;
    }

    public static long SetGroups3(in SyscallContext c)
    {
        var now = c.Process.Credentials;
        var next = now with
        {
            Group = Wanted(c.A0, now.Group),
            EffectiveGroup = Wanted(c.A1, now.EffectiveGroup),
            SavedGroup = Wanted(c.A2, now.SavedGroup),
        };
        uint[] own = [now.Group, now.EffectiveGroup, now.SavedGroup];
        if (!IsRoot(c) && !(own.Contains(next.Group) && own.Contains(next.EffectiveGroup) && own.Contains(next.SavedGroup)))
            return -Errno.EPERM;
        c.Process.Credentials = next;
        return 0;
    }

    private static bool IsUnchanged(ulong id) => (uint)id == Unchanged;

    private static uint Wanted(ulong id, uint now) => IsUnchanged(id) ? now : (uint)id;

    private static long GetUsers3(in SyscallContext c)
    {
        var now = c.Process.Credentials;
        return c.Memory.TryWrite(c.A0, now.User) && c.Memory.TryWrite(c.A1, now.EffectiveUser) && c.Memory.TryWrite(c.A2, now.SavedUser)
            ? 0 : -Errno.EFAULT;
    }

    private static long GetGroups3(in SyscallContext c)
    {
        var now = c.Process.Credentials;
        return c.Memory.TryWrite(c.A0, now.Group) && c.Memory.TryWrite(c.A1, now.EffectiveGroup) && c.Memory.TryWrite(c.A2, now.SavedGroup)
            ? 0 : -Errno.EFAULT;
    }

    // The user for file access follows the effective user here; the calls report it.
    public static long SetFileUser(in SyscallContext c) => c.Process.Credentials.EffectiveUser;

    public static long SetFileGroup(in SyscallContext c) => c.Process.Credentials.EffectiveGroup;

    private static long GetGroups(in SyscallContext c)
    {
        var groups = c.Process.Credentials.Groups;
        if (c.I0 == 0)
            return groups.Count;
        if (c.I0 < groups.Count)
            return -Errno.EINVAL;
        for (var i = 0; i < groups.Count; i++)
            if (!c.Memory.TryWrite(c.A1 + (uint)(i * 4), groups[i]))
                return -Errno.EFAULT;
        return groups.Count;
    }

    private static long SetGroups(in SyscallContext c)
    {
        if (!IsRoot(c))
            return -Errno.EPERM;
        if ((uint)c.I0 > MaxGroups)
            return -Errno.EINVAL;
        var groups = new uint[c.I0];
        for (var i = 0; i < groups.Length; i++)
        {
            if (!c.Memory.TryRead(c.A1 + (uint)(i * 4), out groups[i]))
                return -Errno.EFAULT;
            if (groups[i] == Unchanged)
                return -Errno.EINVAL;
        }

        return SetGroups(c, groups);
    }

    // The kernel keeps them in order.
    public static long SetGroups(in SyscallContext c, uint[] groups)
    {
        Array.Sort(groups);
        c.Process.Credentials = c.Process.Credentials with { Groups = groups };
        return 0;
    }

    // Version 1 has one triple of words, versions 2 and 3 have two. Root has all capabilities, others none.
    private static long CapGet(in SyscallContext c)
    {
        const uint Version1 = 0x19980330, Version2 = 0x20071026, Version3 = 0x20080522;
        if (!c.Memory.TryRead(c.A0, out uint version))
            return -Errno.EFAULT;
        if (version is not (Version1 or Version2 or Version3))
            return c.Memory.TryWrite(c.A0, Version3) ? (c.A1 == 0 ? 0 : -Errno.EINVAL) : -Errno.EFAULT;
        if (c.A1 == 0)
            return 0;
        var words = version == Version1 ? 1 : 2;
        Span<byte> data = stackalloc byte[24];
        data.Clear();
        for (var i = 0; i < words && IsRoot(c); i++)
        {
            var all = i == 0 ? uint.MaxValue : 0x1FFu;
            BitConverter.TryWriteBytes(data[(i * 12)..], all);
            BitConverter.TryWriteBytes(data[((i * 12) + 4)..], all);
        }

        return c.Memory.TryWrite(c.A1, data[..(words * 12)]) ? 0 : -Errno.EFAULT;
    }

    private static long CapSet(in SyscallContext c) => IsRoot(c) ? 0 : -Errno.EPERM;
}
