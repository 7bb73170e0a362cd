using DynaTrans.Linux.Host;
using DynaTrans.Linux.Tests.Loading;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Linux.Tests.Processes;

/// <summary>Small programs, run to their end: exit statuses, faults, signals, fork, limits.</summary>
public sealed class GuestRunTests
{
    public static TheoryData<bool> Architectures => [true, false];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ExitStatusIsTheProgramsOwn(bool is32)
    {
        var (status, messages) = TestPrograms.Run(ElfImage.Make(is32, a => a.Exit(is32, 37)));
        Assert.Equal(37, status);
        Assert.Empty(messages);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ARelocatableProgramRuns(bool is32) =>
        Assert.Equal(9, TestPrograms.Run(ElfImage.Make(is32, a => a.Exit(is32, 9), relocatable: true)).Status);

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ArgumentsAreOnTheStack(bool is32)
    {
        var image = ElfImage.Make(is32, a =>
        {
            if (is32)
            {
                a.mov(ebx, __[esp]);
                a.mov(eax, 1);
                a.@int(0x80);
            }
            else
            {
                a.mov(rdi, __[rsp]);
                a.mov(eax, HostSys.Exit);
                a.syscall();
            }
        });
        Assert.Equal(4, TestPrograms.Run(image, "a", "b", "c").Status);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ABadAccessIsReportedWithItsAddresses(bool is32)
    {
        var (status, messages) = TestPrograms.Run(ElfImage.Make(is32, a =>
        {
            a.nop();
            a.mov(ecx, 0x1234);
            if (is32)
                a.mov(__dword_ptr[ecx], eax);
            else
                a.mov(__dword_ptr[rcx], eax);
        }));
        Assert.Equal(128 + 11, status);
        Assert.Contains($"killed by SIGSEGV at guest address 0x{ElfImage.CodeAddress(is32) + 6:x}, accessing 0x1234", messages);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void AJumpToNowhereIsASegmentationFault(bool is32)
    {
        var (status, messages) = TestPrograms.Run(ElfImage.Make(is32, a =>
        {
            a.mov(ecx, 0x7000);
            if (is32)
                a.jmp(ecx);
            else
                a.jmp(rcx);
        }));
        Assert.Equal(128 + 11, status);
        Assert.Contains("at guest address 0x7000", messages);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void AnEndlessRecursionOverflowsTheStack(bool is32)
    {
        var (status, messages) = TestPrograms.Run(ElfImage.Make(is32, a =>
        {
            var again = a.CreateLabel();
            a.Label(ref again);
            a.call(again);
        }));
        Assert.Equal(128 + 11, status);
        Assert.Contains("SIGSEGV", messages);
    }

    [Theory]
    [InlineData(true, 4, "SIGILL")]
    [InlineData(false, 4, "SIGILL")]
    [InlineData(true, 8, "SIGFPE")]
    [InlineData(false, 8, "SIGFPE")]
    [InlineData(true, 5, "SIGTRAP")]
    [InlineData(false, 5, "SIGTRAP")]
    public void EachFaultHasItsSignal(bool is32, int signal, string name)
    {
        var (status, messages) = TestPrograms.Run(ElfImage.Make(is32, a =>
        {
            a.xor(ecx, ecx);
            if (signal == 4)
                a.ud2();
            else if (signal == 8)
                a.div(ecx);
            else
                a.int3();
        }));
        Assert.Equal(128 + signal, status);
        Assert.Contains(name, messages);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void AnInternalErrorEndsItsGuestProcessOnly(bool is32)
    {
        // The parent ends with 9 when its child was killed. What serves the child fails.
        var image = ElfImage.Make(is32, a =>
        {
            var child = a.CreateLabel();
            a.Call(is32, is32 ? 2 : HostSys.Fork);
            a.test(eax, eax);
            a.je(child);
            a.Call(is32, is32 ? 114 : HostSys.Wait4, ulong.MaxValue, 0, 0, 0);
            a.Exit(is32, 9);
            a.Label(ref child);
            a.Call(is32, is32 ? 24 : HostSys.Getuid);
            a.Exit(is32, 3);
        });
        var messages = new StringWriter();
        var first = 0;
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, image);
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var status = LinuxHost.Run(new LinuxOptions
            {
                Program = file, Environment = [], Error = messages, ForwardSignals = false,
                VcpuEnding = _ =>
                {
                    if (Interlocked.Increment(ref first) == 1)
                        throw new InvalidOperationException("made by the test");
                },
            });
            Assert.Equal(9, status);
            Assert.Contains("internal error in thread", messages.ToString());
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void TheCpuLimitEndsAProgram(bool is32)
    {
        // One second, and no handler.
        var (status, messages) = TestPrograms.Run(ElfImage.Make(is32, a =>
        {
            var again = a.CreateLabel();
            if (is32)
            {
                a.push(9);
                a.push(1);
                a.mov(ecx, esp);
                a.mov(ebx, 0);
                a.mov(eax, 75);
                a.@int(0x80);
            }
            else
            {
                a.push(9);
                a.push(1);
                a.mov(rsi, rsp);
                a.mov(edi, 0);
                a.mov(eax, HostSys.Setrlimit);
                a.syscall();
            }

            a.Label(ref again);
            a.jmp(again);
        }));
        Assert.Equal(128 + 24, status);
        Assert.Contains("SIGXCPU", messages);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ExhaustedMemoryIsAnError(bool is32)
    {
        // brk grows by 64 MiB until it does not; the program ends with 5 then.
        var (status, _) = TestPrograms.Run(ElfImage.Make(is32, a =>
        {
            var again = a.CreateLabel();
            var full = a.CreateLabel();
            a.Call(is32, is32 ? 45 : HostSys.Brk, 0);
            if (is32)
            {
                a.mov(ebp, eax);
                a.Label(ref again);
                a.add(ebp, 64 << 20);
                a.mov(ebx, ebp);
                a.mov(eax, 45);
                a.@int(0x80);
                a.cmp(eax, ebp);
            }
            else
            {
                a.mov(rbp, rax);
                a.Label(ref again);
                a.add(rbp, 64 << 20);
                a.mov(rdi, rbp);
                a.mov(eax, HostSys.Brk);
                a.syscall();
                a.cmp(rax, rbp);
            }

            a.jne(full);
            a.jmp(again);
            a.Label(ref full);
            a.Exit(is32, 5);
        }));
        Assert.Equal(5, status);
    }

    [Fact]
    public void ForkAndWaitGiveTheChildsStatus()
    {
        // The child changes memory and exits with 21; the parent must not see the change, and exits with 21 + what it sees (1).
        var (status, _) = TestPrograms.Run(ElfImage.Make(false, a =>
        {
            var child = a.CreateLabel();
            a.mov(rbx, 0x401000UL);
            a.mov(__dword_ptr[rbx], 1);
            a.Call(false, HostSys.Fork);
            a.test(eax, eax);
            a.jz(child);
            a.mov(rdi, rax);
            a.mov(rsi, 0x401010UL);
            a.xor(edx, edx);
            a.xor(r10d, r10d);
            a.mov(eax, HostSys.Wait4);
            a.syscall();
            a.movzx(edi, __byte_ptr[rbx + 0x11]);
            a.add(edi, __[rbx]);
            a.mov(eax, HostSys.Exit);
            a.syscall();
            a.Label(ref child);
            a.mov(__dword_ptr[rbx], 100);
            a.Exit(false, 21);
        }, extraMemory: 0x2000));
        Assert.Equal(22, status);
    }

    [Fact]
    public void AHandlerFindsTheExactRegistersAndCanChangeThem()
    {
        // rax = 0x55 at the faulting access. The handler skips the three-byte instruction and adds RAX of the frame to what is left in it.
        var (status, messages) = TestPrograms.Run(ElfImage.Make(false, a =>
        {
            var handler = a.CreateLabel();
            var restorer = a.CreateLabel();
            var bad = a.CreateLabel();
            a.lea(rax, __[handler]);
            a.sub(rsp, 64);
            a.mov(__[rsp], rax);
            a.mov(__qword_ptr[rsp + 8], 0x04000004);
            a.lea(rax, __[restorer]);
            a.mov(__[rsp + 16], rax);
            a.mov(__qword_ptr[rsp + 24], 0);
            a.mov(edi, 11);
            a.mov(rsi, rsp);
            a.xor(edx, edx);
            a.mov(r10d, 8);
            a.mov(eax, HostSys.RtSigaction);
            a.syscall();
            a.mov(eax, 0x55);
            a.mov(ecx, 0x2000);
            a.mov(__[rcx], eax);
            a.nop();
            a.mov(edi, eax);
            a.mov(eax, HostSys.Exit);
            a.syscall();
            a.Label(ref handler);
            // Address in siginfo, RAX and RIP in the context (offsets of ucontext_t).
            a.cmp(__qword_ptr[rsi + 16], 0x2000);
            a.jne(bad);
            a.cmp(__qword_ptr[rdx + 40 + 104], 0x55);
            a.jne(bad);
            a.mov(__qword_ptr[rdx + 40 + 104], 0x66);
            a.add(__qword_ptr[rdx + 40 + 128], 2);
            a.ret();
            a.Label(ref restorer);
            a.mov(eax, HostSys.RtSigreturn);
            a.syscall();
            a.Label(ref bad);
            a.Exit(false, 1);
        }));
        Assert.Equal("", messages);
        Assert.Equal(0x66, status);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ASignalEndsALoopThatOnlyReads(bool translated)
    {
        // The loop waits for a word that nobody writes; the handler of SIGALRM exits.
        var image = ElfImage.Make(false, a =>
        {
            var handler = a.CreateLabel();
            var again = a.CreateLabel();
            a.lea(rax, __[handler]);
            a.sub(rsp, 64);
            a.mov(__[rsp], rax);
            a.mov(__qword_ptr[rsp + 8], 0x04000000);
            a.mov(__[rsp + 16], rax);
            a.mov(__qword_ptr[rsp + 24], 0);
            a.mov(edi, 14);
            a.mov(rsi, rsp);
            a.xor(edx, edx);
            a.mov(r10d, 8);
            a.mov(eax, HostSys.RtSigaction);
            a.syscall();
            a.mov(__qword_ptr[rsp], 0);
            a.mov(__qword_ptr[rsp + 8], 0);
            a.mov(__qword_ptr[rsp + 16], 0);
            a.mov(__qword_ptr[rsp + 24], 100_000);
            a.xor(edi, edi);
            a.mov(rsi, rsp);
            a.xor(edx, edx);
            a.mov(eax, HostSys.Setitimer);
            a.syscall();
            a.Label(ref again);
            a.cmp(__dword_ptr[rsp], 0);
            a.je(again);
            a.ud2();
            a.Label(ref handler);
            a.Exit(false, 33);
        });
        Assert.Equal(33, TestPrograms.Run(image, translated).Status);
    }
}
