using System.Runtime.InteropServices;
using System.Text;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>What the system is and has: names, memory, random numbers, resource limits.</summary>
internal static unsafe class SystemSyscalls
{
    private const string Release = "6.1.0-dynatrans";
    private const string Version = "#1 SMP PREEMPT_DYNAMIC DynaTrans";
    private const int FieldSize = 65;

    public static void Register(SyscallTable table)
    {
        table.Add("uname", &Uname, "p", i386: 122, x64: 63);
        table.Add("olduname", &UnameOld, "p", i386: 109);
        table.Add("sethostname", &NotPermitted, "pu", i386: 74, x64: 170);
        table.Add("setdomainname", &NotPermitted, "pu", i386: 121, x64: 171);
        table.Add("sysinfo", &SysInfo, "p", i386: 116, x64: 99);
        table.Add("getrandom", &GetRandom, "pux", i386: 355, x64: 318);
        table.Add("syslog", &SysLog, "dpd", i386: 103, x64: 103);
        table.Add("ugetrlimit", &GetLimit, "dp", i386: 191);
        table.Add("getrlimit", &GetLimitOld, "dp", i386: 76);
        table.Add("getrlimit", &GetLimit, "dp", x64: 97);
        table.Add("setrlimit", &SetLimit, "dp", i386: 75, x64: 160);
        table.Add("prlimit64", &Prlimit, "ddpp", i386: 340, x64: 302);
        table.Add("reboot", &NotPermitted, "xxx", i386: 88, x64: 169);
    }

    private static long NotPermitted(in SyscallContext c) => -Errno.EPERM;

    private static string[] Names(in SyscallContext c) =>
        ["Linux", Environment.MachineName, Release, Version, c.Process.Is32 || c.Process.Personality == 8 ? "i686" : "x86_64", "(none)"];

    private static long Uname(in SyscallContext c)
    {
        Span<byte> bytes = stackalloc byte[FieldSize * 6];
        bytes.Clear();
        var names = Names(c);
        for (var i = 0; i < names.Length; i++)
            Put(bytes.Slice(i * FieldSize, FieldSize), names[i]);
        return c.Memory.TryWrite(c.A0, bytes) ? 0 : -Errno.EFAULT;
    }

    // Five fields of nine bytes.
    private static long UnameOld(in SyscallContext c)
    {
        Span<byte> bytes = stackalloc byte[45];
        bytes.Clear();
        var names = Names(c);
        for (var i = 0; i < 5; i++)
            Put(bytes.Slice(i * 9, 9), names[i]);
        return c.Memory.TryWrite(c.A0, bytes) ? 0 : -Errno.EFAULT;
    }

    private static void Put(Span<byte> to, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text).AsSpan();
        bytes[..Math.Min(bytes.Length, to.Length - 1)].CopyTo(to);
    }

    // struct sysinfo: uptime, loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap (longs), procs (16 bits), totalhigh,
    // freehigh (longs), mem_unit.
    private static long SysInfo(in SyscallContext c)
    {
        var host = stackalloc ulong[14];
        HostCalls.Call(HostSys.Sysinfo, (nint)host);
        var unit = *(uint*)((byte*)host + 104);
        if (!c.Is32)
            return c.Memory.TryWrite(c.A0, new ReadOnlySpan<byte>(host, 112)) ? 0 : -Errno.EFAULT;
        Span<uint> words = stackalloc uint[16];
        words.Clear();
        var shift = 0;
        while (host[4] * unit >> shift > uint.MaxValue || host[8] * unit >> shift > uint.MaxValue)
            shift += 12;
        words[0] = (uint)host[0];
        for (var i = 1; i < 4; i++)
            words[i] = (uint)host[i];
        for (var i = 4; i < 10; i++)
            words[i] = (uint)(host[i] * unit >> shift);
        words[10] = *(ushort*)((byte*)host + 80);
        words[13] = 1u << shift;
        return c.Memory.TryWrite(c.A0, MemoryMarshal.AsBytes(words)) ? 0 : -Errno.EFAULT;
    }

    private static long GetRandom(in SyscallContext c) =>
        c.Memory.TryGetPrefix(c.A0, Math.Min(c.A1, int.MaxValue), write: true, out var p, out var usable)
            ? c.Blocking(HostSys.Getrandom, (nint)p, (long)usable, c.I2)
            : -Errno.EFAULT;

    // The host's kernel log is not the guest's; its own is empty.
    private static long SysLog(in SyscallContext c) => c.I0 is >= 0 and <= 10 ? (c.I0 is 2 or 3 or 4 ? 0 : c.I0 == 10 ? 1 << 16 : 0) : -Errno.EINVAL;

    private static long GetLimit(in SyscallContext c)
    {
        if ((uint)c.I0 >= ResourceLimits.Count)
            return -Errno.EINVAL;
        var (soft, hard) = c.Process.Limits[c.I0];
        return WriteLongs(c, c.A1, Narrow(c, soft, uint.MaxValue), Narrow(c, hard, uint.MaxValue));
    }

    // The oldest call knows 2^31 - 1 as infinity.
    private static long GetLimitOld(in SyscallContext c)
    {
        if ((uint)c.I0 >= ResourceLimits.Count)
            return -Errno.EINVAL;
        var (soft, hard) = c.Process.Limits[c.I0];
        return WriteLongs(c, c.A1, Narrow(c, soft, int.MaxValue), Narrow(c, hard, int.MaxValue));
    }

    private static long WriteLongs(in SyscallContext c, ulong address, ulong first, ulong second) =>
        c.TryWriteLong(address, first) && c.TryWriteLong(address + (uint)c.LongSize, second) ? 0 : -Errno.EFAULT;

    private static ulong Narrow(in SyscallContext c, ulong value, uint infinity) => c.Is32 && value > infinity ? infinity : value;

    private static long SetLimit(in SyscallContext c)
    {
        if (!c.TryReadLong(c.A1, out var soft) || !c.TryReadLong(c.A1 + (uint)c.LongSize, out var hard))
            return -Errno.EFAULT;
        return Change(c.Process, c.Process, c.I0, Widen(c, soft), Widen(c, hard));
    }

    private static ulong Widen(in SyscallContext c, ulong value) => c.Is32 && value == uint.MaxValue ? ResourceLimits.Infinity : value;

    private static long Prlimit(in SyscallContext c)
    {
        ulong newSoft = 0, newHard = 0;
        if (c.A2 != 0 && (!c.Memory.TryRead(c.A2, out newSoft) || !c.Memory.TryRead(c.A2 + 8, out newHard)))
            return -Errno.EFAULT;
        var target = c.I0 == 0 ? c.Process : c.Process.Kernel.FindAnyProcess(c.I0);
        if (target == null)
            return -Errno.ESRCH;
        if (!c.Process.MayLimit(target))
            return -Errno.EPERM;
        if ((uint)c.I1 >= ResourceLimits.Count)
            return -Errno.EINVAL;
        var (soft, hard) = target.Limits[c.I1];
        if (c.A2 != 0)
        {
            var error = Change(c.Process, target, c.I1, newSoft, newHard);
            if (error < 0)
                return error;
        }

        return c.A3 == 0 || (c.Memory.TryWrite(c.A3, soft) && c.Memory.TryWrite(c.A3 + 8, hard)) ? 0 : -Errno.EFAULT;
    }

    private static long Change(GuestProcess caller, GuestProcess target, int resource, ulong soft, ulong hard)
    {
        if ((uint)resource >= ResourceLimits.Count || soft > hard)
            return -Errno.EINVAL;
        if (resource == ResourceLimits.Files && hard > HostDescriptors.MostForGuest)
            return -Errno.EPERM;
        if (hard > target.Limits[resource].Hard && caller.Credentials.EffectiveUser != 0)
            return -Errno.EPERM;
        target.Limits[resource] = (soft, hard);
        switch (resource)
        {
            case ResourceLimits.Files:
                target.Files.Limit = (int)soft;
                break;
            case ResourceLimits.Cpu:
                target.WatchCpuLimit();
                break;
            case ResourceLimits.AddressSpace:
                target.Memory.AddressLimit = soft;
                break;
            case ResourceLimits.Data:
                target.Memory.DataLimit = soft;
                break;
            case ResourceLimits.Stack:
                target.Memory.StackLimit = soft;
                break;
        }

        return 0;
    }
}
