namespace DynaTrans.Linux.Syscalls;

/// <summary>The two system call interfaces of x86 Linux: numbers, argument registers and structure layouts.</summary>
public enum Abi
{
    /// <summary>int 0x80 and sysenter; 32-bit layouts.</summary>
    I386,

    /// <summary>syscall; 64-bit layouts.</summary>
    X64,
}
