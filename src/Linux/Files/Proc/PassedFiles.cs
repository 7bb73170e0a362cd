namespace DynaTrans.Linux.Files.Proc;

/// <summary>
/// Open files of the guest's /proc that were sent over a socket (SCM_RIGHTS). The host passes their descriptors; what they stand for is
/// found again here, by the anonymous file that each has for its own. The last ones sent are kept.
/// </summary>
internal sealed class PassedFiles
{
    private const int Most = 256;

    private readonly Dictionary<(ulong Device, ulong Inode), (IProcPlace Tag, string? Path)> _files = [];
    private readonly Queue<(ulong Device, ulong Inode)> _order = new();

    /// <summary>A file is sent.</summary>
    public void Sent(OpenFile file)
    {
        if (file.Tag is not IProcPlace tag || HostFiles.Status(file.HostFd, out var status) < 0)
            return;
        lock (_files)
        {
            if (_files.TryAdd((status.Device, status.Inode), (tag, file.Path)))
                _order.Enqueue((status.Device, status.Inode));
            if (_order.Count > Most)
                _files.Remove(_order.Dequeue());
        }
    }

    /// <summary>The open file of a descriptor that was received; null: the guest does not get it.</summary>
    /// <param name="who">Who received it.</param>
    /// <param name="hostFd">The descriptor, which the open file takes over, or which is closed.</param>
    public OpenFile? Received(in Asker who, int hostFd)
    {
        lock (_files)
        {
            if (_files.Count > 0 && HostFiles.Status(hostFd, out var status) == 0
                && _files.TryGetValue((status.Device, status.Inode), out var known))
                return new OpenFile(hostFd) { Tag = known.Tag, Path = known.Path };
        }

        return ProcMounts.Admit(who, hostFd, true);
    }
}
