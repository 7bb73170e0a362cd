using DynaTrans.Linux.Host;
using DynaTrans.Linux.Tests.Loading;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Linux.Tests.Memory;

/// <summary>A mapped file is made shorter by somebody who is no guest, while guest code uses the pages.</summary>
public sealed class TruncationTests : IDisposable
{
    private const uint At = 0x2000_0000;
    private readonly string _file = Path.GetTempFileName();

    public static TheoryData<bool, bool> Ways => new() { { false, false }, { false, true }, { true, false }, { true, true } };

    // The guest says in the file's first byte that it runs, then reads the second page for ever.
    [Theory]
    [MemberData(nameof(Ways))]
    public async Task TheGuestGetsItsSignal(bool is32, bool translated)
    {
        File.WriteAllBytes(_file, new byte[8192]);
        var image = ElfImage.Make(is32, a =>
        {
            var again = a.CreateLabel();
            var (open, map) = is32 ? (5, 192) : (HostSys.Open, HostSys.Mmap);

            // The stack: argument count, program name, file name.
            if (is32)
            {
                a.mov(ebx, __[esp + 8]);
                a.mov(ecx, 2);
                a.mov(eax, open);
                a.@int(0x80);
                a.mov(edi, eax);
                a.mov(ebx, At);
                a.mov(ecx, 8192);
                a.mov(edx, 3);
                a.mov(esi, 0x11);
                a.xor(ebp, ebp);
                a.mov(eax, map);
                a.@int(0x80);
            }
            else
            {
                a.mov(rdi, __[rsp + 16]);
                a.mov(esi, 2);
                a.mov(eax, open);
                a.syscall();
                a.mov(r8, rax);
                a.mov(edi, At);
                a.mov(esi, 8192);
                a.mov(edx, 3);
                a.mov(r10d, 0x11);
                a.xor(r9d, r9d);
                a.mov(eax, map);
                a.syscall();
            }

            a.mov(ebx, At);
            if (is32)
                a.mov(__byte_ptr[ebx], 1);
            else
                a.mov(__byte_ptr[rbx], 1);
            a.Label(ref again);
            if (is32)
                a.mov(eax, __dword_ptr[ebx + 4100]);
            else
                a.mov(eax, __dword_ptr[rbx + 4100]);
            a.jmp(again);
        });
        var program = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(program, image);
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var run = Task.Run(() => TestPrograms.RunFile(program, translated, _file));
            using var file = new FileStream(_file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            while (!run.IsCompleted && First(file) == 0)
                await Task.Delay(1);
            file.SetLength(4096);
            var (status, messages) = await run;
            Assert.Equal(128 + 7, status);
            Assert.Contains("SIGBUS at guest address", messages);
            Assert.Contains($"accessing 0x{At + 4100:x}", messages);
        }
        finally
        {
            File.Delete(program);
        }
    }

    public void Dispose() => File.Delete(_file);

    private static byte First(FileStream file)
    {
        Span<byte> first = stackalloc byte[1];
        RandomAccess.Read(file.SafeFileHandle, first, 0);
        return first[0];
    }
}
