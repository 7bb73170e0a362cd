using System.Buffers.Binary;
using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Signals;

/// <summary>Which of the fields of a <c>siginfo</c> are in use.</summary>
public enum SignalInfoKind
{
    /// <summary>Sender's process and user (kill), and a value (sigqueue).</summary>
    Sender,

    /// <summary>A fault's address.</summary>
    Fault,

    /// <summary>A child's process, user, status and times.</summary>
    Child,

    /// <summary>A timer's number, overrun count and value.</summary>
    Timer,

    /// <summary>The band and descriptor of signal-driven input and output, in <see cref="SignalInfo.Value"/> and <see cref="SignalInfo.Status"/>.</summary>
    Poll,
}

/// <summary>What is known about a signal: <c>siginfo_t</c> without its layout.</summary>
public readonly record struct SignalInfo
{
    /// <summary>SI_USER: kill.</summary>
    public const int FromUser = 0;

    /// <summary>SI_KERNEL.</summary>
    public const int FromKernel = 0x80;

    /// <summary>SI_QUEUE.</summary>
    public const int FromQueue = -1;

    /// <summary>SI_TIMER.</summary>
    public const int FromTimer = -2;

    /// <summary>SI_TKILL.</summary>
    public const int FromThread = -6;

    /// <summary>Bytes of a <c>siginfo_t</c> in both layouts.</summary>
    public const int Size = 128;

    /// <summary>Signal number.</summary>
    public int Number { get; init; }

    /// <summary>si_errno.</summary>
    public int Error { get; init; }

    /// <summary>si_code.</summary>
    public int Code { get; init; }

    /// <summary>Which fields below are in use.</summary>
    public SignalInfoKind Kind { get; init; }

    /// <summary>Sender, child, or timer number.</summary>
    public int Pid { get; init; }

    /// <summary>User of the sender or child; a timer's overrun count.</summary>
    public uint User { get; init; }

    /// <summary>Value of sigqueue or of a timer; address of a fault.</summary>
    public ulong Value { get; init; }

    /// <summary>Exit status or signal of a child; a descriptor.</summary>
    public int Status { get; init; }

    /// <summary>User time of a child in clock ticks.</summary>
    public long UserTime { get; init; }

    /// <summary>System time of a child in clock ticks.</summary>
    public long SystemTime { get; init; }

    /// <summary>The timer that sent it, or null.</summary>
    internal GuestTimer? Timer { get; init; }

    /// <summary>Which setting of the timer sent it.</summary>
    internal int TimerSetting { get; init; }

    /// <summary>On whose account it is queued, or null.</summary>
    internal QueuedSignals? Account { get; init; }

    /// <summary>A signal sent by kill or the like.</summary>
    public static SignalInfo Sent(int number, int code, int pid, uint user, ulong value = 0) =>
        new() { Number = number, Code = code, Kind = SignalInfoKind.Sender, Pid = pid, User = user, Value = value };

    /// <summary>A fault.</summary>
    public static SignalInfo Fault(int number, int code, ulong address) =>
        new() { Number = number, Code = code, Kind = SignalInfoKind.Fault, Value = address };

    /// <summary>Writes the 128 bytes of a <c>siginfo_t</c>.</summary>
    public void Write(Span<byte> to, bool is32)
    {
        to[..Size].Clear();
        BinaryPrimitives.WriteInt32LittleEndian(to, Number);
        BinaryPrimitives.WriteInt32LittleEndian(to[4..], Error);
        BinaryPrimitives.WriteInt32LittleEndian(to[8..], Code);
        var fields = to[(is32 ? 12 : 16)..];
        switch (Kind)
        {
            case SignalInfoKind.Fault:
                PutLong(fields, 0, Value, is32);
                break;
            case SignalInfoKind.Poll:
                PutLong(fields, 0, Value, is32);
                BinaryPrimitives.WriteInt32LittleEndian(fields[(is32 ? 4 : 8)..], Status);
                break;
            case SignalInfoKind.Child:
                BinaryPrimitives.WriteInt32LittleEndian(fields, Pid);
                BinaryPrimitives.WriteUInt32LittleEndian(fields[4..], User);
                BinaryPrimitives.WriteInt32LittleEndian(fields[8..], Status);
                PutLong(fields, is32 ? 12 : 16, (ulong)UserTime, is32);
                PutLong(fields, is32 ? 16 : 24, (ulong)SystemTime, is32);
                break;
            default:
                BinaryPrimitives.WriteInt32LittleEndian(fields, Pid);
                BinaryPrimitives.WriteUInt32LittleEndian(fields[4..], User);
                PutLong(fields, 8, Value, is32);
                break;
        }
    }

    /// <summary>Reads what rt_sigqueueinfo is given: sender and value.</summary>
    public static SignalInfo Read(ReadOnlySpan<byte> from, int number, bool is32)
    {
        var fields = from[(is32 ? 12 : 16)..];
        var info = Sent(
            number,
            BinaryPrimitives.ReadInt32LittleEndian(from[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(fields),
            BinaryPrimitives.ReadUInt32LittleEndian(fields[4..]),
            is32 ? BinaryPrimitives.ReadUInt32LittleEndian(fields[8..]) : BinaryPrimitives.ReadUInt64LittleEndian(fields[8..]));
        return info with { Error = BinaryPrimitives.ReadInt32LittleEndian(from[4..]) };
    }

    private static void PutLong(Span<byte> to, int offset, ulong value, bool is32)
    {
        if (is32)
            BinaryPrimitives.WriteUInt32LittleEndian(to[offset..], (uint)value);
        else
            BinaryPrimitives.WriteUInt64LittleEndian(to[offset..], value);
    }
}
