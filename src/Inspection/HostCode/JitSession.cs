using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace DynaTrans.Inspection.HostCode;

/// <summary>What the runtime said about a compiled method.</summary>
/// <param name="Address">Address of the host code.</param>
/// <param name="Size">Its size in bytes.</param>
/// <param name="Map">Pairs of (native offset, IL offset), by native offset; IL offsets below 0 are prologue, epilogue, and code without a place.</param>
public sealed record JittedMethod(ulong Address, int Size, IReadOnlyList<(int Native, int Il)> Map);

/// <summary>
/// Listens to what RyuJIT compiles in this process: address, size and the map from IL to native offsets of each method. The map does not
/// come through an EventListener (which drops arrays), so this opens an EventPipe session on the process's own diagnostic socket
/// (dotnet/diagnostics, documentation/design-docs/ipc-protocol.md).
/// </summary>
public sealed class JitSession : IDisposable
{
    private const string Provider = "Microsoft-Windows-DotNETRuntime";
    private const ulong JitKeywords = 0x10 | 0x20000; // methods as they are compiled, and their maps
    private const uint Verbose = 5;
    private const int BufferMegabytes = 64;
    private const int MethodLoadVerbose = 143;
    private const int MethodIlToNativeMap = 190;
    private const int HeaderSize = 20;
    private const byte EventPipeCommands = 2;

    // Connections that wait for a command: one to start a session, one to end it.
    private static Socket[] s_connections = [];

    private readonly Socket _control;
    private readonly ulong _session;
    private readonly Socket _socket;
    private readonly MemoryStream _data = new();
    private readonly Thread _reader;

    private JitSession(Socket control, Socket socket, ulong session)
    {
        (_control, _socket, _session) = (control, socket, session);
        _reader = new Thread(ReadAll) { IsBackground = true, Name = "jit session" };
        _reader.Start();
    }

    /// <summary>
    /// Connects to the diagnostic socket now, for a session that starts later, when the socket has no name any more: before a guest runs
    /// its name is removed, so that no guest can connect. Without a socket nothing happens.
    /// </summary>
    public static void Connect()
    {
        if (s_connections.Length > 0)
            return;
        var directory = Environment.GetEnvironmentVariable("TMPDIR") is { Length: > 0 } set ? set : "/tmp";
        try
        {
            var path = Directory.EnumerateFiles(directory, $"dotnet-diagnostic-{Environment.ProcessId}-*-socket").FirstOrDefault();
            if (path != null)
                s_connections = [Open(path), Open(path)];
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException)
        {
            // The caller does without a session.
        }
    }

    /// <summary>Starts listening; null when the process has no diagnostic socket (DOTNET_EnableDiagnostics=0, or its name was removed).</summary>
    public static JitSession? TryStart()
    {
        try
        {
            Connect();
            if (s_connections is not [var socket, var control])
                return null;
            s_connections = [];
            using var payload = new MemoryStream();
            using var writer = new BinaryWriter(payload, Encoding.Unicode);
            writer.Write(BufferMegabytes);
            writer.Write(1); // the format: nettrace
            writer.Write(false); // no rundown of all methods at the end
            writer.Write(1); // providers
            writer.Write(JitKeywords);
            writer.Write(Verbose);
            writer.Write(Provider.Length + 1);
            writer.Write((Provider + '\0').ToCharArray());
            writer.Write(0); // no filter
            if (TrySend(socket, 3, payload.ToArray(), out var session))
                return new JitSession(control, socket, session);
            control.Dispose();
            return null;
        }
        catch (SocketException)
        {
            return null;
        }
    }

    /// <summary>Ends listening. Returns the methods by the value of their RuntimeMethodHandle.</summary>
    public IReadOnlyDictionary<ulong, JittedMethod> Stop()
    {
        TrySend(_control, 1, BitConverter.GetBytes(_session), out _);
        _reader.Join();
        var code = new Dictionary<ulong, (ulong Address, int Size)>();
        var maps = new Dictionary<ulong, List<(int, int)>>();
        var events = new NettraceReader(_data.ToArray());
        events.Read(Provider, (id, payload) =>
        {
            if (id == MethodLoadVerbose && payload.Length >= 28)
                code[U64(payload, 0)] = (U64(payload, 16), (int)BinaryPrimitives.ReadUInt32LittleEndian(payload[24..]));
            else if (id == MethodIlToNativeMap && payload.Length >= 19)
                maps[U64(payload, 0)] = ReadMap(payload);
        });
        return code.ToDictionary(
            pair => pair.Key,
            pair => new JittedMethod(pair.Value.Address, pair.Value.Size, maps.GetValueOrDefault(pair.Key) ?? []));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Dispose();
        _control.Dispose();
        _data.Dispose();
    }

    private static ulong U64(ReadOnlySpan<byte> data, int at) => BinaryPrimitives.ReadUInt64LittleEndian(data[at..]);

    // MethodID, ReJITID (8 bytes each), extent (1), count (2), IL offsets, native offsets (4 bytes each).
    private static List<(int Native, int Il)> ReadMap(ReadOnlySpan<byte> payload)
    {
        var count = BinaryPrimitives.ReadUInt16LittleEndian(payload[17..]);
        var map = new List<(int Native, int Il)>(count);
        if (payload.Length < 19 + (count * 8))
            return map;
        for (var i = 0; i < count; i++)
        {
            var il = BinaryPrimitives.ReadInt32LittleEndian(payload[(19 + (i * 4))..]);
            var native = BinaryPrimitives.ReadInt32LittleEndian(payload[(19 + ((count + i) * 4))..]);
            map.Add((native, il));
        }

        map.Sort((a, b) => a.Native.CompareTo(b.Native));
        return map;
    }

    private static Socket Open(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        return socket;
    }

    // Sends a command of the EventPipe set and reads the answer. False: it was refused, and the connection is closed.
    private static bool TrySend(Socket socket, byte command, byte[] payload, out ulong answer)
    {
        var message = new byte[HeaderSize + payload.Length];
        "DOTNET_IPC_V1\0"u8.CopyTo(message);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(14), (ushort)message.Length);
        message[16] = EventPipeCommands;
        message[17] = command;
        payload.CopyTo(message.AsSpan(HeaderSize));
        answer = 0;
        var reply = new byte[HeaderSize + 8];
        socket.Send(message);
        var got = 0;
        while (got < reply.Length)
        {
            var n = socket.Receive(reply.AsSpan(got));
            if (n == 0)
                break;
            got += n;
        }

        const byte ok = 0;
        if (got < reply.Length || reply[17] != ok)
        {
            socket.Dispose();
            return false;
        }

        answer = BinaryPrimitives.ReadUInt64LittleEndian(reply.AsSpan(HeaderSize));
        return true;
    }

    private void ReadAll()
    {
        var buffer = new byte[1 << 16];
        try
        {
            while (_socket.Receive(buffer) is var n and > 0)
                _data.Write(buffer, 0, n);
        }
        catch (SocketException)
        {
            // The events so far are all there will be.
        }
    }
}
