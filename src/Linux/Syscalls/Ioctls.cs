using System.Collections.Frozen;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// ioctl: a table of the requests whose argument is known (its size and direction); others give ENOTTY, because an argument that is not
/// known cannot be checked. Terminal process groups are the guest's.
/// </summary>
internal static unsafe class Ioctls
{
    private const int GetGroup = 0x540F, SetGroup = 0x5410, GetSession = 0x5429, SetControlling = 0x540E, DropControlling = 0x5422;
    private const int CloseOnExec = 0x5451, NoCloseOnExec = 0x5450, NonBlocking = 0x5421, Asynchronous = 0x5452;
    private const int SetOwner = 0x8901, SetSocketOwner = 0x8902, GetOwner = 0x8903, GetSocketOwner = 0x8904;
    private const int GetAttributes = 0x5401, OpenPeer = 0x5441;
    private const int Clone = 0x40049409, CloneRange = 0x4020940D;

    private static readonly FrozenDictionary<uint, (int Size, Direction Direction)> s_requests = new Dictionary<uint, (int, Direction)>
    {
        // Terminals: termios, termio, termios2, window size.
        [0x5401] = (36, Direction.Out), [0x5402] = (36, Direction.In), [0x5403] = (36, Direction.In), [0x5404] = (36, Direction.In),
        [0x5405] = (18, Direction.Out), [0x5406] = (18, Direction.In), [0x5407] = (18, Direction.In), [0x5408] = (18, Direction.In),
        [0x802C542A] = (44, Direction.Out), [0x402C542B] = (44, Direction.In), [0x402C542C] = (44, Direction.In), [0x402C542D] = (44, Direction.In),
        [0x5409] = (0, Direction.Value), [0x540A] = (0, Direction.Value), [0x540B] = (0, Direction.Value), [0x5425] = (0, Direction.Value),
        [0x540C] = (0, Direction.Value), [0x540D] = (0, Direction.Value), [0x5411] = (4, Direction.Out), [0x541B] = (4, Direction.Out),
        [0x5413] = (8, Direction.Out), [0x5414] = (8, Direction.In), [0x5415] = (4, Direction.Out), [0x5416] = (4, Direction.In),
        [0x5417] = (4, Direction.In), [0x5418] = (4, Direction.In), [0x5419] = (4, Direction.Out), [0x541A] = (4, Direction.In),
        [0x5420] = (4, Direction.In), [0x5423] = (4, Direction.In), [0x5424] = (4, Direction.Out), [0x5427] = (0, Direction.Value),
        [0x5428] = (0, Direction.Value), [0x5456] = (36, Direction.Out), [0x5460] = (8, Direction.Out), [0x80045430] = (4, Direction.Out),
        [0x40045431] = (4, Direction.In), [0x80045438] = (4, Direction.Out), [0x80045439] = (4, Direction.Out), [0x5421] = (4, Direction.In),

        // Block devices and file systems. The sizes in FS_IOC_* say long, the kernel moves an int.
        [0x1260] = (0, Direction.LongOut), [0x1268] = (4, Direction.Out), [0x125E] = (4, Direction.Out), [0x80081272] = (8, Direction.Out),
        [0x80041272] = (8, Direction.Out), [0x80086601] = (4, Direction.Out), [0x80046601] = (4, Direction.Out), [0x40086602] = (4, Direction.In),
        [0x40046602] = (4, Direction.In), [0x801C581F] = (28, Direction.Out), [0x401C5820] = (28, Direction.In),

        // Sockets.
        [0x8905] = (4, Direction.Out),

        // Random numbers: entropy count.
        [0x80045200] = (4, Direction.Out),
    }.ToFrozenDictionary();

    private enum Direction
    {
        /// <summary>The argument is a number, or there is none.</summary>
        Value,

        /// <summary>The host writes.</summary>
        Out,

        /// <summary>The host reads.</summary>
        In,

        /// <summary>The host writes a long.</summary>
        LongOut,
    }

    /// <summary>ioctl(fd, request, argument).</summary>
    public static long Ioctl(in SyscallContext c)
    {
        using var file = c.File(c.I0);
        if (file.IsNone())
            return -Errno.EBADF;
        var request = (uint)c.A1;
        if (JobControl.Changes(request) && JobControl.Check(c, file.HostFd, Signal.Ttou) is var refused and < 0)
            return refused;
        switch ((int)request)
        {
            case CloseOnExec or NoCloseOnExec:
                c.Files.SetCloseOnExec(c.I0, request == CloseOnExec);
                return 0;
            case Asynchronous:
                if (!c.Memory.TryRead(c.A2, out int on))
                    return -Errno.EFAULT;
                return OwnerCalls.SetAsynchronous(c, file.File, on != 0) == -Errno.EPERM ? -Errno.ENOTTY : 0;
            case SetOwner or SetSocketOwner:
                return c.Memory.TryRead(c.A2, out int owner) ? OwnerCalls.Set(c, file.File, owner) : -Errno.EFAULT;
            case GetOwner or GetSocketOwner:
                return c.Memory.TryWrite(c.A2, OwnerCalls.Get(c, file.File)) ? 0 : -Errno.EFAULT;
            case GetGroup or GetSession or SetGroup or SetControlling or DropControlling:
                return TerminalGroups(c, file, (int)request);
            case OpenPeer:
                return c.Install(
                    HostCalls.Call(HostSys.Ioctl, file.HostFd, request, c.I2 | OpenFlags.CloseOnExec | 0x100), (c.I2 & OpenFlags.CloseOnExec) != 0);
            case Clone:
            {
                using var from = c.File(c.I2);
                return from.IsNone() ? -Errno.EBADF : Cloned(c, file, HostCalls.Call(HostSys.Ioctl, file.HostFd, request, from.HostFd));
            }

            case CloneRange:
                return CloneBytes(c, file);
        }

        if (IsOfInterface(request))
            return Interface(c, file, request);
        if (!s_requests.TryGetValue(request, out var known))
            return -Errno.ENOTTY;
        var buffer = stackalloc byte[64];
        switch (known.Direction)
        {
            case Direction.Value:
                return c.Blocking(HostSys.Ioctl, file.HostFd, request, c.I2);
            case Direction.LongOut:
            {
                var error = HostCalls.Call(HostSys.Ioctl, file.HostFd, request, (nint)buffer);
                return error < 0 ? error : c.TryWriteLong(c.A2, *(ulong*)buffer) ? error : -Errno.EFAULT;
            }
        }

        var bytes = new Span<byte>(buffer, known.Size);
        if (known.Direction != Direction.Out && !c.Memory.TryRead(c.A2, bytes))
            return -Errno.EFAULT;
        var result = c.Blocking(HostSys.Ioctl, file.HostFd, request, (nint)buffer);
        if (result >= 0 && known.Direction != Direction.In && !c.Memory.TryWrite(c.A2, bytes))
            return -Errno.EFAULT;
        return result;
    }

    private static long TerminalGroups(in SyscallContext c, FileRef file, int request)
    {
        var termios = stackalloc byte[64];
        var error = HostCalls.Call(HostSys.Ioctl, file.HostFd, GetAttributes, (nint)termios);
        if (error < 0)
            return error;
        switch (request)
        {
            case GetGroup:
                return c.Memory.TryWrite(c.A2, c.Process.Kernel.ForegroundGroup) ? 0 : -Errno.EFAULT;
            case GetSession:
                return c.Memory.TryWrite(c.A2, c.Process.SessionId) ? 0 : -Errno.EFAULT;
            case SetGroup:
                if (!c.Memory.TryRead(c.A2, out int group))
                    return -Errno.EFAULT;
                if (group < 0)
                    return -Errno.EINVAL;
                lock (c.Process.Kernel.Gate)
                {
                    var members = c.Process.Kernel.Processes.Where(p => p.GroupId == group).ToList();
                    if (members.Count == 0)
                        return -Errno.ESRCH;
                    var session = c.Process.SessionId;
                    if (members.All(p => p.SessionId != session))
                        return -Errno.EPERM;
                    c.Process.Kernel.ForegroundGroup = group;
                }

                return 0;
            default:
                return 0;
        }
    }

    private static long CloneBytes(in SyscallContext c, FileRef file)
    {
        var range = stackalloc long[4];
        if (!c.Memory.TryRead(c.A2, new Span<byte>(range, 32)))
            return -Errno.EFAULT;
        using var from = c.File((int)range[0]);
        if (from.IsNone())
            return -Errno.EBADF;
        range[0] = from.HostFd;
        return Cloned(c, file, HostCalls.Call(HostSys.Ioctl, file.HostFd, CloneRange, (nint)range));
    }

    private static long Cloned(in SyscallContext c, FileRef file, long result)
    {
        if (result == 0)
            c.Process.Kernel.Objects.Written(file.File, -1, 1);
        return result;
    }

    // Requests whose union holds values only. Others (SIOCGIFCONF, SIOCETHTOOL, bridges) hold a pointer that the host would follow.
    private static bool IsOfInterface(uint request) => request is 0x8910 or (>= 0x8913 and <= 0x891E) or (>= 0x8921 and <= 0x8927) or 0x8929
        or (>= 0x8930 and <= 0x8938) or 0x8942 or 0x8943 or 0x8947 or 0x8948;

    // struct ifreq: a name of 16 bytes and a union, 24 bytes long with 64-bit pointers and 16 with 32-bit ones.
    private static long Interface(in SyscallContext c, FileRef file, uint request)
    {
        const int HostSize = 40;
        var size = c.Is32 ? 32 : HostSize;
        var buffer = stackalloc byte[HostSize];
        new Span<byte>(buffer, HostSize).Clear();
        var bytes = new Span<byte>(buffer, size);
        if (!c.Memory.TryRead(c.A2, bytes))
            return -Errno.EFAULT;
        var result = HostCalls.Call(HostSys.Ioctl, file.HostFd, request, (nint)buffer);
        return result >= 0 && !c.Memory.TryWrite(c.A2, bytes) ? -Errno.EFAULT : result;
    }
}
