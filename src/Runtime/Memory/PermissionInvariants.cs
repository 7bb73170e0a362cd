using System.Diagnostics;

namespace DynaTrans.Runtime.Memory;

/// <summary>Asserts, in debug builds, that the derived bits of permission bytes are what <see cref="PagePermission"/> says of them.</summary>
internal static unsafe class PermissionInvariants
{
    // Of a long run the pages at its ends are looked at: those between are like their neighbours.
    private const ulong LongestRun = 64;

    /// <summary>Asserts it for pages whose bytes have just changed, and the one before them. Under the address space's lock.</summary>
    /// <param name="permissions">The table.</param>
    /// <param name="pages">Number of pages in it.</param>
    /// <param name="first">The first page that changed.</param>
    /// <param name="last">The last one.</param>
    /// <param name="watchWrites">No store may be fast.</param>
    [Conditional("DEBUG")]
    public static void Hold(byte* permissions, ulong pages, ulong first, ulong last, bool watchWrites)
    {
        if (first > 0)
            first--;
        if (last >= pages)
            last = pages - 1;
        for (var page = first; page <= last; page++)
        {
            if (page - first == LongestRun && last - page > LongestRun)
                page = last - LongestRun;
            var next = page + 1 < pages ? (PagePermission)permissions[page + 1] : PagePermission.None;
            var here = (PagePermission)permissions[page];
            var expected = Derived(here, next, watchWrites);
            if ((here & PagePermission.Derived) != expected)
                Debug.Fail($"page 0x{page:x}: {here} before {next}, of the derived bits {expected} is due");
        }
    }

    private static PagePermission Derived(PagePermission here, PagePermission next, bool watchWrites)
    {
        var derived = PagePermission.None;
        if (here.HasFlag(PagePermission.Read) && next.HasFlag(PagePermission.Read))
            derived |= PagePermission.FastRead;
        if (watchWrites || !IsPlain(here))
            return derived;
        return derived | PagePermission.PlainWrite | (IsPlain(next) ? PagePermission.FastWrite : 0);
    }

    // Readable, writable and without translated code.
    private static bool IsPlain(PagePermission page) =>
        (page & (PagePermission.Read | PagePermission.Write | PagePermission.HasCode)) == (PagePermission.Read | PagePermission.Write);
}
