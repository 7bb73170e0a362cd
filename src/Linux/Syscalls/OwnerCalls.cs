using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// Owners of open files and signal-driven input and output: the F_SETOWN family of fcntl, O_ASYNC, and the requests of ioctl that do the same.
/// </summary>
internal static class OwnerCalls
{
    /// <summary>O_ASYNC.</summary>
    public const int Asynchronous = 0x2000;

    private const int SetOwner = 8, GetOwner = 9, SetSignal = 10, GetSignal = 11, SetOwnerEx = 15, GetOwnerEx = 16;

    /// <summary>The commands of fcntl: 8 to 11 and 15 to 17.</summary>
    public static long Fcntl(in SyscallContext c, OpenFile file)
    {
        switch (c.I1)
        {
            case SetOwner:
                return Set(c, file, c.I2);
            case GetOwner:
                return Get(c, file);
            case SetSignal:
                if (c.A2 > Signal.Count)
                    return -Errno.EINVAL;
                lock (c.Process.Kernel.Gate)
                    Of(c, file).Signal = c.I2;
                return 0;
            case GetSignal:
                return file.Owner?.Signal ?? 0;
            case SetOwnerEx:
                // struct f_owner_ex: kind and number.
                return c.Memory.TryRead(c.A2, out ulong wanted) ? Set(c, file, (int)wanted, (int)(wanted >> 32)) : -Errno.EFAULT;
            case GetOwnerEx:
                lock (c.Process.Kernel.Gate)
                {
                    var owner = Of(c, file);
                    return c.Memory.TryWrite(c.A2, (uint)owner.Kind | ((ulong)owner.Current << 32)) ? 0 : -Errno.EFAULT;
                }

            default:
            {
                // F_GETOWNER_UIDS: real and effective user of whoever set the owner.
                var setter = file.Owner?.Setter;
                return c.Memory.TryWrite(c.A2, (setter?.User ?? 0) | ((ulong)(setter?.EffectiveUser ?? 0) << 32)) ? 0 : -Errno.EFAULT;
            }
        }
    }

    /// <summary>Sets the owner: a process, or with a negative number a group. 0 or a negative error number.</summary>
    public static long Set(in SyscallContext c, OpenFile file, int number) => number == int.MinValue
        ? -Errno.EINVAL
        : Set(c, file, number < 0 ? FileOwner.Group : FileOwner.Process, Math.Abs(number));

    /// <summary>The owner as F_GETOWN reports it.</summary>
    public static int Get(in SyscallContext c, OpenFile file)
    {
        lock (c.Process.Kernel.Gate)
            return file.Owner is { } owner ? owner.Kind == FileOwner.Group ? -owner.Current : owner.Current : 0;
    }

    /// <summary>Sets or clears O_ASYNC. 0; -EPERM when the file has no such events.</summary>
    public static int SetAsynchronous(in SyscallContext c, OpenFile file, bool on)
    {
        if (!on && file.Owner == null)
            return 0;
        lock (c.Process.Kernel.Gate)
        {
            var owner = Of(c, file);
            if (on && c.Process.Kernel.OwnerSignals.Watch(owner) is var error and < 0)
                return error;
            if (on && owner.Number == 0 && IsTerminal(file))
                owner.Set(c.Process, FileOwner.Process, c.Process.Pid);
            owner.IsAsynchronous = on;
            owner.GuestFd = c.I0;
            return 0;
        }
    }

    // The owner of a socket learns of urgent data even without O_ASYNC, so every owner is watched for. A file without events has none.
    private static long Set(in SyscallContext c, OpenFile file, int kind, int number)
    {
        lock (c.Process.Kernel.Gate)
        {
            var owner = Of(c, file);
            var error = owner.Set(c.Process, kind, number);
            if (error < 0 || number == 0)
                return error;
            error = c.Process.Kernel.OwnerSignals.Watch(owner);
            return error == -Errno.EPERM ? 0 : error;
        }
    }

    private static FileOwner Of(in SyscallContext c, OpenFile file) => file.Owner ??= new FileOwner(c.Process.Kernel, file.HostFd);

    private static unsafe bool IsTerminal(OpenFile file)
    {
        const int GetAttributes = 0x5401, Size = 64;
        var termios = stackalloc byte[Size];
        return HostCalls.Call(HostSys.Ioctl, file.HostFd, GetAttributes, (nint)termios) == 0;
    }
}
