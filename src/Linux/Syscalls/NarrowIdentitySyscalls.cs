namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// Users and groups with 16-bit numbers, i386 only (kernel/uid16.c): -1 of 16 bits means "as it is", and numbers that do not fit are
/// reported as 65534.
/// </summary>
internal static unsafe class NarrowIdentitySyscalls
{
    private const ushort Unchanged = 0xFFFF, Overflow = 65534;

    public static void Register(SyscallTable table)
    {
        table.Add("getuid16", &GetUser, "", i386: 24);
        table.Add("geteuid16", &GetEffectiveUser, "", i386: 49);
        table.Add("getgid16", &GetGroup, "", i386: 47);
        table.Add("getegid16", &GetEffectiveGroup, "", i386: 50);
        table.Add("setuid16", &SetUser, "u", i386: 23);
        table.Add("setgid16", &SetGroup, "u", i386: 46);
        table.Add("setreuid16", &SetUsers, "dd", i386: 70);
        table.Add("setregid16", &SetGroupPair, "dd", i386: 71);
        table.Add("setresuid16", &SetUsers3, "ddd", i386: 164);
        table.Add("getresuid16", &GetUsers3, "ppp", i386: 165);
        table.Add("setresgid16", &SetGroups3, "ddd", i386: 170);
        table.Add("getresgid16", &GetGroups3, "ppp", i386: 171);
        table.Add("setfsuid16", &SetFileUser, "d", i386: 138);
        table.Add("setfsgid16", &SetFileGroup, "d", i386: 139);
        table.Add("getgroups16", &GetGroups, "dp", i386: 80);
        table.Add("setgroups16", &SetGroups, "dp", i386: 81);
    }

    private static long GetUser(in SyscallContext c) => Narrow(c.Process.Credentials.User);

    private static long GetEffectiveUser(in SyscallContext c) => Narrow(c.Process.Credentials.EffectiveUser);

    private static long GetGroup(in SyscallContext c) => Narrow(c.Process.Credentials.Group);

    private static long GetEffectiveGroup(in SyscallContext c) => Narrow(c.Process.Credentials.EffectiveGroup);

    private static long SetUser(in SyscallContext c) => IdentitySyscalls.SetUser(Widened(c));

    private static long SetGroup(in SyscallContext c) => IdentitySyscalls.SetGroup(Widened(c));

    private static long SetUsers(in SyscallContext c) => IdentitySyscalls.SetUsers(Widened(c));

    private static long SetGroupPair(in SyscallContext c) => IdentitySyscalls.SetGroups2(Widened(c));

    private static long SetUsers3(in SyscallContext c) => IdentitySyscalls.SetUsers3(Widened(c));

    private static long SetGroups3(in SyscallContext c) => IdentitySyscalls.SetGroups3(Widened(c));

    private static long SetFileUser(in SyscallContext c) => Narrow((uint)IdentitySyscalls.SetFileUser(Widened(c)));

    private static long SetFileGroup(in SyscallContext c) => Narrow((uint)IdentitySyscalls.SetFileGroup(Widened(c)));

    private static long GetUsers3(in SyscallContext c)
    {
        var now = c.Process.Credentials;
        return Write(c, now.User, now.EffectiveUser, now.SavedUser);
    }

    private static long GetGroups3(in SyscallContext c)
    {
        var now = c.Process.Credentials;
        return Write(c, now.Group, now.EffectiveGroup, now.SavedGroup);
    }

    private static long GetGroups(in SyscallContext c)
    {
        var groups = c.Process.Credentials.Groups;
        if (c.I0 == 0)
            return groups.Count;
        if (c.I0 < groups.Count)
            return -Errno.EINVAL;
        for (var i = 0; i < groups.Count; i++)
            if (!c.Memory.TryWrite(c.A1 + (uint)(i * 2), Narrow(groups[i])))
                return -Errno.EFAULT;
        return groups.Count;
    }

    private static long SetGroups(in SyscallContext c)
    {
        if (!IdentitySyscalls.IsRoot(c))
            return -Errno.EPERM;
        if ((uint)c.I0 > IdentitySyscalls.MaxGroups)
            return -Errno.EINVAL;
        var groups = new uint[c.I0];
        for (var i = 0; i < groups.Length; i++)
        {
            if (!c.Memory.TryRead(c.A1 + (uint)(i * 2), out ushort group))
                return -Errno.EFAULT;
            groups[i] = Widen(group);
            if (groups[i] == uint.MaxValue)
                return -Errno.EINVAL;
        }

        return IdentitySyscalls.SetGroups(c, groups);
    }

    private static ushort Narrow(uint id) => id > ushort.MaxValue ? Overflow : (ushort)id;

    private static uint Widen(ulong id) => (ushort)id == Unchanged ? uint.MaxValue : (ushort)id;

    private static SyscallContext Widened(in SyscallContext c) =>
        new(c.Thread, c.Abi, Widen(c.A0), Widen(c.A1), Widen(c.A2), 0, 0, 0);

    private static long Write(in SyscallContext c, uint real, uint effective, uint saved) =>
        c.Memory.TryWrite(c.A0, Narrow(real)) && c.Memory.TryWrite(c.A1, Narrow(effective)) && c.Memory.TryWrite(c.A2, Narrow(saved))
            ? 0 : -Errno.EFAULT;
}
