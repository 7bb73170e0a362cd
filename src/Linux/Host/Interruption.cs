using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Host;

namespace DynaTrans.Linux.Host;

/// <summary>
/// Wakes host threads out of blocking system calls. A kick is a real-time signal to one host thread. Its handler is machine code and does
/// one thing: when the thread is between the test of its interruption word and the system call instruction, it moves the thread to the
/// exit that returns -EINTR. So either the test sees the word, or the handler finds the thread before the call, or the call itself is
/// interrupted: no wake-up is lost.
/// </summary>
internal static unsafe class Interruption
{
    private const int Signal = 44;
    private const int SaSiginfo = 4;
    private const ulong SaRestorer = 0x04000000;
    internal const int RestorerAt = 0x2D;
    internal const int KickAt = 0x34;

    private static readonly object s_gate = new();
    private static delegate* unmanaged<int*, long, long, long, long, long, long, long, long> s_invoke;
    private static int s_hostProcess;

    // Every run needs these, so they are written out: an assembler would take longer to start than all else here. The tests read them back.
    internal static ReadOnlySpan<byte> Code =>
    [
        // The call: (word, number, six arguments).
        0x49, 0x89, 0xFB,                               // mov r11, rdi
        0x48, 0x89, 0xF0,                               // mov rax, rsi
        0x48, 0x89, 0xD7,                               // mov rdi, rdx
        0x48, 0x89, 0xCE,                               // mov rsi, rcx
        0x4C, 0x89, 0xC2,                               // mov rdx, r8
        0x4D, 0x89, 0xCA,                               // mov r10, r9
        0x4C, 0x8B, 0x44, 0x24, 0x08,                   // mov r8, [rsp + 8]
        0x4C, 0x8B, 0x4C, 0x24, 0x10,                   // mov r9, [rsp + 16]
        0x41, 0x83, 0x3B, 0x00,                         // test: cmp dword [r11], 0
        0x75, 0x03,                                     // jne abort
        0x0F, 0x05,                                     // call: syscall
        0xC3,                                           // ret
        0x48, 0xC7, 0xC0, 0xFC, 0xFF, 0xFF, 0xFF,       // abort: mov rax, -EINTR
        0xC3,                                           // ret

        // The return from a signal handler.
        0xB8, 0x0F, 0x00, 0x00, 0x00,                   // mov eax, rt_sigreturn
        0x0F, 0x05,                                     // syscall

        // The handler of a kick: (signal, info, context), RIP at 168 in the context (uc_mcontext at 40, its 17th register). The test's own
        // address is not in the range, the test has still to be made there.
        0x48, 0x8B, 0x82, 0xA8, 0x00, 0x00, 0x00,       // mov rax, [rdx + 168]
        0x48, 0x8D, 0x0D, 0xDA, 0xFF, 0xFF, 0xFF,       // lea rcx, [test]
        0x48, 0x39, 0xC8,                               // cmp rax, rcx
        0x76, 0x1A,                                     // jbe end
        0x48, 0x8D, 0x0D, 0xD4, 0xFF, 0xFF, 0xFF,       // lea rcx, [call]
        0x48, 0x39, 0xC8,                               // cmp rax, rcx
        0x77, 0x0E,                                     // ja end
        0x48, 0x8D, 0x0D, 0xCB, 0xFF, 0xFF, 0xFF,       // lea rcx, [abort]
        0x48, 0x89, 0x8A, 0xA8, 0x00, 0x00, 0x00,       // mov [rdx + 168], rcx
        0xC3,                                           // end: ret
    ];

    /// <summary>Number of the host thread that calls.</summary>
    public static int CurrentThread => (int)HostCalls.Fast(HostSys.Gettid);

    /// <summary>Installs the handlers; idempotent.</summary>
    public static void Install()
    {
        lock (s_gate)
        {
            if (s_invoke != null)
                return;
            var code = NativeCode.Publish("interrupting a system call", Code);
            InstallHandler(Signal, code + KickAt, code + RestorerAt);
            InstallHandler(BusFaults.Signal, BusFaults.Publish(), code + RestorerAt);
            s_hostProcess = (int)HostCalls.Call(HostSys.Getpid);
            s_invoke = (delegate* unmanaged<int*, long, long, long, long, long, long, long, long>)code;
        }
    }

    /// <summary>See <see cref="HostCalls.Interruptible"/>.</summary>
    public static long Invoke(int* word, long number, long a0, long a1, long a2, long a3, long a4, long a5)
    {
        if (s_invoke == null)
            Install();
        return s_invoke(word, number, a0, a1, a2, a3, a4, a5);
    }

    /// <summary>Wakes a host thread whose interruption word has been set before.</summary>
    public static void Kick(int hostThread) => HostCalls.Call(HostSys.Tgkill, s_hostProcess, hostThread, Signal);

    private static void InstallHandler(int signal, nint handler, nint restorer)
    {
        var action = stackalloc ulong[4];
        action[0] = (ulong)handler;
        action[1] = SaSiginfo | SaRestorer;
        action[2] = (ulong)restorer;
        action[3] = 0;
        var result = HostCalls.Call(HostSys.RtSigaction, signal, (nint)action, 0, 8);
        if (result < 0)
            throw new PlatformNotSupportedException($"the host refused a handler for signal {signal}: {Errno.Message((int)-result)}");
    }
}
