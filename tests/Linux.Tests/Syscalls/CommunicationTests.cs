using System.Text;
using DynaTrans.Linux.Signals;
using static DynaTrans.Linux.Errno;

namespace DynaTrans.Linux.Tests.Syscalls;

public class CommunicationTests
{
    private const ulong Buffer = TestGuest.Buffer;

    [Theory, InlineData(true), InlineData(false)]
    public void PipesAndPolling(bool is32)
    {
        using var g = new TestGuest(is32);
        Assert.Equal(0, g.Call("pipe", Buffer));
        var (reader, writer) = ((ulong)g.GetInt(Buffer), (ulong)g.GetInt(Buffer + 4));
        var fds = g.PutInts((int)reader, 1, 99, 1, -1, 1, (int)writer, 4);
        Assert.Equal(2, g.Call("poll", fds, 4, 0));
        Assert.Equal(0x20, g.GetInt(fds + 12) >> 16);
        Assert.Equal(4, g.GetInt(fds + 28) >> 16);
        Assert.Equal(3, g.Call("write", writer, g.Put("abc"), 3));
        var set = g.PutLongs(1UL << (int)reader);
        var time = g.PutLongs(1, 0);
        Assert.Equal(1, g.Call(is32 ? "_newselect" : "select", 2, set, 0, 0, time));
        Assert.Equal(1, g.GetInt(set) >> (int)reader);
        Assert.Equal(-EBADF, g.Call(is32 ? "_newselect" : "select", 60, g.PutLongs(1UL << 20, 1UL << 20), 0, 0, time));
        Assert.Equal(-EINVAL, g.Call("poll", fds, 1 << 24, 0));

        var epoll = (ulong)g.Call("epoll_create1", 0);
        Assert.Equal(0, g.Call("epoll_ctl", epoll, 1, reader, g.PutInts(1, 0x1234, 0x5678)));
        Assert.Equal(1, g.Call("epoll_wait", epoll, Buffer, 10, 0));
        Assert.Equal(0x1234, g.GetInt(Buffer + 4));
        Assert.Equal(3, g.Call("read", reader, Buffer, 100));
        Assert.Equal(0, g.Call("epoll_wait", epoll, Buffer, 10, 0));
        Assert.Equal(0, g.Call("close", writer));
        Assert.Equal(0, g.Call("ioctl", reader, 0x541B, Buffer));
        Assert.Equal(0, g.GetInt(Buffer));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void DescriptorsTravelThroughSockets(bool is32)
    {
        using var g = new TestGuest(is32);
        Assert.Equal(0, g.Call("socketpair", 1, 1, 0, Buffer));
        var (a, b) = ((ulong)g.GetInt(Buffer), (ulong)g.GetInt(Buffer + 4));
        File.WriteAllText(Path.Combine(g.Directory, "file"), "contents");
        var file = g.Open("file", 0);
        var header = is32 ? 12 : 16;
        var control = new byte[header + 4];
        BitConverter.TryWriteBytes(control, header + 4);
        BitConverter.TryWriteBytes(control.AsSpan(header - 8), 1);
        BitConverter.TryWriteBytes(control.AsSpan(header - 4), 1);
        BitConverter.TryWriteBytes(control.AsSpan(header), (int)file);
        var text = g.Put("x");
        var message = Message(g, g.PutLongs(text, 1), g.Put(control), (ulong)control.Length);
        Assert.Equal(1, g.Call("sendmsg", a, message, 0));

        message = Message(g, g.PutLongs(Buffer, 10), Buffer + 0x100, 64);
        Assert.Equal(1, g.Call("recvmsg", b, message, 0));
        var length = (int)(is32 ? (uint)g.GetInt(message + 20) : BitConverter.ToUInt64(g.Get(message + 40, 8)));
        Assert.Equal(is32 ? 16 : 24, length);
        var received = (ulong)g.GetInt(Buffer + 0x100 + (ulong)header);
        Assert.NotEqual((ulong)file, received);
        Assert.Equal(8, g.Call("read", received, Buffer, 100));
        Assert.Equal("contents", g.GetText(Buffer, 8));

        // No room for the descriptor: it is dropped, and the flags say so.
        message = Message(g, g.PutLongs(text, 1), g.Put(control), (ulong)control.Length);
        Assert.Equal(1, g.Call("sendmsg", a, message, 0));
        var open = g.Process.Files.Numbers().Length;
        message = Message(g, g.PutLongs(Buffer, 10), 0, 0);
        Assert.Equal(1, g.Call("recvmsg", b, message, 0));
        Assert.Equal(8, g.GetInt(message + (is32 ? 24UL : 48UL)) & 8);
        Assert.Equal(open, g.Process.Files.Numbers().Length);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void UnixSocketsAreNamedInTheGuestsDirectory(bool is32)
    {
        using var g = new TestGuest(is32);
        var server = (ulong)g.Call("socket", 1, 1, 0);
        var address = Encoding.Latin1.GetBytes("\u0001\0name\0");
        Assert.Equal(0, g.Call("bind", server, g.Put(address), (ulong)address.Length));
        Assert.True(File.Exists(Path.Combine(g.Directory, "name")));
        Assert.Equal(0x1ED, (int)File.GetUnixFileMode(Path.Combine(g.Directory, "name")));
        Assert.Equal(0, g.Call("listen", server, 5));
        var client = (ulong)g.Call("socket", 1, 1, 0);
        Assert.Equal(0, g.Call("connect", client, g.Put(address), (ulong)address.Length));
        var length = g.PutInts(100);
        var accepted = is32 ? g.Call("accept4", server, 0, 0, 0) : g.Call("accept", server, 0, 0);
        Assert.True(accepted > 0);
        Assert.Equal(0, g.Call("getsockname", server, Buffer, length));
        Assert.Equal(address.Length, g.GetInt(length));
        Assert.Equal(address, g.Get(Buffer, address.Length));
        Assert.Equal(2, g.Call("sendto", client, g.Put("hi"), 2, 0, 0, 0));
        Assert.Equal(2, g.Call("recvfrom", (ulong)accepted, Buffer, 10, 0, 0, 0));
        Assert.Equal("hi", g.GetText(Buffer, 2));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void SocketTimeouts(bool is32)
    {
        using var g = new TestGuest(is32);
        var socket = (ulong)g.Call("socket", 2, 2, 0);
        Assert.Equal(0, g.Call("setsockopt", socket, 1, 20, g.PutLongs(3, 500000), is32 ? 8u : 16u));
        var length = g.PutInts(16);
        Assert.Equal(0, g.Call("getsockopt", socket, 1, 20, Buffer, length));
        Assert.Equal(is32 ? 8 : 16, g.GetInt(length));
        Assert.Equal(3, g.GetInt(Buffer));
        Assert.Equal(-EFAULT, g.Call("getsockopt", socket, 1, 20, Buffer, TestGuest.BadAddress));
    }

    [Fact]
    public void SocketCallOfI386()
    {
        using var g = new TestGuest(true);
        Assert.Equal(0, g.Call("socketcall", 8, g.PutLongs(1, 1, 0, Buffer)));
        var (a, b) = (g.GetInt(Buffer), g.GetInt(Buffer + 4));
        Assert.Equal(5, g.Call("socketcall", 9, g.PutLongs((ulong)a, g.Put("bytes"), 5, 0)));
        Assert.Equal(5, g.Call("socketcall", 10, g.PutLongs((ulong)b, Buffer, 10, 0)));
        Assert.Equal("bytes", g.GetText(Buffer, 5));
        Assert.Equal(-EINVAL, g.Call("socketcall", 21, Buffer));
        Assert.Equal(-EFAULT, g.Call("socketcall", 8, TestGuest.BadAddress));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void UnknownIoctls(bool is32)
    {
        using var g = new TestGuest(is32);
        var fd = (ulong)g.Open("file", 0x42);
        Assert.Equal(-ENOTTY, g.Call("ioctl", fd, 0x12345678, Buffer));
        Assert.Equal(-ENOTTY, g.Call("ioctl", fd, 0x5401, Buffer));
        Assert.Equal(0, g.Call("ioctl", fd, 0x5451));
        Assert.Equal(1, g.Call("fcntl", fd, 1));
    }

    private static ulong Message(TestGuest g, ulong vectors, ulong control, ulong controlLength) =>
        g.PutLongs(0, 0, vectors, 1, control, controlLength, 0);

    [Theory, InlineData(true), InlineData(false)]
    public void SignalsAreReadFromADescriptor(bool is32)
    {
        const int User1 = 10;
        using var g = new TestGuest(is32);
        g.Thread.SetMask(1UL << (User1 - 1));
        var fd = (ulong)g.Call("signalfd4", ulong.MaxValue, g.PutInts(1 << (User1 - 1), 0), 8, 0x800);
        Assert.Equal(-EAGAIN, g.Call("read", fd, Buffer, 128));
        g.Process.Send(SignalInfo.Sent(User1, 0, 77, 5));
        Assert.Equal(1, g.Call("poll", g.PutInts((int)fd, 1), 1, 0));
        Assert.Equal(-EINVAL, g.Call("read", fd, Buffer, 127));
        Assert.Equal(128, g.Call("read", fd, Buffer, 1000));
        Assert.Equal(User1, g.GetInt(Buffer));
        Assert.Equal(77, g.GetInt(Buffer + 12));
        Assert.Equal(0, g.Call("poll", g.PutInts((int)fd, 1), 1, 0));
        Assert.Equal(-EAGAIN, g.Call("read", fd, Buffer, 128));
    }
}
