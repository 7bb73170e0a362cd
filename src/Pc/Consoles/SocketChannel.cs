using System.Net;
using System.Net.Sockets;

namespace DynaTrans.Pc.Consoles;

/// <summary>
/// A socket that listens, of TCP on this host only or of the Unix domain. One peer at a time; when it has gone the next may come. The machine starts
/// when the first is there, so that no output is lost.
/// </summary>
public sealed class SocketChannel : Channel
{
    // Milliseconds for the reader to notice the end. It may wait for a guest that does not read, in vain now.
    private const int EndPatience = 200;

    private readonly Socket _listener;
    private readonly string? _path;
    private volatile Socket? _peer;
    private volatile bool _isClosed;
    private Thread? _reader;

    // Held while the peer's socket is closed or shut down.
    private readonly Lock _closing = new();

    private SocketChannel(AddressFamily family, EndPoint where, string name, string? path)
    {
        _path = path;
        _listener = new Socket(family, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            _listener.Bind(where);
            _listener.Listen(1);
        }
        catch (SocketException e)
        {
            _listener.Dispose();
            throw new BootException($"{name}: {e.Message}");
        }
    }

    /// <summary>Where it listens.</summary>
    public EndPoint Address => _listener.LocalEndPoint!;

    /// <summary>Listens on a TCP port of this host; 0 takes any that is free.</summary>
    /// <exception cref="BootException">The port is taken.</exception>
    public static SocketChannel Tcp(int port) =>
        new(AddressFamily.InterNetwork, new IPEndPoint(IPAddress.Loopback, port), $"tcp:{port}", null);

    /// <summary>Listens on a Unix-domain socket. A socket that an earlier run left is replaced.</summary>
    /// <exception cref="BootException">The path cannot be used.</exception>
    public static SocketChannel Unix(string path)
    {
        // Binding says that the address cannot be assigned.
        if (Path.GetDirectoryName(path) is { Length: > 0 } folder && !Directory.Exists(folder))
            throw new BootException($"unix:{path}: no such folder");
        try
        {
            if (File.Exists(path) && (File.GetAttributes(path) & FileAttributes.Directory) == 0 && !IsAnswered(path))
                File.Delete(path);
            return new SocketChannel(AddressFamily.Unix, new UnixDomainSocketEndPoint(path), $"unix:{path}", path);
        }
        catch (Exception e) when (e is ArgumentException or IOException or UnauthorizedAccessException)
        {
            throw new BootException($"unix:{path}: {e.Message}");
        }
    }

    /// <summary>Waits for the first peer.</summary>
    public void AwaitPeer() => _peer = _listener.Accept();

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            while (!bytes.IsEmpty && _peer is { } peer)
                bytes = bytes[peer.Send(bytes)..];
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The reader finds out, too, and waits for the next peer.
        }
    }

    /// <inheritdoc/>
    public override void Start(ByteReceiver receive) => _reader = StartReader("serial socket", () =>
    {
        var buffer = new byte[4096];
        while (!_isClosed)
        {
            try
            {
                _peer ??= _listener.Accept();
                for (int count; !_isClosed && (count = _peer.Receive(buffer)) > 0;)
                    receive(buffer.AsSpan(0, count));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Reset by the peer, or the machine has ended.
            }

            lock (_closing)
            {
                _peer?.Dispose();
                _peer = null;
            }
        }
    });

    // The reader is woken, and the peer sees the end. A socket that is closed while a thread is in a call of it resets the connection instead, and what the
    // peer has not got yet is lost.
    private void EndConnection()
    {
        lock (_closing)
        {
            try
            {
                _peer?.Shutdown(SocketShutdown.Both);
            }
            catch (SocketException)
            {
                // It has gone already.
            }
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _isClosed = true;
        _listener.Dispose();
        EndConnection();

        // One that is late closes the connection itself when it wakes.
        if (_reader?.Join(EndPatience) != false)
            _peer?.Dispose();
        if (_path == null)
            return;
        try
        {
            File.Delete(_path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Somebody else has it, or has removed it.
        }
    }

    // No file of a user is lost: only a socket nobody listens on is replaced.
    private static bool IsAnswered(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode != SocketError.ConnectionRefused || new FileInfo(path).Length > 0;
        }
    }
}
