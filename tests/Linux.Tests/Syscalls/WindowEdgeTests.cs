using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Tests.Syscalls;

/// <summary>Transfers of buffers that go on in another window of the address space, which lies elsewhere in the host.</summary>
public sealed unsafe class WindowEdgeTests
{
    private const ulong Edge = 5 * AddressSpace.WindowSpan, Page = AddressSpace.PageSize;
    private const int Length = 6000, Before = 2000;

    [Fact]
    public void BuffersAcrossWindowsAreTransferredWhole()
    {
        using var g = new TestGuest(false);
        var space = g.Space;
        space.Map(Edge - (2 * Page), 4 * Page, PagePermission.Read | PagePermission.Write);

        // What would be the place of the second window beside the first is taken.
        const int ReadWrite = 3, PrivateAnonymousFixedNoReplace = 0x100022;
        var beside = space.HostAt(Edge - Page) + Page;
        Assert.Equal((long)beside, HostCalls.Call(HostSys.Mmap, (nint)beside, (long)Page, ReadWrite, PrivateAnonymousFixedNoReplace, -1, 0));
        Assert.True(space.HostAt(Edge) != beside);
        HostCalls.Call(HostSys.Munmap, (nint)beside, (long)Page);

        var bytes = new byte[Length];
        new Random(7).NextBytes(bytes);
        const ulong Start = Edge - Before;
        Put(bytes);
        var fd = (ulong)g.Call("open", g.Put(Path.Combine(g.Directory, "file")), 0x42, 0x1B4);
        Assert.Equal(Length, g.Call("write", fd, Start, Length));
        Put(new byte[Length]);
        Assert.Equal(Length, g.Call("pread64", fd, Start, Length, 0));
        Assert.Equal(bytes, Get());
        Assert.Equal(Length, g.Call("pwrite64", fd, Start, Length, 100));
        Put(new byte[Length]);
        Assert.Equal(100, g.Call("lseek", fd, 100, 0));
        Assert.Equal(Length, g.Call("read", fd, Start, Length));
        Assert.Equal(bytes, Get());

        // What follows is not mapped: as much as there is.
        Assert.Equal(2 * (long)Page + Before, g.Call("pwrite64", fd, Start, 5 * Page, 0));

        void Put(byte[] values) => Assert.Equal(Length, space.Write(Start, values));

        byte[] Get()
        {
            var result = new byte[Length];
            Assert.Equal(Length, space.Read(Start, result));
            return result;
        }
    }
}
