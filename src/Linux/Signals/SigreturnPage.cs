using DynaTrans.Linux.Memory;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Signals;

/// <summary>
/// Code that returns from the handlers of i386 programs that bring none (no SA_RESTORER). With a kernel of its own a program finds it in the
/// vDSO; here a page is mapped when the first such handler runs.
/// </summary>
internal static class SigreturnPage
{
    private const ulong InfoAt = 16;

    /// <summary>pop eax; mov eax, sigreturn; int 0x80. Debuggers know a frame by these bytes.</summary>
    public static ReadOnlySpan<byte> Code => [0x58, 0xB8, 0x77, 0, 0, 0, 0xCD, 0x80];

    /// <summary>mov eax, rt_sigreturn; int 0x80.</summary>
    public static ReadOnlySpan<byte> InfoCode => [0xB8, 0xAD, 0, 0, 0, 0xCD, 0x80, 0];

    /// <summary>Guest address of the code for a frame without or with siginfo; null when there is no memory for the page.</summary>
    public static ulong? Find(ProcessMemory memory, bool info)
    {
        lock (memory.Space.Lock)
        {
            if (memory.SigreturnPage == 0 && !TryMap(memory))
                return null;
            return memory.SigreturnPage + (info ? InfoAt : 0);
        }
    }

    private static bool TryMap(ProcessMemory memory)
    {
        const PagePermission Writable = PagePermission.Read | PagePermission.Write, Executable = PagePermission.Read | PagePermission.Execute;
        var page = memory.Map(0, AddressSpace.PageSize, Writable, MapFlags.Private | MapFlags.Anonymous, null, 0, "[sigpage]");
        if (page < 0)
            return false;
        memory.User.TryWrite((ulong)page, Code);
        memory.User.TryWrite((ulong)page + InfoAt, InfoCode);
        memory.Protect((ulong)page, AddressSpace.PageSize, Executable);
        memory.SigreturnPage = (ulong)page;
        return true;
    }
}
