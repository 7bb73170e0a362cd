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
        table.Add("mlock2", &Lock2, "pux", i386: 376, x64: 325);
        table.Add("munlock", &Unlock, "pu", i386: 151, x64: 150);
        table.Add("mlockall", &LockAll, "x", i386: 152, x64: 151);
        table.Add("munlockall", &UnlockAll, "", i386: 153, x64: 152);
        table.Add("remap_file_pages", &RemapFilePages, "puxux", i386: 257, x64: 216);
        table.Add("pkey_mprotect", &KeyMprotect, "puxd", i386: 380, x64: 329);
        table.Add("pkey_alloc", &NoKeys, "xx", i386: 381, x64: 330);
        table.Add("pkey_free", &NoKeys, "d", i386: 382, x64: 331);
        table.Add("membarrier", &Membarrier, "dud", i386: 375, x64: 324);
    }

    private static long Brk(in SyscallContext c) => (long)c.Process.Memory.SetBreak(c.A0, Rights(c).LockLimit);

    // The six arguments are in memory.
    private static long OldMmap(in SyscallContext c)
    {
        Span<byte> block = stackalloc byte[24];
        if (!c.Memory.TryRead(c.A0, block))
            return -Errno.EFAULT;
        var a = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, uint>(block);
        return a[5] % AddressSpace.PageSize != 0 ? -Errno.EINVAL : Map(c, a[0], a[1], a[2], a[3], (int)a[4], a[5]);
    }

    private static long Mmap2(in SyscallContext c) => Map(c, c.A0, c.A1, c.A2, c.A3, c.I4, c.A5 * AddressSpace.PageSize);

    private static long Mmap(in SyscallContext c) =>
        c.A5 % AddressSpace.PageSize != 0 ? -Errno.EINVAL : Map(c, c.A0, c.A1, c.A2, c.A3, c.I4, c.A5);

    private static long Map(in SyscallContext c, ulong address, ulong length, ulong protection, ulong flags, int fd, ulong offset)
    {
        // MAP_32BIT is a flag of 64-bit calls.
        var mapFlags = (MapFlags)(uint)flags & (c.Is32 ? ~MapFlags.Below2G : (MapFlags)(-1));
        var memory = c.Process.Memory;
        var permission = Permission(c.Process, protection);
        if ((mapFlags & MapFlags.Anonymous) != 0)
        {
            if ((mapFlags & MapFlags.HugePages) != 0)
                return RefuseHugePages(length, flags);
            return memory.Map(address, length, permission, mapFlags, null, 0, rights: Rights(c, address));
        }

        if (!c.Files.TryGet(fd, out var file))
            return -Errno.EBADF;
        using (file)
        {
            if ((mapFlags & MapFlags.HugePages) != 0)
                return -Errno.EINVAL;
            if (file.File.Tag is Files.Proc.IProcPlace)
                return -Errno.ENODEV;
            return memory.Map(address, length, permission, mapFlags, file.File, offset, NameOf(c, file.File), Rights(c, address));
        }
    }

    // The file's own path, links resolved, as the guest sees it.
    private static string NameOf(in SyscallContext c, OpenFile file) =>
        HostFiles.PathOf(file.HostFd) is { } path ? PathResolver.GuestPath(c.Process.Kernel, path) : file.Path ?? string.Empty;

    // The host knows which sizes there are and whether it has pages; if it has, they are not for guests, whose pages are small ones.
    private static long RefuseHugePages(ulong length, ulong flags)
    {
        const ulong PrivateAnonymousHuge = 0x40022, SizeMask = 0x3FUL << 26;
        var at = HostCalls.Call(HostSys.Mmap, 0, (long)length, 0, (long)(PrivateAnonymousHuge | (flags & SizeMask)), -1);
        if (at is < 0 and > -4096)
            return at;
        HostCalls.Call(HostSys.Munmap, (nint)at, (long)length);
        return -Errno.ENOMEM;
    }

    /// <summary>
    /// What the caller may do. CAP_SYS_RAWIO and CAP_IPC_LOCK go with the effective user 0. A 32-bit call of a 64-bit program can name
    /// 32-bit addresses only.
    /// </summary>
    public static MapRights Rights(in SyscallContext c, ulong address = ulong.MaxValue)
    {
        const ulong End32 = 0xF7FF_E000;
        var highest = c.Is32 ? End32 : ulong.MaxValue;
        if (c.Process.Credentials.EffectiveUser == 0)
            return new MapRights(0, ulong.MaxValue, highest);
        var lowest = address < MapRights.DefaultLowest ? MapRights.HostLowest : MapRights.DefaultLowest;
        return new MapRights(lowest, c.Process.Limits[ResourceLimits.LockedMemory].Soft, highest);
    }

    // PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4.
    private static PagePermission Permission(GuestProcess process, ulong protection)
    {
        var permission = PagePermission.None;
        if ((protection & 1) != 0)
            permission |= PagePermission.Read;
        if ((protection & 2) != 0)
            permission |= PagePermission.Write;
        if ((protection & 4) != 0 || ((process.Personality & ReadImpliesExecute) != 0 && (protection & 1) != 0))
            permission |= PagePermission.Execute;
        return permission;
    }

    private static long Munmap(in SyscallContext c) => c.Process.Memory.Unmap(c.A0, c.A1);

    // The modelled processor has no protection keys.
    private static long KeyMprotect(in SyscallContext c) => c.I3 == -1 ? Mprotect(c) : -Errno.EINVAL;

    private static long NoKeys(in SyscallContext c) => -Errno.EINVAL;

    private static long RemapFilePages(in SyscallContext c) =>
        c.A2 != 0 ? -Errno.EINVAL : c.Process.Memory.RemapFile(c.A0, c.A1, c.A3, ((MapFlags)(uint)c.A4 & MapFlags.NonBlocking) != 0, Rights(c));

    private static long Mprotect(in SyscallContext c)
    {
        const ulong Semaphores = 8, GrowsDown = 0x01000000, GrowsUp = 0x02000000;
        var (down, up) = ((c.A2 & GrowsDown) != 0, (c.A2 & GrowsUp) != 0);
        if ((c.A2 & ~(7UL | Semaphores | GrowsDown | GrowsUp)) == 0)
            return c.Process.Memory.Protect(c.A0, c.A1, Permission(c.Process, c.A2), down, up);

        // Other bits are looked at after the range.
        if (!(down && up) && c.A0 % AddressSpace.PageSize == 0)
            return c.A1 == 0 ? 0 : c.A0 + ProcessMemory.RoundUp(c.A1) <= c.A0 ? -Errno.ENOMEM : -Errno.EINVAL;
        return -Errno.EINVAL;
    }

    private static long Mremap(in SyscallContext c)
    {
        var memory = c.Process.Memory;
        lock (memory.Space.Lock)
            return new Remapping(memory, Rights(c, c.A4)).Remap(c.A0, c.A1, c.A2, c.A3, c.A4);
    }

    private static long Madvise(in SyscallContext c) => MemoryAdvice.Advise(c.Process.Memory, c.A0, c.A1, c.I2);

    private static long Msync(in SyscallContext c) => MemoryAdvice.Sync(c.Process.Memory, c.A0, c.A1, (uint)c.A2);

    private static long Mincore(in SyscallContext c) => MemoryAdvice.Residence(c.Process.Memory, c.A0, c.A1, c.A2);

    private static long Lock(in SyscallContext c) => MemoryLocks.Lock(c.Process.Memory, c.A0, c.A1, false, Rights(c).LockLimit);

    private static long Lock2(in SyscallContext c)
    {
        const uint OnFault = 1;
        return ((uint)c.A2 & ~OnFault) != 0
            ? -Errno.EINVAL
            : MemoryLocks.Lock(c.Process.Memory, c.A0, c.A1, ((uint)c.A2 & OnFault) != 0, Rights(c).LockLimit);
    }

    private static long Unlock(in SyscallContext c) => MemoryLocks.Unlock(c.Process.Memory, c.A0, c.A1);

    private static long LockAll(in SyscallContext c) => MemoryLocks.LockAll(c.Process.Memory, (uint)c.A0, Rights(c).LockLimit);

    private static long UnlockAll(in SyscallContext c) => MemoryLocks.UnlockAll(c.Process.Memory);

    // Threads of the guest are threads of the host: its barrier is theirs.
    private static long Membarrier(in SyscallContext c) => HostCalls.Call(HostSys.Membarrier, c.I0, c.I1, c.I2);
}
