using DynaTrans.Runtime.Memory;
using Xunit;

namespace DynaTrans.Runtime.Tests.Memory;

/// <summary>Address spaces with several windows: what is mapped, where it is in the host, and what it costs.</summary>
public sealed unsafe class AddressSpaceTests
{
    private const ulong Page = AddressSpace.PageSize, Span = AddressSpace.WindowSpan;
    private const PagePermission ReadWrite = PagePermission.Read | PagePermission.Write;

    [Theory]
    [InlineData(0x1000)]
    [InlineData(Span - (2 * Page))]
    [InlineData(Span - Page)]
    [InlineData(Span)]
    [InlineData((1UL << 46) - Page)]
    [InlineData((1UL << 47) - (3 * Page))]
    [InlineData(0xFFFF_8000_0000_0000)]
    [InlineData(0xFFFF_FFFF_FFFF_D000)]
    public void WhatIsWrittenIsReadAcrossPagesAndWindows(ulong address)
    {
        using var space = new AddressSpace(39);
        space.Map(address, 3 * Page, ReadWrite);
        var bytes = new byte[2 * Page];
        new Random(7).NextBytes(bytes);
        Assert.Equal(bytes.Length, space.Write(address + 100, bytes));
        var back = new byte[bytes.Length];
        Assert.Equal(back.Length, space.Read(address + 100, back));
        Assert.Equal(bytes, back);
        Assert.Equal(3UL, space.MappedPages);
        Assert.Equal(PagePermission.None, space.Query(address + (3 * Page)));
        Assert.Equal(PagePermission.None, space.Query(address - Page));

        space.Unmap(address + Page, Page);
        Assert.Equal((int)(Page - 100), space.Read(address + 100, back));
        space.Map(address + Page, Page, ReadWrite);
        Assert.Equal(0, *space.HostAt(address + Page));
        Assert.True(space.TryGuestAddress((nint)space.HostAt(address + Page + 5), out var guest));
        Assert.Equal(address + Page + 5, guest);
    }

    [Fact]
    public void AnAccessAcrossTheEndOfAWindowIsNeverFast()
    {
        using var space = new AddressSpace(39);
        space.Map(Span - (2 * Page), 4 * Page, ReadWrite);
        *space.HostAt(Span) = 1;
        Assert.NotEqual(PagePermission.None, space.Query(Span - (2 * Page)) & PagePermission.FastWrite);
        Assert.Equal(PagePermission.PlainWrite, space.Query(Span - Page) & (PagePermission.FastRead | PagePermission.FastWrite | PagePermission.PlainWrite));
        Assert.NotEqual(PagePermission.None, space.Query(Span) & PagePermission.FastWrite);
    }

    [Fact]
    public void EntriesLeadToPermissionsAndMemoryOfEachWindow()
    {
        using var space = new AddressSpace(39);
        var address = (5 * Span) + 0x123000;
        space.Map(address, Page, ReadWrite);
        Assert.Equal(0, *(byte*)(space.Windows[5].Permissions + (nint)(address / Page)));
        *space.HostAt(address + 8) = 77;
        Assert.Equal((byte)space.Query(address), *(byte*)(space.Windows[5].Permissions + (nint)(address / Page)));
        Assert.Equal(77, *(byte*)(space.Windows[5].Host + (nint)(address + 8)));
        Assert.Equal((nint)space.Base, space.Windows[0].Host);
        Assert.Equal(0, *(byte*)(space.Windows[6].Permissions + (nint)(6 * Span / Page)));
    }

    [Fact]
    public void NeighboursAreContiguousInTheHost()
    {
        using var space = new AddressSpace(39);
        space.Map((9 * Span) - Page, 2 * Page, ReadWrite);
        Assert.True(space.TryGetPointer((9 * Span) - 10, 20, ReadWrite, out var pointer));
        pointer[9] = 1;
        pointer[10] = 2;
        Assert.Equal(1, *space.HostAt((9 * Span) - 1));
        Assert.Equal(2, *space.HostAt(9 * Span));
    }

    [Fact]
    public void ReservationsOfTerabytesCostNothing()
    {
        using var space = new AddressSpace(39);
        var before = Resident();
        space.Map(0x1_0000_0000, 16UL << 40, PagePermission.None);
        space.Map(1UL << 45, 50UL << 40, ReadWrite);
        space.Protect(1UL << 45, 30UL << 40, PagePermission.Read);
        Assert.Equal(((16UL << 40) + (50UL << 40)) / Page, space.MappedPages);
        Assert.Equal(PagePermission.Mapped, space.Query(0x1_0000_0000 + (15UL << 40)));
        Assert.Equal(PagePermission.Mapped | PagePermission.Read, space.Query(1UL << 45) & ~PagePermission.Derived);

        // One touch in the middle makes one window.
        *space.HostAt((1UL << 45) + (3 * Span) + 5) = 1;
        Assert.Equal(2, space.HostRanges().Count());
        Assert.Equal(PagePermission.Read | PagePermission.FastRead | PagePermission.Mapped, space.Query((1UL << 45) + (3 * Span)));
        space.Unmap(0, 1UL << 47);
        Assert.Equal(0UL, space.MappedPages);
        Assert.InRange(Resident() - before, long.MinValue, 512L << 20);
    }

    [Fact]
    public void ProtectStopsAtTheFirstHole()
    {
        using var space = new AddressSpace(39);
        space.Map((3 * Span) - (2 * Page), 3 * Page, ReadWrite);
        Assert.False(space.Protect((3 * Span) - (2 * Page), 5 * Page, PagePermission.Read));
        Assert.Equal(PagePermission.Read, space.Query(3 * Span) & PagePermission.Protection);
        Assert.True(space.Protect((3 * Span) - Page, 2 * Page, PagePermission.None));
        Assert.Equal(PagePermission.Mapped, space.Query(3 * Span));
        Assert.Equal(PagePermission.Read, space.Query((3 * Span) - (2 * Page)) & PagePermission.Protection);
    }

    [Fact]
    public void WhatASpaceDoesNotHaveIsRefused()
    {
        using var small = new AddressSpace(28, false);
        Assert.False(small.CanMap(1UL << 28, Page));
        Assert.Throws<ArgumentOutOfRangeException>(() => small.Map(1UL << 28, Page, ReadWrite));
        using var wide = new AddressSpace(39);
        Assert.False(wide.CanMap(1UL << 47, Page));
        Assert.False(wide.CanMap((1UL << 47) - Page, 2 * Page));
        Assert.True(wide.CanMap((1UL << 47) - Page, Page));
        Assert.True(wide.HostAt(1UL << 47) == null);
        Assert.Equal(PagePermission.None, wide.Query(1UL << 47));
    }

    // Anonymous and shared memory of this process, in bytes.
    private static long Resident() =>
        long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture) * (long)Page;
}
