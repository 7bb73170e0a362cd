using DynaTrans.Runtime.Memory;

namespace DynaTrans.Runtime.Tests.Memory;

/// <summary>The table grants what pages grant, at most.</summary>
public sealed unsafe class TranslationLookasideTests : IDisposable
{
    private const ulong Page = 0x5000;
    private const PagePermission ReadWrite = PagePermission.Read | PagePermission.Write;

    private readonly AddressSpace _space = new(32);
    private readonly TranslationLookaside _table;

    public TranslationLookasideTests() => _table = new TranslationLookaside(_space);

    [Theory]
    [InlineData(PagePermission.None, false, false)]
    [InlineData(PagePermission.Read, true, false)]
    [InlineData(ReadWrite, true, true)]
    [InlineData(PagePermission.Execute, false, false)]
    public void APageIsEnteredWithItsRights(PagePermission protection, bool canRead, bool canWrite)
    {
        _space.Map(Page, 0x1000, protection);
        _table.Refresh();
        _table.Fill(Page + 0x123);
        Assert.Equal(canRead, Entry(Page).ReadTag == Page);
        Assert.Equal(canWrite, Entry(Page).WriteTag == Page);
        if (canRead)
            Assert.Equal((nint)_space.HostAt(Page), (nint)Page + Entry(Page).Addend);
    }

    [Fact]
    public void APageWithCodeIsNotWrittenTo()
    {
        _space.Map(Page, 0x1000, ReadWrite);
        lock (_space.Lock)
            _space.SetHasCode(Page, true);
        _table.Refresh();
        _table.Fill(Page);
        Assert.Equal(Page, Entry(Page).ReadTag);
        Assert.Equal(LookasideEntry.NoPage, Entry(Page).WriteTag);
    }

    [Fact]
    public void AnyChangeOfPermissionsEmptiesIt()
    {
        _space.Map(Page, 0x1000, ReadWrite);
        Action[] changes =
        [
            () => _space.Protect(Page, 0x1000, PagePermission.Read),
            () => _space.Map(Page, 0x1000, ReadWrite),
            () =>
            {
                lock (_space.Lock)
                    _space.SetHasCode(Page, true);
            },
            () => _space.Unmap(Page, 0x1000),
        ];
        foreach (var change in changes)
        {
            _table.Refresh();
            _table.Fill(Page);
            Assert.Equal(Page, Entry(Page).ReadTag);
            _table.Refresh();
            Assert.Equal(Page, Entry(Page).ReadTag);
            change();
            _table.Refresh();
            Assert.Equal((LookasideEntry.NoPage, LookasideEntry.NoPage), (Entry(Page).ReadTag, Entry(Page).WriteTag));
        }
    }

    [Fact]
    public void WatchedWritesAllTakeTheSlowPath()
    {
        using var space = new AddressSpace(32) { WatchWrites = true };
        using var table = new TranslationLookaside(space);
        space.Map(Page, 0x1000, ReadWrite);
        table.Refresh();
        table.Fill(Page);
        var entry = ((LookasideEntry*)table.Address)[Page / AddressSpace.PageSize];
        Assert.Equal((Page, LookasideEntry.NoPage), (entry.ReadTag, entry.WriteTag));
    }

    public void Dispose()
    {
        _table.Dispose();
        _space.Dispose();
    }

    private LookasideEntry Entry(ulong address) =>
        ((LookasideEntry*)_table.Address)[(address / AddressSpace.PageSize) % (1 << TranslationLookaside.CountBits)];
}
