using System.Numerics;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Runtime.Tests.Memory;

/// <summary>The values of <see cref="PagePermission"/>: a byte, whose bits are counted and tested many at a time.</summary>
public sealed class PagePermissionTests
{
    [Fact]
    public void FlagsAreSingleBitsAndTheirCompositionIsComplete()
    {
        PagePermission[] single =
        [
            PagePermission.Read, PagePermission.Write, PagePermission.Execute, PagePermission.FastRead, PagePermission.FastWrite, PagePermission.HasCode,
            PagePermission.Mapped, PagePermission.PlainWrite,
        ];
        Assert.All(single, flag => Assert.True(BitOperations.IsPow2((int)flag)));
        Assert.Equal(single.Length, single.Distinct().Count());
        Assert.Equal(PagePermission.FastRead | PagePermission.FastWrite | PagePermission.PlainWrite, PagePermission.Derived);
        Assert.Equal(PagePermission.Read | PagePermission.Write | PagePermission.Execute, PagePermission.Protection);
        Assert.Equal(
            [PagePermission.None, .. single, PagePermission.Derived, PagePermission.Protection], [.. Enum.GetValues<PagePermission>().Order(new InListOrder(single))]);
    }

    // None first, then the single bits as listed, then the compositions.
    private sealed class InListOrder(PagePermission[] single) : IComparer<PagePermission>
    {
        public int Compare(PagePermission x, PagePermission y) => Place(x).CompareTo(Place(y));

        private int Place(PagePermission flag) => flag switch
        {
            PagePermission.None => -1,
            PagePermission.Derived => 100,
            PagePermission.Protection => 101,
            _ => Array.IndexOf(single, flag) is >= 0 and var i ? i : 50,
        };
    }
}
