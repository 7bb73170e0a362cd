namespace DynaTrans.Linux.Syscalls;

/// <summary>Lists the families of system calls. One line a family.</summary>
internal static class SyscallFamilies
{
    public static void Register(SyscallTable table)
    {
        FileSyscalls.Register(table);
        CommunicationSyscalls.Register(table);
    }
}
