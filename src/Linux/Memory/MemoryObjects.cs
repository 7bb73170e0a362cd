using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Syscalls;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>
/// The files and pieces of shared memory that are mapped by the processes of a kernel: one object for each, whatever it was opened by.
/// </summary>
public sealed class MemoryObjects
{
    private readonly Dictionary<FileIdentity, MemoryObject> _objects = [];

    // Taken after an address space's lock.
    private readonly Lock _gate = new();

    /// <summary>
    /// Bytes of a file have changed, other than by a mapping: drops the code that was made from them, in all processes. The caller holds no
    /// lock of an address space. Cheap for a file that is not mapped.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where, or a negative number when that is not known: everywhere.</param>
    /// <param name="length">Bytes.</param>
    internal void Written(OpenFile file, long offset, long length)
    {
        const int Append = 0x400;
        if (length <= 0 || file.Identity is not { } identity || Find(identity) is not { } found)
            return;

        // (In a file that was opened for appending pwrite(2) appends.)
        if (offset < 0 || (HostCalls.Call(HostSys.Fcntl, file.HostFd, DescriptorCalls.GetStatus) & Append) != 0)
            found.Written(0, ulong.MaxValue);
        else
            found.Written((ulong)offset, (ulong)length);
    }

    /// <summary>Says which frames the pages of a new area are. Under the address space's lock.</summary>
    internal void Enter(AddressSpace space, MemoryArea area)
    {
        if (area.File?.Identity is not { } identity)
            return;
        lock (_gate)
        {
            if (!_objects.TryGetValue(identity, out var source))
                _objects[identity] = source = new MemoryObject(() => Leave(identity));
            space.SetFrames(area.Start, area.Length, source, area.Offset, area.IsShared && area.MayWrite);
        }
    }

    private MemoryObject? Find(FileIdentity identity)
    {
        lock (_gate)
            return _objects.GetValueOrDefault(identity);
    }

    // It may be mapped again by now.
    private void Leave(FileIdentity identity)
    {
        lock (_gate)
            if (_objects.TryGetValue(identity, out var source) && !source.IsMapped)
                _objects.Remove(identity);
    }
}
