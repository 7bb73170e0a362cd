using System.Runtime.InteropServices;
using DynaTrans.Linux.Host;
using Iced.Intel;

namespace DynaTrans.Linux.Tests.Interrupting;

/// <summary>The host code that is written out as bytes is what its comments say.</summary>
public sealed class HostCodeTests
{
    [Fact]
    public void SystemCallIsTheKernelsConvention() => Assert.Equal(
        ["mov rax,rdi", "mov rdi,rsi", "mov rsi,rdx", "mov rdx,rcx", "mov r10,r8", "mov r8,r9", "mov r9,[rsp+8]", "syscall", "ret"],
        Listing(HostCalls.PlainCode, 0, 9));

    [Fact]
    public void InterruptibleCallTestsItsWordFirst() => Assert.Equal(
        [
            "mov r11,rdi", "mov rax,rsi", "mov rdi,rdx", "mov rsi,rcx", "mov rdx,r8", "mov r10,r9", "mov r8,[rsp+8]", "mov r9,[rsp+10h]",
            "cmp dword ptr [r11],0", "jne short 25h", "syscall", "ret", "mov rax,0FFFFFFFFFFFFFFFCh", "ret",
        ],
        Listing(Interruption.Code, 0, 14));

    [Fact]
    public void HandlersAreWhatTheyShouldBe()
    {
        Assert.Equal(["mov eax,0Fh", "syscall"], Listing(Interruption.Code, Interruption.RestorerAt, 2));
        Assert.Equal(
            [
                "mov rax,[rdx+0A8h]", "lea rcx,[1Ch]", "cmp rax,rcx", "jbe short 61h", "lea rcx,[22h]", "cmp rax,rcx", "ja short 61h",
                "lea rcx,[25h]", "mov [rdx+0A8h],rcx", "ret",
            ],
            Listing(Interruption.Code, Interruption.KickAt, 10));
    }

    [Fact]
    public void TheBusErrorHandlerMapsAPageAndTellsTheThread()
    {
        Assert.Equal(
            [
                "cmp dword ptr [rsi+8],2", "jne short 75h", "push rsi", "mov rdi,[rsi+10h]", "and rdi,0FFFFFFFFFFFFF000h", "mov esi,1000h",
                "mov edx,3", "mov r10d,32h", "mov r8,0FFFFFFFFFFFFFFFFh", "xor r9d,r9d", "mov eax,9", "syscall",
                "cmp rax,0FFFFFFFFFFFFF001h", "jae short 75h", "mov eax,0BAh", "syscall", "pop rsi", "mov rcx,0", "mov rdx,[rcx]",
                "add rcx,20h", "cmp rcx,rdx", "jae short 74h", "cmp [rcx],eax", "jne short 50h", "cmp qword ptr [rcx+8],0", "jne short 74h",
                "mov rax,[rsi+10h]", "mov [rcx+8],rax", "mov rcx,[rcx+10h]", "lock or dword ptr [rcx],1", "ret", "mov eax,0E7h",
                "mov edi,87h", "syscall",
            ],
            Listing(BusFaults.Code, 0, 34));
        Assert.Equal((0, 8, 16, 32), (
            (int)Marshal.OffsetOf<BusFaults.Slot>(nameof(BusFaults.Slot.Thread)), (int)Marshal.OffsetOf<BusFaults.Slot>(nameof(BusFaults.Slot.Address)),
            (int)Marshal.OffsetOf<BusFaults.Slot>(nameof(BusFaults.Slot.ExitRequest)), Marshal.SizeOf<BusFaults.Slot>()));
        Assert.Equal(0xB9, BusFaults.Code[BusFaults.TableAt - 1]);
    }

    // The interruptible call: cmp at 1Ch, syscall at 22h, its exit at 25h are what the kick's handler compares with.
    [Fact]
    public void TheKickKnowsTheMarks()
    {
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(Interruption.Code.ToArray()), 0);
        var at = new Dictionary<Mnemonic, ulong>();
        while (decoder.IP < Interruption.RestorerAt)
        {
            var instruction = decoder.Decode();
            at[instruction.Mnemonic] = instruction.Mnemonic == Mnemonic.Jne ? instruction.NearBranchTarget : instruction.IP;
        }

        Assert.Equal((0x1CUL, 0x22UL, 0x25UL), (at[Mnemonic.Cmp], at[Mnemonic.Syscall], at[Mnemonic.Jne]));
    }

    private static string[] Listing(ReadOnlySpan<byte> code, int start, int count)
    {
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(code[start..].ToArray()), (ulong)start);
        var formatter = new MasmFormatter(new FormatterOptions { BranchLeadingZeros = false, UppercaseHex = true, HexSuffix = "h" });
        var lines = new string[count];
        for (var i = 0; i < count; i++)
        {
            var instruction = decoder.Decode();
            var output = new StringOutput();
            formatter.Format(instruction, output);
            lines[i] = output.ToString();
        }

        return lines;
    }
}
