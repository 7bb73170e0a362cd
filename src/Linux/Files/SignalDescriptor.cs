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

    /// <summary>Makes one and tells the kernel about it.</summary>
    public SignalDescriptor(LinuxKernel kernel, int hostFd, ulong set)
    {
        _kernel = kernel;
        _hostFd = hostFd;
        Set = set;
        lock (kernel.Gate)
            kernel.SignalDescriptors.Add(this);
    }

    /// <summary>The signals. Under the kernel's gate.</summary>
    public ulong Set { get; private set; }

    /// <summary>Changes the set.</summary>
    public void Change(GuestThread thread, ulong set)
    {
        lock (_kernel.Gate)
        {
            Set = set;
            Arrived(thread.Pending.Set | thread.Process.Pending.Set);
        }
    }

    /// <summary>Signals were queued for some process. Under the kernel's gate.</summary>
    public void Arrived(ulong signals)
    {
        ulong one = 1;
        if ((signals & Set) != 0)
            HostCalls.Call(HostSys.Write, _hostFd, (nint)(&one), sizeof(ulong));
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
            Drain();
            ulong done = 0;
            while (done + RecordSize <= length)
            {
                if (!c.Thread.Pending.TryTake(Set, out var info) && !c.Process.Pending.TryTake(Set, out info))
                    break;
                Write(info, record);
                if (!c.Memory.TryWrite(address + done, record))
                    return done == 0 ? -Errno.EFAULT : (long)done;
                done += RecordSize;
            }

            Arrived(c.Thread.Pending.Set | c.Process.Pending.Set);
            return (long)done;
        }
    }

    // The counter to zero; it is looked at first, because the descriptor may be a blocking one.
    private void Drain()
    {
        var poll = 1UL << 32 | (uint)_hostFd;
        var now = stackalloc long[2] { 0, 0 };
        ulong count;
        if (HostCalls.Call(HostSys.Ppoll, (nint)(&poll), 1, (nint)now, 0, 8) > 0)
            HostCalls.Call(HostSys.Read, _hostFd, (nint)(&count), sizeof(ulong));
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
