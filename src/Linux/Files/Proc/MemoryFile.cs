using DynaTrans.Linux.Host;
using DynaTrans.Linux.Memory;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>/proc/N/mem and /proc/N/pagemap: the memory of a guest process, and one word a page about it, which is 0 (not shown).</summary>
internal sealed class MemoryFile(ProcDirectory parent, string name, ProcSubject subject, bool isPageMap) : ProcNode(parent.Kernel, parent, name)
{
    /// <inheritdoc/>
    public override uint Mode => FileType | (isPageMap ? 0x100u : 0x180u);

    /// <inheritdoc/>
    protected override long OpenAllowed(in Asker who, int flags, out OpenFile? file)
    {
        file = null;
        if (!subject.MayBeInspectedBy(who))
            return -Errno.EACCES;
        if (subject.IsGone)
            return -Errno.ESRCH;
        file = ProcStorage.Create(this, new Opened(this, flags, subject.Process.Memory, isPageMap), flags);
        return file == null ? -Errno.ENFILE : 0;
    }

    // It is the memory of the time of opening: after execve nothing can be read.
    private sealed unsafe class Opened(MemoryFile file, int flags, ProcessMemory memory, bool isPageMap) : ProcOpenFile(file, flags)
    {
        private const int Word = sizeof(ulong);

        private readonly Lock _gate = new();
        private ulong _position;

        public override long Read(int hostFd, byte* to, ulong length, long offset) => Move(to, length, offset, false);

        public override long Write(in Asker who, byte* from, ulong length, long offset) =>
            isPageMap ? -Errno.EINVAL : Move(from, length, offset, true);

        // Addresses are unsigned: a negative offset is a high address.
        public override long Seek(int hostFd, long offset, int whence)
        {
            lock (_gate)
            {
                switch (whence)
                {
                    case 0:
                        _position = (ulong)offset;
                        break;
                    case 1:
                        _position += (ulong)offset;
                        break;
                    default:
                        return -Errno.EINVAL;
                }

                return (long)_position;
            }
        }

        private long Move(byte* buffer, ulong length, long offset, bool write)
        {
            lock (_gate)
            {
                var at = offset == Current ? _position : (ulong)offset;
                if (length == 0)
                    return 0;
                if (!memory.TryAddUser())
                    return 0;
                try
                {
                    var done = isPageMap ? Pages(buffer, at, length) : memory.Transfer(at, buffer, length, write);
                    if (done > 0 && offset == Current)
                        _position = at + (ulong)done;
                    return done;
                }
                finally
                {
                    memory.RemoveUser();
                }
            }
        }

        private long Pages(byte* buffer, ulong at, ulong length)
        {
            if (at % Word != 0 || length % Word != 0)
                return -Errno.EINVAL;
            var end = memory.Space.Is32Bit ? (1UL << 32) / 4096 * Word : (1UL << 47) / 4096 * Word;
            if (at >= end)
                return 0;
            length = Math.Min(length, end - at);
            new Span<byte>(buffer, (int)length).Clear();
            return (long)length;
        }
    }
}
