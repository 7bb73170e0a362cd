namespace DynaTrans.Pc.Consoles;

/// <summary>
/// The other end of a serial line on the host: a terminal, a file, a socket. Output comes on the machine's thread; input is read by a thread of
/// its own and handed on.
/// </summary>
public abstract class Channel : IDisposable
{
    /// <summary>Sends bytes that the guest has written. What cannot be delivered is lost, as on a line with nobody at its end.</summary>
    public abstract void Write(ReadOnlySpan<byte> bytes);

    /// <summary>
    /// Begins to read. The receiver is called on another thread, with bytes that are only valid during the call; when it blocks nothing more is read, so that
    /// whoever writes waits.
    /// </summary>
    /// <param name="receive">Takes what has come.</param>
    public virtual void Start(ByteReceiver receive)
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes what is open on the host.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>Starts a thread that reads and does not keep the process alive.</summary>
    private protected static Thread StartReader(string name, Action read)
    {
        var reader = new Thread(() => read()) { IsBackground = true, Name = name };
        reader.Start();
        return reader;
    }
}

/// <summary>Takes bytes.</summary>
public delegate void ByteReceiver(ReadOnlySpan<byte> bytes);
