using System.Text;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>What reading a generated file gives: bytes, or an error.</summary>
/// <param name="Bytes">The bytes.</param>
/// <param name="Error">A positive error number, or 0.</param>
internal readonly record struct Contents(byte[] Bytes, int Error)
{
    /// <summary>Text, one char per byte.</summary>
    public static implicit operator Contents(string text) => new(HostCalls.Path(text)[..^1], 0);

    /// <summary>Bytes.</summary>
    public static implicit operator Contents(byte[] bytes) => new(bytes, 0);

    /// <summary>Reading fails.</summary>
    public static Contents Fails(int error) => new([], error);
}

/// <summary>Takes what was written to a file; a positive error number, or 0.</summary>
internal delegate int Setting(in Asker who, ProcSubject subject, string text);

/// <summary>One file of a process's directory.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Rights">Permission bits.</param>
/// <param name="Make">Makes its contents when it is read from the beginning.</param>
internal sealed record GeneratedEntry(string Name, uint Rights, Func<ProcSubject, Contents> Make)
{
    /// <summary>Serves writing; null: EINVAL.</summary>
    public Setting? Set { get; init; }

    /// <summary>True when only those may read it who may inspect the process (as ptrace(2) says).</summary>
    public bool IsGuarded { get; init; }

    /// <summary>True when threads' directories have it too.</summary>
    public bool OfThreads { get; init; } = true;

    /// <summary>False when only the threads' directories have it.</summary>
    public bool OfProcesses { get; init; } = true;
}

/// <summary>A file whose contents are made from the state of a guest process.</summary>
internal sealed class GeneratedFile(ProcDirectory parent, GeneratedEntry entry, ProcSubject subject) : ProcNode(parent.Kernel, parent, entry.Name)
{
    /// <inheritdoc/>
    public override uint Mode => FileType | entry.Rights;

    /// <inheritdoc/>
    protected override long OpenAllowed(in Asker who, int flags, out OpenFile? file)
    {
        file = null;
        if (entry.IsGuarded && !subject.MayBeInspectedBy(who))
            return -Errno.EACCES;
        if (subject.IsGone)
            return -Errno.ESRCH;
        file = ProcStorage.Create(this, new Opened(this, flags), flags);
        return file == null ? -Errno.ENFILE : 0;
    }

    // As the kernel's seq_file: made at the first read and at each read from the beginning.
    private sealed unsafe class Opened(GeneratedFile file, int flags) : ProcOpenFile(file, flags)
    {
        public override long Read(int hostFd, byte* to, ulong length, long offset)
        {
            var from = offset == Current ? HostCalls.Call(HostSys.Lseek, hostFd, 0, 1) : offset;
            if (from == 0 || !_made)
            {
                var contents = file.Contents();
                if (contents.Error != 0)
                    return -contents.Error;
                ProcStorage.Replace(hostFd, contents.Bytes);
                _made = true;
            }

            return offset == Current
                ? HostCalls.Call(HostSys.Read, hostFd, (nint)to, (long)length)
                : HostCalls.Call(HostSys.Pread64, hostFd, (nint)to, (long)length, offset);
        }

        public override long Write(in Asker who, byte* from, ulong length, long offset)
        {
            const int MaxText = 4096;
            var text = Encoding.Latin1.GetString(from, (int)Math.Min(length, MaxText));
            var error = file.Set(who, text);
            return error != 0 ? -error : (long)length;
        }

        private bool _made;
    }

    private Contents Contents() => subject.IsGone ? Proc.Contents.Fails(Errno.ESRCH) : entry.Make(subject);

    private int Set(in Asker who, string text) =>
        subject.IsGone ? Errno.ESRCH : entry.Set == null ? Errno.EINVAL : entry.Set(who, subject, text);
}
