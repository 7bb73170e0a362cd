using System.Buffers.Binary;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Signals;
using DynaTrans.Linux.Syscalls;

namespace DynaTrans.Linux.Files;

/// <summary>
/// A signalfd: signals of the set are taken by read instead of a handler. Behind it is an eventfd of the host, which is readable while a
/// signal of the set may wait, so that poll and epoll work. A reader takes the signals of its own process.
/// </summary>
internal sealed unsafe class SignalDescriptor : IReadable, IDisposable
{
    private const int RecordSize = 128;
    private readonly LinuxKernel _kernel;
    private readonly int _hostFd;
    private ulong _set;
    private GuestProcess? _watcher;
    private bool _isReady;

    /// <summary>Makes one and tells the kernel about it.</summary>
    public SignalDescriptor(LinuxKernel kernel, int hostFd)
    {
        _kernel = kernel;
        _hostFd = hostFd;
        lock (kernel.Gate)
            kernel.SignalDescriptors.Add(this);
    }

    /// <summary>Changes the set.</summary>
    public void Change(GuestProcess process, ulong set)
    {
        lock (_kernel.Gate)
        {
            _set = set;
            Watch(process);
        }
    }

    /// <summary>
    /// A process asks whether it is readable, now or (epoll) later: that depends on who asks. The host's descriptor follows the last one.
    /// </summary>
    public void Watch(GuestProcess process)
    {
        lock (_kernel.Gate)
        {
            _watcher = process;
            Refresh(process);
        }
    }

    /// <summary>Signals of a process came, were taken or forgotten. Under the kernel's gate.</summary>
    public void Refresh(GuestProcess process)
    {
        if (process != _watcher)
            return;
        var pending = process.Pending.Set;
        foreach (var thread in process.Threads)
            pending |= thread.Pending.Set;
        var ready = (pending & _set) != 0;
        if (ready == _isReady)
            return;
        _isReady = ready;
        ulong count = 1;
        HostCalls.Call(ready ? HostSys.Write : HostSys.Read, _hostFd, (nint)(&count), sizeof(ulong));
    }

    /// <inheritdoc/>
    public long Read(in SyscallContext c, ulong address, ulong length, bool nonBlocking)
    {
        if (length < RecordSize)
            return -Errno.EINVAL;
        while (true)
        {
            var done = Take(c, address, length);
            if (done != 0)
                return done;
            if (nonBlocking)
                return -Errno.EAGAIN;
            var wait = 1UL << 32 | (uint)_hostFd;
            var result = c.Blocking(HostSys.Ppoll, (nint)(&wait), 1, 0, 0, 8);
            if (result < 0)
                return result;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_kernel.Gate)
            _kernel.SignalDescriptors.Remove(this);
    }

    // Records taken, 0 when none waits.
    private long Take(in SyscallContext c, ulong address, ulong length)
    {
        Span<byte> record = stackalloc byte[RecordSize];
        lock (_kernel.Gate)
        {
            Watch(c.Process);
            ulong done = 0;
            while (done + RecordSize <= length && c.Process.TryTake(c.Thread, _set, out var info))
            {
                Write(info, record);
                if (!c.Memory.TryWrite(address + done, record))
                    return done == 0 ? -Errno.EFAULT : (long)done;
                done += RecordSize;
            }

            return (long)done;
        }
    }

    // struct signalfd_siginfo.
    private static void Write(in SignalInfo info, Span<byte> record)
    {
        record.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(record, info.Number);
        BinaryPrimitives.WriteInt32LittleEndian(record[4..], info.Error);
        BinaryPrimitives.WriteInt32LittleEndian(record[8..], info.Code);
        switch (info.Kind)
        {
            case SignalInfoKind.Fault:
                BinaryPrimitives.WriteUInt64LittleEndian(record[72..], info.Value);
                return;
            case SignalInfoKind.Timer:
                BinaryPrimitives.WriteInt32LittleEndian(record[24..], info.Pid);
                BinaryPrimitives.WriteUInt32LittleEndian(record[32..], info.User);
                break;
            case SignalInfoKind.Poll:
                BinaryPrimitives.WriteInt32LittleEndian(record[20..], info.Status);
                BinaryPrimitives.WriteInt32LittleEndian(record[28..], (int)info.Value);
                return;
            default:
                BinaryPrimitives.WriteInt32LittleEndian(record[12..], info.Pid);
                BinaryPrimitives.WriteUInt32LittleEndian(record[16..], info.User);
                BinaryPrimitives.WriteInt32LittleEndian(record[40..], info.Status);
                BinaryPrimitives.WriteInt64LittleEndian(record[56..], info.UserTime);
                BinaryPrimitives.WriteInt64LittleEndian(record[64..], info.SystemTime);
                break;
        }

        BinaryPrimitives.WriteInt32LittleEndian(record[44..], (int)info.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(record[48..], info.Value);
    }
}
