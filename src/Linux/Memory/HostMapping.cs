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

    /// <summary>Puts the pages of an area's file where its guest addresses are in the host.</summary>
    /// <param name="space">The address space.</param>
    /// <param name="area">The area; its file is not null.</param>
    /// <param name="start">First guest address of the pages.</param>
    /// <param name="end">First guest address behind them.</param>
    /// <returns>0 or a negative error number.</returns>
    public static long Put(AddressSpace space, MemoryArea area, ulong start, ulong end)
    {
        if (start >= end)
            return 0;
        if (!space.TryMakeWindows(start, end - start))
            return -Errno.ENOMEM;
        if (area.File!.Tag is SharedSegment segment)
            return PutSegment(space, area, segment, start, end);
        var flags = (area.IsShared && area.MayWrite ? Shared : Private) | Fixed | NoReserve;
        foreach (var piece in space.HostPieces(start, end - start, make: true))
        {
            var offset = (long)(area.Offset + (piece.Address - area.Start));
            var result = HostCalls.Call(HostSys.Mmap, piece.Host, (long)piece.Length, ProtRead | ProtWrite, flags, area.File!.HostFd, offset);
            if (IsError(result))
                return result;
        }

        return 0;
    }

    // A segment is attached as a whole or not at all: a part of it is made from one that is there (TryDuplicate).
    private static long PutSegment(AddressSpace space, MemoryArea area, SharedSegment segment, ulong start, ulong end)
    {
        var length = ProcessMemory.RoundUp(segment.Size);
        if (area.Offset != 0 || start != area.Start || end - start != length)
            return -Errno.EINVAL;
        foreach (var piece in space.HostPieces(start, length, make: true))
        {
            if (piece.Length != length)
                return -Errno.ENOMEM;
            var result = segment.AttachAt(piece.Host);
            return IsError(result) ? result : 0;
        }

        return -Errno.ENOMEM;
    }

    /// <summary>Moves a mapping that <see cref="Make"/> made to its place.</summary>
    public static long Place(nint from, AddressSpace space, ulong to, ulong length)
    {
        const int MayMoveFixed = 3;
        long result = -Errno.ENOMEM;
        var done = 0UL;
        if (space.TryMakeWindows(to, length))
            foreach (var piece in space.HostPieces(to, length, make: true))
            {
                result = HostCalls.Call(HostSys.Mremap, from + (nint)done, (long)piece.Length, (long)piece.Length, MayMoveFixed, piece.Host);
                if (IsError(result))
                    break;
                done += piece.Length;
            }

        if (done == length)
            return 0;
        Drop(from + (nint)done, length - done);
        return result;
    }

    /// <summary>Gives up a mapping that <see cref="Make"/> made.</summary>
    public static void Drop(nint at, ulong length)
    {
        if (at != 0)
            HostCalls.Call(HostSys.Munmap, at, (long)length);
    }

    /// <summary>Gives the host advice on what there is of a range in the host. The first error is the result.</summary>
    /// <param name="space">The address space.</param>
    /// <param name="address">First guest address.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="advice">MADV_...</param>
    /// <param name="make">The advice is about pages that are to come, too.</param>
    public static long Advise(AddressSpace space, ulong address, ulong length, int advice, bool make)
    {
        if (make && !space.TryMakeWindows(address, length))
            return -Errno.ENOMEM;
        foreach (var piece in space.HostPieces(address, length, make))
        {
            var error = HostCalls.Call(HostSys.Madvise, piece.Host, (long)piece.Length, advice);
            if (error < 0)
                return error;
        }

        return 0;
    }

    /// <summary>
    /// Moves pages from one place to another of the same kind. What remains is a mapping all the same: a hole could be filled by anybody in
    /// the process.
    /// </summary>
    public static bool TryMove(AddressSpace space, ulong from, ulong to, ulong length)
    {
        const int MayMoveFixedDontUnmap = 7;
        if (!space.HostPieces(from, length, make: false).Any())
            return true;
        return TryMap(space, from, space, to, length, out var source, out var target)
            && !IsError(HostCalls.Call(HostSys.Mremap, source, (long)length, (long)length, MayMoveFixedDontUnmap, target));
    }

    /// <summary>Maps the object of a shared mapping a second time, with the first one's rights (mremap of nothing).</summary>
    public static bool TryDuplicate(AddressSpace source, ulong from, AddressSpace target, ulong to, ulong length)
    {
        const int MayMoveFixed = 3;
        return TryMap(source, from, target, to, length, out var old, out var place)
            && !IsError(HostCalls.Call(HostSys.Mremap, old, 0, (long)length, MayMoveFixed, place));
    }

    /// <summary>
    /// Copies private pages that were touched, of one address space or of one to another. Others are zero in both places (or the file's, in both).
    /// </summary>
    /// <exception cref="OutOfMemoryException">The host has no room for a window of the target.</exception>
    public static void CopyTouched(AddressSpace source, ulong from, AddressSpace target, ulong to, ulong length, bool isFile)
    {
        foreach (var piece in source.HostPieces(from, length, make: false))
            foreach (var part in target.HostPieces(to + (piece.Address - from), piece.Length, make: true))
                CopyTouched((byte*)piece.Host + (part.Address - to - (piece.Address - from)), (byte*)part.Host, part.Length, isFile);
    }

    private static void CopyTouched(byte* from, byte* to, ulong length, bool isFile)
    {
        // Of a file's pages only copies of its own.
        if (PageMapScan.TryScan((ulong)from, length, (start, bytes, categories) =>
        {
            if (!isFile || (categories & (PageMapScan.IsFile | PageMapScan.IsSwapped)) != PageMapScan.IsFile)
                NativeMemory.Copy((byte*)start, to + (start - (ulong)from), (nuint)bytes);
        }))
            return;
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

    /// <summary>Guest address at which the pages of an area's file end: its end, or earlier when the file is a regular one or a segment and shorter.</summary>
    public static ulong FileEnd(MemoryArea area)
    {
        ulong size;
        if (area.File?.Tag is SharedSegment segment)
            size = segment.Size;
        else if (area.File == null || HostFiles.Status(area.File.HostFd, out var status) != 0 || !HostFiles.IsPlain(status))
            return area.End;
        else
            size = (ulong)status.Size;
        size = ProcessMemory.RoundUp(size);
        return size <= area.Offset ? area.Start : area.Start + Math.Min(size - area.Offset, area.Length);
    }

    /// <summary>True when a value is an error number of the kernel.</summary>
    public static bool IsError(long result) => result is < 0 and > -4096;

    // The host addresses of two ranges. False when one of them is not contiguous in the host.
    private static bool TryMap(
        AddressSpace source, ulong from, AddressSpace target, ulong to, ulong length, out nint sourceHost, out nint targetHost)
    {
        sourceHost = targetHost = 0;
        if (!source.TryMakeWindows(from, length) || !target.TryMakeWindows(to, length)
            || source.ContiguousAt(from, length) < length || target.ContiguousAt(to, length) < length)
            return false;
        sourceHost = (nint)source.HostAt(from);
        targetHost = (nint)target.HostAt(to);
        return true;
    }

    private static bool IsTouched(ulong entry, bool isFile) =>
        (entry & Swapped) != 0 || ((entry & Present) != 0 && (!isFile || (entry & FileOrShared) == 0));
}
