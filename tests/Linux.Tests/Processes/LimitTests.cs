using DynaTrans.Linux.Host;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Syscalls;
using DynaTrans.Linux.Tests.Loading;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Linux.Tests.Processes;

/// <summary>Limits of a run, and what is told about it at the end: memory, time, unknown calls, the place of a crash.</summary>
public sealed class LimitTests
{
    private const int ReadWrite = 3, Nothing = 0, Private = 0x22, Shared = 0x21, NoReserve = 0x4022;

    public static TheoryData<bool> Architectures => [true, false];

    // The stack and the program itself count, too: 8 MiB (or what ulimit -s says, at most 56 MiB) and a few pages.
    [Theory]
    [InlineData(true, Private)]
    [InlineData(false, Private)]
    [InlineData(true, Shared)]
    [InlineData(false, Shared)]
    [InlineData(true, NoReserve)]
    [InlineData(false, NoReserve)]
    public void MappingsBeyondTheLimitGiveENoMem(bool is32, int flags)
    {
        // The first fits, the second does not; when the first is gone there is room for it.
        var (status, _) = Run(
            is32,
            a =>
            {
                Map(a, is32, 64 << 20, ReadWrite, flags);
                a.mov(ebp, eax);
                Map(a, is32, 64 << 20, ReadWrite, flags);
                a.cmp(eax, -Errno.ENOMEM);
                ExitUnlessEqual(a, is32, 1);
                Unmap(a, is32, 64 << 20);
                Map(a, is32, 64 << 20, ReadWrite, flags);
                a.cmp(eax, -Errno.ENOMEM);
                ExitIfEqual(a, is32, 2);
                a.Exit(is32, 0);
            },
            new LinuxOptions { Program = "", MemoryLimit = 124L << 20 });
        Assert.Equal(0, status);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ReservedMemoryCountsWhenItIsMadeWritable(bool is32)
    {
        var (status, _) = Run(
            is32,
            a =>
            {
                Map(a, is32, 1 << 30, Nothing, Private);
                a.mov(ebp, eax);
                Protect(a, is32, 32 << 20);
                a.test(eax, eax);
                ExitUnlessEqual(a, is32, 1);
                Protect(a, is32, 1 << 30);
                a.cmp(eax, -Errno.ENOMEM);
                ExitUnlessEqual(a, is32, 2);
                a.Exit(is32, 0);
            },
            new LinuxOptions { Program = "", MemoryLimit = 150L << 20 });
        Assert.Equal(0, status);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void AForkThatWouldDoubleTheMemoryGivesENoMem(bool is32)
    {
        var (status, _) = Run(
            is32,
            a =>
            {
                Map(a, is32, 80 << 20, ReadWrite, Private);
                a.Call(is32, is32 ? 2 : 57);
                a.cmp(eax, -Errno.ENOMEM);
                ExitUnlessEqual(a, is32, 1);
                a.Exit(is32, 0);
            },
            new LinuxOptions { Program = "", MemoryLimit = 150L << 20 });
        Assert.Equal(0, status);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ResidentMemoryIsThatOfTouchedPages(bool is32)
    {
        // 64 MiB mapped, 16 MiB of them written, unmapped; the peak was before that.
        var meter = new GuestMemoryMeter();
        var (status, _) = Run(
            is32,
            a =>
            {
                var loop = a.CreateLabel();
                Map(a, is32, 64 << 20, ReadWrite, Private);
                a.mov(ebp, eax);
                a.mov(edi, eax);
                a.mov(ecx, (16 << 20) / 4096);
                a.Label(ref loop);
                if (is32)
                    a.mov(__dword_ptr[edi], ecx);
                else
                    a.mov(__dword_ptr[rdi], ecx);
                a.add(edi, 4096);
                a.dec(ecx);
                a.jnz(loop);
                Unmap(a, is32, 64 << 20);
                a.Exit(is32, 0);
            },
            new LinuxOptions { Program = "", MemoryMeter = meter });
        Assert.Equal(0, status);
        Assert.InRange(meter.Peak, 16UL << 20, 18UL << 20);
        Assert.InRange(meter.Resident, 4096UL, 2UL << 20);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void TheTimeIsUpForAllGuests(bool is32)
    {
        // Two processes, one in a loop and one in a call that does not end.
        var (status, messages) = Run(
            is32,
            a =>
            {
                var child = a.CreateLabel();
                var loop = a.CreateLabel();
                a.Call(is32, is32 ? 2 : 57);
                a.test(eax, eax);
                a.jz(child);
                a.Label(ref loop);
                a.jmp(loop);
                a.Label(ref child);
                a.Call(is32, is32 ? 29 : 34); // pause
                a.Exit(is32, 1);
            },
            new LinuxOptions { Program = "", Timeout = TimeSpan.FromMilliseconds(300) });
        Assert.Equal(124, status);
        Assert.Matches(@"^dynatrans: .*: killed after 0\.3 s \(--timeout\)\n$", messages);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void UnknownCallsAreCounted(bool is32)
    {
        var unknown = new UnknownCalls();
        var (status, _) = Run(
            is32,
            a =>
            {
                for (var i = 0; i < 3; i++)
                {
                    a.Call(is32, is32 ? 253 : 212);
                    a.cmp(eax, -Errno.ENOSYS);
                    ExitUnlessEqual(a, is32, 1);
                }

                a.Call(is32, 5000);
                a.Exit(is32, 0);
            },
            new LinuxOptions { Program = "", UnknownCalls = unknown });
        Assert.Equal(0, status);
        Assert.Equal(
            is32 ? "lookup_dcookie (253, i386) 3 times, syscall_5000 (5000, i386) once" : "lookup_dcookie (212, x86-64) 3 times, syscall_5000 (5000, x86-64) once",
            unknown.Describe());
    }

    // Where the names differ, one is the other with the size of its arguments behind it (getuid16).
    [Theory]
    [InlineData(Abi.I386)]
    [InlineData(Abi.X64)]
    public void NamesOfAllNumbersAgreeWithTheImplementedOnes(Abi abi)
    {
        var different = SyscallTable.Default.All(abi).Select(e => (e.Number, Ours: e.Entry.Name, Linux: SyscallNames.Of(abi, (ulong)e.Number)))
            .Where(e => !e.Linux.StartsWith(e.Ours, StringComparison.Ordinal) && !e.Ours.StartsWith(e.Linux, StringComparison.Ordinal));
        Assert.Empty(different);
        Assert.Equal("restart_syscall", SyscallNames.Of(Abi.I386, 0));
        Assert.Equal("mseal", SyscallNames.Of(Abi.X64, 462));
        Assert.Equal("syscall_350000", SyscallNames.Of(Abi.X64, 350_000));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void AnIllegalInstructionIsReportedWithItsBytesAndSymbol(bool is32)
    {
        var image = ElfImage.Make(is32, a =>
        {
            a.nop();
            a.nop();
            a.nop();
            a.ud2();
            a.db(0x11, 0x22);
        });
        image = ElfImage.WithSymbols(image, is32, ("first", 0, 2), ("second", 2, 0), ("third", 5, 0));
        var (status, messages) = TestPrograms.Run(image);
        Assert.Equal(128 + 4, status);
        Assert.Matches(
            $@"^dynatrans: .*: killed by SIGILL at guest address 0x{ElfImage.CodeAddress(is32) + 3:x}, opcode bytes 0f 0b 11 22[ 0-9a-f]*, in second\+0x1 \(.*\)\n$",
            messages);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ABadAccessIsReportedWithItsSymbol(bool is32)
    {
        var image = ElfImage.Make(is32, a =>
        {
            if (is32)
                a.mov(eax, __dword_ptr[0x1000]);
            else
                a.mov(eax, __dword_ptr[0x1000UL]);
        });
        var (status, messages) = TestPrograms.Run(ElfImage.WithSymbols(image, is32, ("reads", 0, 0)));
        Assert.Equal(128 + 11, status);
        Assert.Matches($@"killed by SIGSEGV at guest address 0x{ElfImage.CodeAddress(is32):x}, accessing 0x1000, in reads \(.*\)\n$", messages);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void APlaceBehindTheNearestFunctionIsNearIt(bool is32)
    {
        // The one-byte function, then the fault.
        var image = ElfImage.WithSymbols(
            ElfImage.Make(is32, a =>
            {
                a.nop();
                a.ud2();
            }),
            is32,
            ("only", 0, 1));
        Assert.Contains(", near only+0x1 (", TestPrograms.Run(image).Messages);
    }

    private static (int Status, string Messages) Run(bool is32, Action<Assembler> emit, LinuxOptions options)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, ElfImage.Make(is32, emit));
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var messages = new StringWriter();
            var status = LinuxHost.Run(options with { Program = file, Environment = [], Error = messages, ForwardSignals = false });
            return (status, messages.ToString());
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static void ExitUnlessEqual(Assembler a, bool is32, int status)
    {
        var on = a.CreateLabel();
        a.je(on);
        a.Exit(is32, status);
        a.Label(ref on);
        a.nop();
    }

    private static void ExitIfEqual(Assembler a, bool is32, int status)
    {
        var on = a.CreateLabel();
        a.jne(on);
        a.Exit(is32, status);
        a.Label(ref on);
        a.nop();
    }

    // The address is in EAX; below 2 GiB in a 64-bit program (MAP_32BIT), so that 32-bit registers hold it. EBP stays.
    private static void Map(Assembler a, bool is32, int length, int protection, int flags)
    {
        const int Below2G = 0x40;
        if (!is32)
        {
            a.xor(r9d, r9d);
            a.Call(false, HostSys.Mmap, 0, (ulong)length, (ulong)protection, (ulong)(flags | Below2G), ulong.MaxValue);
            return;
        }

        a.push(ebp);
        a.xor(ebp, ebp);
        a.Call(true, 192, 0, (ulong)length, (ulong)protection, (ulong)flags, uint.MaxValue);
        a.pop(ebp);
    }

    // Of the mapping at EBP.
    private static void Unmap(Assembler a, bool is32, int length)
    {
        a.mov(is32 ? ebx : edi, ebp);
        a.mov(is32 ? ecx : esi, length);
        Invoke(a, is32, is32 ? 91 : 11);
    }

    private static void Protect(Assembler a, bool is32, int length)
    {
        a.mov(is32 ? ebx : edi, ebp);
        a.mov(is32 ? ecx : esi, length);
        a.mov(edx, ReadWrite);
        Invoke(a, is32, is32 ? 125 : 10);
    }

    private static void Invoke(Assembler a, bool is32, int number)
    {
        a.mov(eax, number);
        if (is32)
            a.@int(0x80);
        else
            a.syscall();
    }
}
