using DynaTrans.Linux.Host;
using DynaTrans.Linux.Memory;

namespace DynaTrans.Linux.Loading;

/// <summary>
/// Writes the initial stack of a program (System V ABI, process initialisation): strings at the top, below them the auxiliary vector,
/// the environment, the arguments and their count.
/// </summary>
internal sealed class StackBuilder(UserMemory memory, bool is32, ulong top, ulong bottom)
{
    // Between the strings and the vectors. Linux leaves a random gap of up to this size here (arch_align_stack). It keeps the first frames
    // out of the stack's last page, where every access needs a longer check.
    private const ulong StackGap = 8192;

    private readonly List<(ulong Type, ulong Value)> _auxiliary = [];
    private ulong _sp = top;

    /// <summary>Bytes of the auxiliary vector, after <see cref="Finish"/>.</summary>
    public byte[] AuxiliaryBytes { get; private set; } = [];

    /// <summary>Puts a string (one char per byte) and its terminating zero on the stack and gives its address.</summary>
    public ulong PushString(string text)
    {
        var bytes = new byte[text.Length + 1];
        HostCalls.ToBytes(text, bytes);
        return PushBytes(bytes);
    }

    /// <summary>Puts bytes on the stack and gives their address.</summary>
    public ulong PushBytes(ReadOnlySpan<byte> bytes)
    {
        Reserve((uint)bytes.Length);
        Write(_sp, bytes);
        return _sp;
    }

    /// <summary>Aligns the stack pointer downwards.</summary>
    public void Align(ulong alignment) => _sp &= ~(alignment - 1);

    /// <summary>Adds an entry to the auxiliary vector.</summary>
    public void Auxiliary(ulong type, ulong value) => _auxiliary.Add((type, value));

    /// <summary>Writes vectors and count and gives the stack pointer to start with.</summary>
    public ulong Finish(IReadOnlyList<ulong> arguments, IReadOnlyList<ulong> environment)
    {
        var word = is32 ? 4 : 8;
        var words = new List<ulong> { (ulong)arguments.Count };
        words.AddRange(arguments);
        words.Add(0);
        words.AddRange(environment);
        words.Add(0);
        var beforeAuxiliary = words.Count;
        foreach (var (type, value) in _auxiliary)
        {
            words.Add(type);
            words.Add(value);
        }

        words.Add(0);
        words.Add(0);
        Reserve(StackGap);
        Reserve((ulong)(words.Count * word));
        _sp &= ~15UL;
        if (_sp < bottom)
            throw new LoadException("arguments and environment are too long", Errno.E2BIG);
        var bytes = new byte[words.Count * word];
        for (var i = 0; i < words.Count; i++)
        {
            if (is32)
                BitConverter.TryWriteBytes(bytes.AsSpan(i * word), (uint)words[i]);
            else
                BitConverter.TryWriteBytes(bytes.AsSpan(i * word), words[i]);
        }

        Write(_sp, bytes);
        AuxiliaryBytes = bytes[(beforeAuxiliary * word)..];
        return _sp;
    }

    private void Reserve(ulong bytes)
    {
        if (_sp < bottom || bytes > _sp - bottom)
            throw new LoadException("arguments and environment are too long", Errno.E2BIG);
        _sp -= bytes;
    }

    private void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        if (!memory.TryWrite(address, bytes))
            throw new LoadException("the stack cannot be written", Errno.EFAULT);
    }
}
