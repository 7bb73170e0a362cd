using DynaTrans.Runtime.Helpers;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

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
    private const int BusAddressError = 2;

    // Offsets in the host's ucontext_t: uc_mcontext at 40, in it RIP is the 17th register.
    private const int RipInContext = 40 + (16 * 8);

    private static readonly object s_gate = new();
    private static delegate* unmanaged<int*, long, long, long, long, long, long, long, long> s_invoke;
    private static int s_hostProcess;

    /// <summary>Number of the host thread that calls.</summary>
    public static int CurrentThread => (int)HostCalls.Fast(HostSys.Gettid);

    /// <summary>Installs the handlers; idempotent.</summary>
    public static void Install()
    {
        lock (s_gate)
        {
            if (s_invoke != null)
                return;
            var code = NativeCode.Assemble("interrupting a system call", EmitInvoke);
            var (test, call, abort) = FindMarks((byte*)code);
            var restorer = NativeCode.Assemble("returning from a signal", a =>
            {
                a.mov(eax, HostSys.RtSigreturn);
                a.syscall();
            });
            InstallHandler(Signal, NativeCode.Assemble("a signal handler", a => EmitKickHandler(a, test, call, abort)), restorer);
            InstallHandler(7, NativeCode.Assemble("a SIGBUS handler", EmitBusHandler), restorer);
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

    private static void EmitInvoke(Assembler a)
    {
        var abort = a.CreateLabel();
        a.mov(r11, rdi);
        a.mov(rax, rsi);
        a.mov(rdi, rdx);
        a.mov(rsi, rcx);
        a.mov(rdx, r8);
        a.mov(r10, r9);
        a.mov(r8, __[rsp + 8]);
        a.mov(r9, __[rsp + 16]);
        a.cmp(__dword_ptr[r11], 0);
        a.jne(abort);
        a.syscall();
        a.ret();
        a.Label(ref abort);
        a.mov(rax, -Errno.EINTR);
        a.ret();
    }

    // Where the test begins, where the system call instruction is, and where the exit is: found by decoding, so that the emitter is the
    // only place that knows the code.
    private static (ulong Test, ulong Call, ulong Abort) FindMarks(byte* code)
    {
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(new ReadOnlySpan<byte>(code, 128).ToArray()), (ulong)code);
        ulong test = 0, call = 0, abort = 0;
        while (call == 0)
        {
            var insn = decoder.Decode();
            if (insn.Mnemonic == Mnemonic.Cmp)
                test = insn.IP;
            else if (insn.Mnemonic == Mnemonic.Jne)
                abort = insn.NearBranchTarget;
            else if (insn.Mnemonic == Mnemonic.Syscall)
                call = insn.IP;
        }

        return (test, call, abort);
    }

    // (signal, info, context): the test's own address is not in the range, the test has still to be made there.
    private static void EmitKickHandler(Assembler a, ulong test, ulong call, ulong abort)
    {
        var end = a.CreateLabel();
        a.mov(rax, __[rdx + RipInContext]);
        a.mov(rcx, test);
        a.cmp(rax, rcx);
        a.jbe(end);
        a.mov(rcx, call);
        a.cmp(rax, rcx);
        a.ja(end);
        a.mov(rcx, abort);
        a.mov(__[rdx + RipInContext], rcx);
        a.Label(ref end);
        a.ret();
    }

    // A page of a file mapping behind the end of its file (it may have been truncated by anybody): the host must not die of it. A zero page
    // takes its place. Other SIGBUSes end the process as they would have.
    private static void EmitBusHandler(Assembler a)
    {
        var other = a.CreateLabel();
        a.cmp(__dword_ptr[rsi + 8], BusAddressError);
        a.jne(other);
        a.mov(rdi, __[rsi + 16]);
        a.and(rdi, -4096);
        a.mov(esi, 4096);
        a.mov(edx, 3);
        a.mov(r10d, 0x32);
        a.mov(r8, -1L);
        a.xor(r9d, r9d);
        a.mov(eax, HostSys.Mmap);
        a.syscall();
        a.ret();
        a.Label(ref other);
        a.mov(eax, HostSys.ExitGroup);
        a.mov(edi, 128 + 7);
        a.syscall();
    }

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
