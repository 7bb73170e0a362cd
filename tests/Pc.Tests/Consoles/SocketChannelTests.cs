using System.Net;
using System.Net.Sockets;
using System.Text;
using DynaTrans.Pc.Consoles;

namespace DynaTrans.Pc.Tests.Consoles;

/// <summary>A serial line whose far end is a socket.</summary>
public sealed class SocketChannelTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    [Fact]
    public void BytesGoBothWays()
    {
        using var channel = SocketChannel.Tcp(0);
        using var peer = Connect(channel);
        using var received = new BlockingBytes();
        channel.Start(received.Add);
        channel.Write("from the guest"u8);
        Assert.Equal("from the guest", Read(peer, 14));
        peer.Send("to the guest"u8);
        Assert.Equal("to the guest", received.Take(12));
    }

    // The end is no reset of the connection: with that, what the peer has not read yet would be lost.
    [Fact]
    public async Task ThePeerGetsAllAndThenTheEnd()
    {
        var channel = SocketChannel.Tcp(0);
        using var peer = Connect(channel);
        channel.Start(_ => { });
        var much = new byte[1 << 20];
        new Random(1).NextBytes(much);
        var reading = Task.Run(() =>
        {
            using var all = new MemoryStream();
            new NetworkStream(peer).CopyTo(all);
            return all.ToArray();
        });
        channel.Write(much);
        channel.Dispose();
        Assert.Equal(much, await reading.WaitAsync(s_patience));
    }

    [Fact]
    public void WhenAPeerHasGoneTheNextMayCome()
    {
        using var channel = SocketChannel.Tcp(0);
        using var received = new BlockingBytes();
        using (var first = Connect(channel))
        {
            channel.Start(received.Add);
            first.Send("1"u8);
            Assert.Equal("1", received.Take(1));
        }

        using var second = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        second.Connect(channel.Address);
        second.Send("2"u8);
        Assert.Equal("2", received.Take(1));
        channel.Write("3"u8);
        Assert.Equal("3", Read(second, 1));
    }

    // Nobody is at the end of the line.
    [Fact]
    public void WithoutAPeerOutputIsLost()
    {
        using var channel = SocketChannel.Tcp(0);
        channel.Write("lost"u8);
        using var peer = Connect(channel);
        channel.Write("kept"u8);
        Assert.Equal("kept", Read(peer, 4));
    }

    // A guest that does not read does not keep the machine from ending.
    [Fact]
    public async Task TheEndDoesNotWaitForAReceiver()
    {
        var channel = SocketChannel.Tcp(0);
        using var peer = Connect(channel);
        using var entered = new ManualResetEventSlim();
        using var free = new ManualResetEventSlim();
        channel.Start(_ =>
        {
            entered.Set();
            free.Wait(s_patience);
        });
        peer.Send("x"u8);
        Assert.True(entered.Wait(s_patience));
        await Task.Run(channel.Dispose).WaitAsync(s_patience / 2);
        Assert.Equal(0, peer.Receive(new byte[1]));
        free.Set();
    }

    [Fact]
    public void APortIsListenedOnOnce()
    {
        using var channel = SocketChannel.Tcp(0);
        var port = ((IPEndPoint)channel.Address).Port;
        Assert.Contains($"tcp:{port}", Assert.Throws<BootException>(() => SocketChannel.Tcp(port)).Message);
    }

    [Fact]
    public void AFolderThatIsMissingIsNamed() =>
        Assert.Contains("no such folder", Assert.Throws<BootException>(() => SocketChannel.Unix("/nowhere/socket")).Message);

    private static Socket Connect(SocketChannel channel)
    {
        var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = (int)s_patience.TotalMilliseconds };
        peer.Connect(channel.Address);
        channel.AwaitPeer();
        return peer;
    }

    private static string Read(Socket peer, int count)
    {
        var bytes = new byte[count];
        for (var done = 0; done < count;)
            done += peer.Receive(bytes.AsSpan(done)) is var more and > 0 ? more : throw new EndOfStreamException();
        return Encoding.ASCII.GetString(bytes);
    }

    /// <summary>What a channel has received.</summary>
    private sealed class BlockingBytes : IDisposable
    {
        private readonly System.Collections.Concurrent.BlockingCollection<byte> _bytes = [];

        public void Add(ReadOnlySpan<byte> bytes)
        {
            foreach (var b in bytes)
                _bytes.Add(b);
        }

        public string Take(int count)
        {
            var text = new StringBuilder();
            for (var i = 0; i < count; i++)
                text.Append(_bytes.TryTake(out var b, s_patience) ? (char)b : throw new TimeoutException());
            return text.ToString();
        }

        public void Dispose() => _bytes.Dispose();
    }
}
