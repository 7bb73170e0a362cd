using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Memory;

/// <summary>
/// One attachment of a System V shared memory segment: what its areas have for a file. It has no descriptor; another mapping of it is made
/// from one that is there.
/// </summary>
/// <param name="id">The host's number of the segment.</param>
/// <param name="size">Its bytes, as they were asked for.</param>
/// <param name="flags">SHM_RDONLY and SHM_EXEC, as it was attached.</param>
/// <param name="charge">What it takes of the bound on guests' memory, or null.</param>
internal sealed class SharedSegment(int id, ulong size, int flags, IDisposable? charge) : IDisposable
{
    // No file is on this device.
    private const ulong Device = ulong.MaxValue;

    /// <summary>The host's number of the segment.</summary>
    public int Id => id;

    /// <summary>Bytes.</summary>
    public ulong Size => size;

    /// <summary>The file of its areas.</summary>
    public OpenFile AsFile() => new(-1) { OwnsHostFd = false, Tag = this, Identity = new FileIdentity(Device, (uint)id) };

    /// <summary>Length and key of a segment, or a negative error number: whoever may not ask may not attach it, either.</summary>
    /// <param name="id">The segment.</param>
    /// <param name="isOwn">True when its permissions are the owner's, who may read and write.</param>
    public static unsafe (long Error, ulong Size, int Key) Find(int id, out bool isOwn)
    {
        // shmid_ds: key, uid, gid, cuid, cgid, mode in words of 32 bits, shm_segsz at 48.
        const int Stat = 2, Words = 28, User = 1, Creator = 3, Mode = 5, Size = 12;
        const uint ReadWrite = 0x180;
        var status = stackalloc uint[Words];
        var error = HostCalls.Call(HostSys.Shmctl, id, Stat, (nint)status);
        var user = (uint)HostCalls.Call(HostSys.Geteuid);
        isOwn = (user == status[User] || user == status[Creator]) && (status[Mode] & ReadWrite) == ReadWrite;
        return (error, *(ulong*)(status + Size), (int)status[0]);
    }

    /// <summary>Attaches the segment in the host, in place of what is there.</summary>
    /// <param name="host">Host address.</param>
    /// <returns>The address or a negative error number.</returns>
    public long AttachAt(nint host)
    {
        const int Replace = 0x4000;
        return HostCalls.Call(HostSys.Shmat, id, host, flags | Replace);
    }

    /// <summary>Asks the host whether the caller may attach a segment.</summary>
    /// <returns>0 or a negative error number.</returns>
    public static long Try(int id, int flags)
    {
        var at = HostCalls.Call(HostSys.Shmat, id, 0, flags);
        return HostMapping.IsError(at) ? at : HostCalls.Call(HostSys.Shmdt, at);
    }

    /// <inheritdoc/>
    public void Dispose() => charge?.Dispose();
}
