using System.Runtime.InteropServices;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>
/// Mappings of files in the host. In the host they can always be read and written, whatever the guest may do (see
/// <see cref="AddressSpace"/>). A shared mapping that may not be written to is a private one of the host: nobody can tell, because nothing
/// writes to it.
/// </summary>
internal static unsafe class HostMapping
{
    private const int ProtRead = 1, ProtWrite = 2, ProtExecute = 4;
    private const int Shared = 1, Private = 2, Fixed = 0x10, NoReserve = 0x4000;

    // Bits of an entry of /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst).
    internal const ulong Present = 1UL << 63, Swapped = 1UL << 62, FileOrShared = 1UL << 61;

    internal static readonly int PageMap = HostCalls.OpenAt(-100, "/proc/self/pagemap", 0x80000);

    /// <summary>Maps an area's file somewhere, asking for what the guest asked for, so that errors are the kernel's own.</summary>
    /// <param name="area">The area; its file is not null.</param>
    /// <param name="synchronous">MAP_SYNC.</param>
    /// <param name="mayWrite">False when the mapping may not be made writable.</param>
    /// <returns>The host address, or a negative error number.</returns>
    public static long Make(MemoryArea area, bool synchronous, out bool mayWrite)
    {
        const int Synchronous = 0x80000;
        mayWrite = true;
        var length = (long)area.Length;
        var writes = (area.Protection & PagePermission.Write) != 0;
        var first = area.IsShared && !writes ? ProtRead : ProtRead | ProtWrite;
        var flags = (area.IsShared ? Shared : Private) | NoReserve | (synchronous ? Synchronous : 0);
        var at = HostCalls.Call(HostSys.Mmap, 0, length, first, flags, area.File!.HostFd, (long)area.Offset);
        if (IsError(at))
            return at;
        if ((area.Protection & PagePermission.Execute) != 0 && !MayExecute(area.File))
        {
            HostCalls.Call(HostSys.Munmap, (nint)at, length);
            return -Errno.EPERM;
        }

        if (first != ProtRead || HostCalls.Call(HostSys.Mprotect, (nint)at, length, ProtRead | ProtWrite) == 0)
            return at;
        mayWrite = false;
        HostCalls.Call(HostSys.Munmap, (nint)at, length);
        return HostCalls.Call(HostSys.Mmap, 0, length, ProtRead | ProtWrite, Private | NoReserve, area.File.HostFd, (long)area.Offset);
    }

    /// <summary>False for a file of a file system that is mounted noexec.</summary>
    public static bool MayExecute(OpenFile file)
    {
        var at = HostCalls.Call(HostSys.Mmap, 0, AddressSpace.PageSize, ProtRead | ProtExecute, Private | NoReserve, file.HostFd);
        if (!IsError(at))
            HostCalls.Call(HostSys.Munmap, (nint)at, AddressSpace.PageSize);
        return at != -Errno.EPERM;
    }

    /// <summary>Puts the pages of an area's file at a host address.</summary>
    /// <param name="at">Host address of the area's first page.</param>
    /// <param name="area">The area; its file is not null.</param>
    /// <param name="start">First guest address of the pages.</param>
    /// <param name="end">First guest address behind them.</param>
    /// <returns>0 or a negative error number.</returns>
    public static long Put(byte* at, MemoryArea area, ulong start, ulong end)
    {
        if (start >= end)
            return 0;
        var flags = (area.IsShared && area.MayWrite ? Shared : Private) | Fixed | NoReserve;
        var skipped = start - area.Start;
        var result = HostCalls.Call(
            HostSys.Mmap, (nint)(at + skipped), (long)(end - start), ProtRead | ProtWrite, flags, area.File!.HostFd, (long)(area.Offset + skipped));
        return IsError(result) ? result : 0;
    }

    /// <summary>Moves a mapping that <see cref="Make"/> made to its place.</summary>
    public static long Place(nint from, byte* to, ulong length)
    {
        const int MayMoveFixed = 3;
        var result = HostCalls.Call(HostSys.Mremap, from, (long)length, (long)length, MayMoveFixed, (nint)to);
        if (!IsError(result))
            return 0;
        Drop(from, length);
        return result;
    }

    /// <summary>Gives up a mapping that <see cref="Make"/> made.</summary>
    public static void Drop(nint at, ulong length)
    {
        if (at != 0)
            HostCalls.Call(HostSys.Munmap, at, (long)length);
    }

    /// <summary>
    /// Moves pages from one place to another of the same kind. What remains is a mapping all the same: a hole could be filled by anybody in
    /// the process.
    /// </summary>
    public static bool TryMove(byte* from, byte* to, ulong length)
    {
        const int MayMoveFixedDontUnmap = 7;
        return !IsError(HostCalls.Call(HostSys.Mremap, (nint)from, (long)length, (long)length, MayMoveFixedDontUnmap, (nint)to));
    }

    /// <summary>Maps the object of a shared mapping a second time, with the first one's rights (mremap of nothing).</summary>
    public static bool TryDuplicate(byte* from, byte* to, ulong length)
    {
        const int MayMoveFixed = 3;
        return !IsError(HostCalls.Call(HostSys.Mremap, (nint)from, 0, (long)length, MayMoveFixed, (nint)to));
    }

    /// <summary>Copies private pages that were touched. Others are zero in both places (or the file's, in both).</summary>
    public static void CopyTouched(byte* from, byte* to, ulong length, bool isFile)
    {
        const int Batch = 512;
        const ulong Page = AddressSpace.PageSize;
        var entries = stackalloc ulong[Batch];
        var pages = length / Page;
        for (ulong done = 0; done < pages;)
        {
            var count = (int)Math.Min(Batch, pages - done);
            var wanted = count * sizeof(ulong);
            var read = PageMap < 0
                ? -1
                : HostCalls.Call(HostSys.Pread64, PageMap, (nint)entries, wanted, (long)((((ulong)from / Page) + done) * sizeof(ulong)));
            if (read != wanted)
                new Span<ulong>(entries, count).Fill(Present);
            for (var i = 0; i < count; i++)
            {
                var first = i;
                while (i < count && IsTouched(entries[i], isFile))
                    i++;
                if (i > first)
                {
                    var start = (done + (ulong)first) * Page;
                    NativeMemory.Copy(from + start, to + start, (nuint)((ulong)(i - first) * Page));
                }
            }

            done += (ulong)count;
        }
    }

    /// <summary>The file behind shared anonymous memory.</summary>
    public static (OpenFile? File, int Error) CreateShared(ulong length)
    {
        const int Cloexec = 1;
        fixed (byte* name = "guest"u8)
        {
            var fd = HostDescriptors.Claim(HostCalls.Call(HostSys.MemfdCreate, (nint)name, Cloexec));
            if (fd < 0)
                return (null, (int)-fd);
            var file = new OpenFile((int)fd);
            var error = HostCalls.Call(HostSys.Ftruncate, fd, (long)length);
            if (error == 0)
                return (file, 0);
            file.Release();
            return (null, (int)-error);
        }
    }

    /// <summary>Guest address at which the pages of an area's file end: its end, or earlier when the file is a regular one and shorter.</summary>
    public static ulong FileEnd(MemoryArea area)
    {
        if (area.File == null || HostFiles.Status(area.File.HostFd, out var status) != 0 || !HostFiles.IsPlain(status))
            return area.End;
        var size = ProcessMemory.RoundUp((ulong)status.Size);
        return size <= area.Offset ? area.Start : area.Start + Math.Min(size - area.Offset, area.Length);
    }

    /// <summary>True when a value is an error number of the kernel.</summary>
    public static bool IsError(long result) => result is < 0 and > -4096;

    private static bool IsTouched(ulong entry, bool isFile) =>
        (entry & Swapped) != 0 || ((entry & Present) != 0 && (!isFile || (entry & FileOrShared) == 0));
}
