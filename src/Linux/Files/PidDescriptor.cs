using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Files;

/// <summary>
/// What a pidfd hangs on to: a guest process. Its host file is an epoll instance, which like a pidfd can be neither read nor written, and is
/// readable for poll while what it watches is: from the end of the process on that is a file which is always readable.
/// </summary>
internal sealed unsafe class PidDescriptor : IDisposable
{
    private static readonly Lazy<int> s_ready = new(static () => (int)HostCalls.Call(HostSys.Eventfd2, 1, OpenFlags.CloseOnExec));
    private readonly int _hostFd;

    private PidDescriptor(GuestProcess process, int hostFd)
    {
        Process = process;
        _hostFd = hostFd;
    }

    /// <summary>The process, which may have ended.</summary>
    public GuestProcess Process { get; }

    /// <summary>True after it was waited for.</summary>
    public bool IsGone => Process.Kernel.FindProcess(Process.Pid) != Process;

    /// <summary>Makes an open file for a process.</summary>
    /// <param name="process">The process.</param>
    /// <param name="nonBlocking">PIDFD_NONBLOCK.</param>
    /// <param name="file">The file, with one reference.</param>
    /// <returns>0, or -ENFILE when the host has no room for another file.</returns>
    public static long Open(GuestProcess process, bool nonBlocking, out OpenFile? file)
    {
        const int SetStatus = 4;
        file = null;
        if (s_ready.Value < 0)
            return -Errno.ENFILE;
        var hostFd = (int)HostCalls.Call(HostSys.EpollCreate1, OpenFlags.CloseOnExec);
        if (hostFd < 0)
            return hostFd == -Errno.EMFILE ? -Errno.ENFILE : hostFd;
        if (nonBlocking)
            HostCalls.Call(HostSys.Fcntl, hostFd, SetStatus, OpenFlags.NonBlocking);
        var descriptor = new PidDescriptor(process, hostFd);
        file = new OpenFile(hostFd) { Tag = descriptor, Path = "anon_inode:[pidfd]" };
        lock (process.Kernel.Gate)
        {
            process.PidDescriptors.Add(descriptor);
            if (process.HasEnded)
                descriptor.TellEnd();
        }

        return 0;
    }

    /// <summary>The process has ended: the file is readable from now on. Under the kernel's gate.</summary>
    public void TellEnd()
    {
        const int Add = 1;
        var readable = stackalloc uint[3] { 1, 0, 0 };
        HostCalls.Call(HostSys.EpollCtl, _hostFd, Add, s_ready.Value, (nint)readable);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (Process.Kernel.Gate)
            Process.PidDescriptors.Remove(this);
    }
}
