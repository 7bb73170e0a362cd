using System.Runtime.InteropServices;

namespace DynaTrans.Conformance.Native;

/// <summary>The few Linux x86-64 C library functions that the native oracle needs.</summary>
internal static unsafe partial class Libc
{
    internal const int ProtNone = 0, ProtRead = 1, ProtWrite = 2, ProtExec = 4;
    internal const int MapPrivate = 2, MapAnonymous = 0x20, MapFixedNoReplace = 0x100000;
    internal const int SaSigInfo = 4, SaOnStack = 0x08000000, SaRestart = 0x10000000, SaNoDefer = 0x40000000;
    internal const int SysModifyLdt = 154;

    /// <summary>glibc's and musl's <c>struct sigaction</c> on x86-64.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct SigAction
    {
        public nint Handler;
        public fixed ulong Mask[16];
        public int Flags;
        public nint Restorer;
    }

    /// <summary>Linux <c>struct user_desc</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct UserDesc
    {
        public uint EntryNumber, BaseAddress, Limit, Bits;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    internal static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    internal static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "sigaction", SetLastError = true)]
    internal static partial int SetAction(int signal, SigAction* action, SigAction* old);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial long SystemCall(long number, long a, void* b, long c);
}
