using System.Globalization;
using System.Net;
using DynaTrans.Pc;
using DynaTrans.Pc.Consoles;

namespace DynaTrans.Cli.Commands;

/// <summary>Makes what the machine's lines lead to on the host, as the options of <c>boot</c> name it. It is closed with this.</summary>
internal sealed class BootConsoles : IDisposable
{
    private const int SerialPorts = 4;

    private readonly List<Channel> _channels = [];
    private readonly List<SocketChannel> _sockets = [];
    private bool _hasStandardStreams;

    /// <summary>The user has asked for the end, or wants to send a break on the terminal's line. Called on any thread.</summary>
    public Action? Quit { get; set; }

    /// <summary>See <see cref="Quit"/>.</summary>
    public Action? Break { get; set; }

    /// <summary>The far ends of the serial ports; without an option standard input and output are that of the first.</summary>
    /// <exception cref="CommandException">An option is malformed.</exception>
    /// <exception cref="BootException">A file or socket cannot be used.</exception>
    public List<Channel?> Serial(string[] options)
    {
        if (options.Length > SerialPorts)
            throw new CommandException(ExitStatus.Usage, $"--serial: a machine has {SerialPorts} serial ports");
        return [.. (options.Length == 0 ? ["stdio"] : options).Select(Serial)];
    }

    /// <summary>What a debug console writes to.</summary>
    /// <exception cref="BootException">The file cannot be used.</exception>
    public Channel Output(string file) => Add(file == "-" ? new FileChannel("/dev/stderr") : new FileChannel(file));

    /// <summary>Waits until the sockets have their peers, and says where they listen.</summary>
    public void AwaitPeers()
    {
        foreach (var socket in _sockets)
        {
            Console.Error.WriteLine($"dynatrans: waiting for a connection to {Describe(socket.Address)}");
            socket.AwaitPeer();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var channel in _channels)
            channel.Dispose();
    }

    private Channel? Serial(string where)
    {
        var colon = where.IndexOf(':', StringComparison.Ordinal);
        var (kind, rest) = colon < 0 ? (where, string.Empty) : (where[..colon], where[(colon + 1)..]);
        switch (kind)
        {
            case "none" or "null" when colon < 0:
                return null;
            case "stdio" when colon < 0:
                if (_hasStandardStreams)
                    throw new CommandException(ExitStatus.Usage, "--serial stdio: only one port can have it");
                _hasStandardStreams = true;
                return Add(new StandardChannel(() => Quit?.Invoke(), () => Break?.Invoke()));
            case "tcp":
                if (!ushort.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out var port))
                    throw new CommandException(ExitStatus.Usage, $"--serial {where}: tcp:PORT is expected");
                return Add(SocketChannel.Tcp(port));
            case "unix" when rest.Length > 0:
                return Add(SocketChannel.Unix(rest));
            case "file" when rest.Length > 0:
                return Add(new FileChannel(rest));
            default:
                return where.Length > 0
                    ? Add(new FileChannel(where))
                    : throw new CommandException(ExitStatus.Usage, "--serial: stdio, FILE, tcp:PORT, unix:PATH or none is expected");
        }
    }

    private T Add<T>(T channel)
        where T : Channel
    {
        _channels.Add(channel);
        if (channel is SocketChannel socket)
            _sockets.Add(socket);
        return channel;
    }

    private static string Describe(EndPoint address) => address is IPEndPoint ip ? $"tcp:{ip.Port}" : $"unix:{address}";
}
