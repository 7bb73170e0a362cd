using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Processes;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Syscalls;

/// <summary>brk, the mmap family and shared memory advice.</summary>
internal static unsafe class MemorySyscalls
{
    private const uint ReadImpliesExecute = 0x0040_0000;

    public static void Register(SyscallTable table)
    {
        table.Add("brk", &Brk, "p", i386: 45, x64: 12);
        table.Add("mmap", &OldMmap, "p", i386: 90);
        table.Add("mmap2", &Mmap2, "puxxfu", i386: 192);
        table.Add("mmap", &Mmap, "puxxfu", x64: 9);
        table.Add("munmap", &Munmap, "pu", i386: 91, x64: 11);
        table.Add("mprotect", &Mprotect, "pux", i386: 125, x64: 10);
        table.Add("mremap", &Mremap, "puuxp", i386: 163, x64: 25);
        table.Add("madvise", &Madvise, "pud", i386: 219, x64: 28);
        table.Add("msync", &Msync, "pux", i386: 144, x64: 26);
        table.Add("mincore", &Mincore, "pup", i386: 218, x64: 27);
        table.Add("mlock", &Lock, "pu", i386: 150, x64: 149);
        table.Add("mlock2", &Lock, "pux", i386: 376, x64: 325);
        table.Add("munlock", &Lock, "pu", i386: 151, x64: 150);
        table.Add("mlockall", &LockAll, "x", i386: 152, x64: 151);
        table.Add("munlockall", &LockAll, "", i386: 153, x64: 152);
        table.Add("membarrier", &Membarrier, "dud", i386: 375, x64: 324);
    }

    private static long Brk(in SyscallContext c) => (long)c.Process.Memory.SetBreak(c.A0);

    // The six arguments are in memory.
    private static long OldMmap(in SyscallContext c)
    {
        Span<byte> block = stackalloc byte[24];
        if (!c.Memory.TryRead(c.A0, block))
            return -Errno.EFAULT;
        var a = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, uint>(block);
        return Map(c, a[0], a[1], a[2], a[3], (int)a[4], a[5]);
    }

    private static long Mmap2(in SyscallContext c) => Map(c, c.A0, c.A1, c.A2, c.A3, c.I4, c.A5 * AddressSpace.PageSize);

    private static long Mmap(in SyscallContext c) => Map(c, c.A0, c.A1, c.A2, c.A3, c.I4, c.A5);

    private static long Map(in SyscallContext c, ulong address, ulong length, ulong protection, ulong flags, int fd, ulong offset)
    {
        var mapFlags = (MapFlags)(uint)flags;
        if ((mapFlags & MapFlags.TypeMask) is not (MapFlags.Shared or MapFlags.Private or (MapFlags.Shared | MapFlags.Private)))
            return -Errno.EINVAL;
        var memory = c.Process.Memory;
        if (c.Is32 && !memory.Space.Is32Bit)
            mapFlags |= MapFlags.Below2G;
        var permission = Permission(c.Process, protection);
        if ((mapFlags & MapFlags.Anonymous) != 0)
            return memory.Map(address, length, permission, mapFlags, null, 0);
        if (!c.Files.TryGet(fd, out var file))
            return -Errno.EBADF;
        using (file)
        {
            if (file.File.Tag is Files.Proc.IProcPlace)
                return -Errno.ENODEV;
            var name = file.File.Path ?? HostCalls.ReadLinkAt(PathResolver.AtWorkingDirectory, $"/proc/self/fd/{file.HostFd}") ?? string.Empty;
            return memory.Map(address, length, permission, mapFlags, file.File, offset, name);
        }
    }

    // PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4: what can be written or executed can be read.
    private static PagePermission Permission(GuestProcess process, ulong protection)
    {
        var permission = PagePermission.None;
        if ((protection & 7) != 0)
            permission |= PagePermission.Read;
        if ((protection & 2) != 0)
            permission |= PagePermission.Write;
        if ((protection & 4) != 0 || ((process.Personality & ReadImpliesExecute) != 0 && (protection & 1) != 0))
            permission |= PagePermission.Execute;
        return permission;
    }

    private static long Munmap(in SyscallContext c) => c.Process.Memory.Unmap(c.A0, c.A1);

    private static long Mprotect(in SyscallContext c)
    {
        // PROT_GROWSDOWN and PROT_GROWSUP mean the whole stack area.
        const ulong GrowsDown = 0x01000000, GrowsUp = 0x02000000;
        var (address, length) = (c.A0, c.A1);
        if ((c.A2 & ~(7UL | 8 | GrowsDown | GrowsUp)) != 0)
            return -Errno.EINVAL;
        if ((c.A2 & GrowsDown) != 0 && c.Process.Memory.FindArea(address) is { } area && address % AddressSpace.PageSize == 0)
            (address, length) = (area.Start, address + length - area.Start);
        return c.Process.Memory.Protect(address, length, Permission(c.Process, c.A2));
    }

    private static long Mremap(in SyscallContext c) => c.Process.Memory.Remap(c.A0, c.A1, c.A2, c.I3, c.A4);

    private static long Madvise(in SyscallContext c) => c.Process.Memory.Advise(c.A0, c.A1, c.I2);

    private static long Msync(in SyscallContext c)
    {
        if (c.A0 % AddressSpace.PageSize != 0 || (c.A2 & ~7UL) != 0)
            return -Errno.EINVAL;
        var length = ProcessMemory.RoundUp(c.A1);
        if (!c.Process.Memory.IsMapped(c.A0, length))
            return -Errno.ENOMEM;
        return length == 0 ? 0 : HostCalls.Call(HostSys.Msync, (nint)(c.Memory.Space.Base + c.A0), (long)length, (long)c.A2);
    }

    private static long Mincore(in SyscallContext c)
    {
        if (c.A0 % AddressSpace.PageSize != 0)
            return -Errno.EINVAL;
        var length = ProcessMemory.RoundUp(c.A1);
        if (!c.Process.Memory.IsMapped(c.A0, length))
            return -Errno.ENOMEM;
        if (!c.Memory.TryGetWritable(c.A2, length / AddressSpace.PageSize, out var result))
            return -Errno.EFAULT;
        return length == 0 ? 0 : HostCalls.Call(HostSys.Mincore, (nint)(c.Memory.Space.Base + c.A0), (long)length, (nint)result);
    }

    // Nothing is locked: the guest could not tell.
    private static long Lock(in SyscallContext c) => c.Process.Memory.IsMapped(c.A0 & ~4095UL, ProcessMemory.RoundUp(c.A1 + (c.A0 & 4095))) ? 0 : -Errno.ENOMEM;

    private static long LockAll(in SyscallContext c) => 0;

    // Threads of the guest are threads of the host: its barrier is theirs.
    private static long Membarrier(in SyscallContext c) => HostCalls.Call(HostSys.Membarrier, c.I0, c.I1, c.I2);
}
