using DynaTrans.Linux.Files.Proc;
using DynaTrans.Linux.Memory;

namespace DynaTrans.Linux.Syscalls;

/// <summary>process_vm_readv and process_vm_writev: memory of another guest process.</summary>
internal static unsafe class ForeignMemory
{
    public static void Register(SyscallTable table)
    {
        table.Add("process_vm_readv", &ReadVector, "dpupux", i386: 347, x64: 310);
        table.Add("process_vm_writev", &WriteVector, "dpupux", i386: 348, x64: 311);
    }

    private static long ReadVector(in SyscallContext c) => Move(c, false);

    private static long WriteVector(in SyscallContext c) => Move(c, true);

    private static long Move(in SyscallContext c, bool write)
    {
        if (c.A5 != 0)
            return -Errno.EINVAL;
        var error = Vectors.Read(c.Memory, c.Is32, c.A1, c.A2, !write, out var local);
        if (error < 0)
            return error;
        if (local.Total == 0)
            return 0;
        error = Vectors.ReadPairs(c.Memory, c.Is32, c.A3, c.A4, out var remote);
        if (error < 0)
            return error;
        if (Array.TrueForAll(remote, static pair => pair.Length == 0))
            return 0;
        var target = c.Process.Kernel.FindProcess(c.I0) ?? c.Process.Kernel.FindThread(c.I0)?.Process;
        if (target == null)
            return -Errno.ESRCH;
        if (!ProcSubject.MayInspect(c.Process, target))
            return -Errno.EPERM;
        var memory = target.Memory;
        if (!memory.TryAddUser())
            return -Errno.ESRCH;
        var done = Move(memory, local, remote, write);
        memory.RemoveUser();
        if (!write)
            local.Changed(c.Memory, done);
        return done;
    }

    // Both lists are walked together; the first remote byte that cannot be accessed ends it.
    private static long Move(ProcessMemory memory, in Vectors local, (ulong Start, ulong Length)[] remote, bool write)
    {
        long total = 0;
        var piece = 0;
        ulong used = 0;
        foreach (var (start, length) in remote)
        {
            for (ulong done = 0; done < length;)
            {
                if (piece == local.Count)
                    return total;
                var room = local.Host[(piece * 2) + 1] - used;
                var count = Math.Min(room, length - done);
                var moved = memory.Transfer(start + done, (byte*)local.Host[piece * 2] + used, count, write, force: false);
                if (moved <= 0)
                    return total > 0 ? total : -Errno.EFAULT;
                total += moved;
                if ((ulong)moved < count)
                    return total;
                done += count;
                used += count;
                if (used == local.Host[(piece * 2) + 1])
                    (piece, used) = (piece + 1, 0);
            }
        }

        return total;
    }
}
