using DynaTrans.Linux.Loading;
using DynaTrans.Linux.Memory;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Tests.Memory;

/// <summary>Mappings of a process.</summary>
public sealed class ProcessMemoryTests
{
    private const PagePermission ReadWrite = PagePermission.Read | PagePermission.Write;
    private const MapFlags Anonymous = MapFlags.Private | MapFlags.Anonymous;
    private const ulong Page = AddressSpace.PageSize;

    [Fact]
    public void MappingsAreFoundJoinedAndCut()
    {
        using var owner = new Owner();
        var m = owner.Memory;
        Assert.Equal(0x100000, m.Map(0x100000, 4 * Page, ReadWrite, Anonymous | MapFlags.Fixed, null, 0));
        Assert.Equal(0x104000, m.Map(0x104000, 4 * Page, ReadWrite, Anonymous | MapFlags.Fixed, null, 0));
        Assert.Equal(8 * Page, Assert.Single(m.Areas()).Length);
        Assert.Equal(0, m.Unmap(0x102000, Page));
        Assert.Equal(2, m.Areas().Length);
        Assert.Equal(0, m.Protect(0x104000, Page, PagePermission.Read));
        Assert.Equal(4, m.Areas().Length);
        Assert.Equal(-Errno.ENOMEM, m.Protect(0x102000, Page, ReadWrite));
        Assert.Equal(-Errno.EEXIST, m.Map(0x100000, Page, ReadWrite, Anonymous | MapFlags.FixedNoReplace, null, 0));
        Assert.False(m.User.TryWrite(0x104000UL, 1));
        Assert.True(m.User.TryWrite(0x103000UL, 1));
    }

    [Fact]
    public void GapsAreFilledFromAbove()
    {
        using var owner = new Owner();
        var m = owner.Memory;
        var first = m.Map(0, Page, ReadWrite, Anonymous, null, 0);
        var second = m.Map(0, Page, ReadWrite, Anonymous, null, 0);
        Assert.Equal((long)(m.MapEnd - Page), first);
        Assert.Equal(first - (long)Page, second);
        m.Unmap((ulong)first, Page);
        Assert.Equal(first, m.Map(0, Page, ReadWrite, Anonymous, null, 0));

        // MAP_32BIT is for 64-bit programs.
        Assert.True(m.Map(0, Page, ReadWrite, Anonymous | MapFlags.Below2G, null, 0) > 1L << 31);
        Assert.Equal(-Errno.ENOMEM, m.Map(0, 1UL << 32, ReadWrite, Anonymous, null, 0));
    }

    [Fact]
    public void AForkCopiesPrivatePagesAndSharesSharedOnes()
    {
        using var owner = new Owner();
        var m = owner.Memory;
        var own = (ulong)m.Map(0, 600 * Page, ReadWrite, Anonymous, null, 0);
        var shared = (ulong)m.Map(0, Page, ReadWrite, MapFlags.Shared | MapFlags.Anonymous, null, 0);
        m.User.TryWrite(own + (599 * Page), 42);
        m.User.TryWrite(shared, 1);
        var child = m.Fork(null)!;
        m.User.TryWrite(own + (599 * Page), 43);
        m.User.TryWrite(shared, 2);
        Assert.True(child.User.TryRead(own + (599 * Page), out int copied));
        Assert.True(child.User.TryRead(own, out int untouched));
        Assert.True(child.User.TryRead(shared, out int seen));
        Assert.Equal((42, 0, 2), (copied, untouched, seen));
        child.RemoveUser();
    }

    [Fact]
    public void RemapKeepsTheBytes()
    {
        using var owner = new Owner();
        var m = owner.Memory;

        // What lies above keeps it from growing in place.
        m.Map(0, Page, ReadWrite, Anonymous, null, 0);
        var at = (ulong)m.Map(0, 2 * Page, ReadWrite, Anonymous, null, 0);
        m.User.TryWrite(at + Page, 7);
        var moved = Remap(m, at, 2 * Page, 16 * Page, 1);
        Assert.True(moved > 0 && (ulong)moved != at);
        Assert.True(m.User.TryRead((ulong)moved + Page, out int value));
        Assert.Equal(7, value);
        Assert.False(m.User.TryRead(at, out int _));
        Assert.True(m.User.TryRead((ulong)moved + (15 * Page), out value));
        Assert.Equal(0, value);
        Assert.Equal(moved, Remap(m, (ulong)moved, 16 * Page, Page, 0));
        Assert.False(m.User.TryRead((ulong)moved + Page, out int _));
    }

    [Fact]
    public void LimitsGiveAnError()
    {
        using var owner = new Owner();
        var m = owner.Memory;
        m.AddressLimit = 10 * Page;
        Assert.Equal(-Errno.ENOMEM, m.Map(0, 11 * Page, ReadWrite, Anonymous, null, 0));
        m.StartBreak(0x200000);
        Assert.Equal(0x204000UL, m.SetBreak(0x204000));
        Assert.Equal(0x204000UL, m.SetBreak(0x304000));
        Assert.Equal(0x200001UL, m.SetBreak(0x200001));
    }

    private static long Remap(ProcessMemory memory, ulong old, ulong oldLength, ulong newLength, ulong flags, ulong target = 0)
    {
        lock (memory.Space.Lock)
            return new Remapping(memory, MapRights.Loader).Remap(old, oldLength, newLength, flags, target);
    }

    private sealed class Owner : IDisposable
    {
        public ProcessMemory Memory { get; } = new(is32Bit: true, null) { Program = new GuestProgram(-1, is32: true, AddressLayout.Compact) };

        public void Dispose() => Memory.RemoveUser();
    }
}
