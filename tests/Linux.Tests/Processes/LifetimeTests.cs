using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Tests.Loading;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Linux.Tests.Processes;

/// <summary>Tests that count what the whole host process holds: nothing runs beside them.</summary>
[CollectionDefinition(nameof(ResourceCounting), DisableParallelization = true)]
public sealed class ResourceCounting;

/// <summary>What ends leaves nothing behind: threads, mappings, unmanaged memory, descriptors, translators.</summary>
[Collection(nameof(ResourceCounting))]
public sealed partial class LifetimeTests
{
    private const int Many = 120;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ForkAndExecveLeaveNothingBehind(bool is32)
    {
        // The first run brings what stays for good: compiled methods, the compile thread, caches of the allocators.
        Run(is32, Many, []);
        var before = Resources.Now();
        var translators = new List<WeakReference>();
        Run(is32, Many, translators);
        var after = Resources.Now();
        Assert.True(translators.Count >= 2 * Many);
        Assert.Equal(0, translators.Count(t => t.IsAlive));
        Assert.InRange(after.GuestThreads, 0, 0);
        Assert.InRange(after.TranslatorThreads, 0, Math.Max(1, Environment.ProcessorCount - 1));
        Assert.InRange(after.Descriptors - before.Descriptors, -1000, 2);

        // A window, a table of blocks, a chunk of blocks, a vCPU: each address space would leave more than 2 MiB in five mappings.
        Assert.InRange(after.Mappings - before.Mappings, -10_000, Many / 2);
        Assert.InRange(after.MappedBytes - before.MappedBytes, -(1L << 50), 64L << 20);
        Assert.InRange(after.Allocated - before.Allocated, -(1L << 40), 16L << 20);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Run(bool is32, int count, List<WeakReference> translators)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, ElfImage.Make(is32, a => Program(a, is32, count)));
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var status = LinuxHost.Run(new LinuxOptions
            {
                Program = file,
                Environment = [],
                Error = new StringWriter(),
                ForwardSignals = false,
                TranslatorFactory = _ =>
                {
                    var translator = new Translator(new TranslatorOptions(Threshold: 20));
                    lock (translators)
                        translators.Add(new WeakReference(translator));
                    return translator;
                },
            });
            Assert.Equal(0, status);
        }
        finally
        {
            File.Delete(file);
        }
    }

    // Without arguments: so many times fork, execve of itself with an argument, and wait. With one: a thread, which ends at once, and a loop
    // that is worth compiling.
    private static void Program(Assembler a, bool is32, int count)
    {
        var again = a.CreateLabel();
        var child = a.CreateLabel();
        var worker = a.CreateLabel();
        var thread = a.CreateLabel();
        var loop = a.CreateLabel();
        const int Thread = 0x50F00;
        if (is32)
        {
            a.cmp(__dword_ptr[esp], 1);
            a.jne(worker);
            a.mov(ebp, __dword_ptr[esp + 4]);
            a.push(count);
            a.Label(ref again);
            a.Call(true, 2);
            a.test(eax, eax);
            a.jz(child);
            a.Call(true, 114, uint.MaxValue, 0, 0, 0);
            a.dec(__dword_ptr[esp]);
            a.jnz(again);
            a.Exit(true, 0);
            a.Label(ref child);
            a.push(0);
            a.push(ebp);
            a.push(ebp);
            a.mov(ecx, esp);
            a.mov(ebx, ebp);
            a.xor(edx, edx);
            a.mov(eax, 11);
            a.@int(0x80);
            a.Exit(true, 9);
            a.Label(ref worker);
            a.lea(ecx, __[esp - 0x10000]);
            a.mov(ebx, Thread);
            a.xor(edx, edx);
            a.xor(esi, esi);
            a.xor(edi, edi);
            a.mov(eax, 120);
            a.@int(0x80);
        }
        else
        {
            a.cmp(__qword_ptr[rsp], 1);
            a.jne(worker);
            a.mov(rbp, __qword_ptr[rsp + 8]);
            a.push(count);
            a.Label(ref again);
            a.Call(false, 57);
            a.test(eax, eax);
            a.jz(child);
            a.Call(false, 61, ulong.MaxValue, 0, 0, 0);
            a.dec(__dword_ptr[rsp]);
            a.jnz(again);
            a.Exit(false, 0);
            a.Label(ref child);
            a.push(0);
            a.push(rbp);
            a.push(rbp);
            a.mov(rsi, rsp);
            a.mov(rdi, rbp);
            a.xor(edx, edx);
            a.mov(eax, 59);
            a.syscall();
            a.Exit(false, 9);
            a.Label(ref worker);
            a.lea(rsi, __[rsp - 0x10000]);
            a.mov(edi, Thread);
            a.xor(edx, edx);
            a.xor(r10d, r10d);
            a.xor(r8d, r8d);
            a.mov(eax, 56);
            a.syscall();
        }

        a.test(eax, eax);
        a.jz(thread);
        a.mov(ecx, 5000);
        a.Label(ref loop);
        a.dec(ecx);
        a.jnz(loop);
        a.Call(is32, is32 ? 252 : 231, 0);
        a.Label(ref thread);
        a.Exit(is32, 0);
    }

    /// <summary>What the host process holds.</summary>
    private readonly partial record struct Resources(
        int GuestThreads, int TranslatorThreads, int Descriptors, int Mappings, long MappedBytes, long Allocated)
    {
        public static Resources Now()
        {
            for (var i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }

            // A thread ends a little after what it ran.
            SpinWait.SpinUntil(() => Threads("guest") == 0, TimeSpan.FromSeconds(20));
            var maps = File.ReadAllLines("/proc/self/maps");
            return new Resources(
                Threads("guest"), Threads("translator"), Directory.GetFiles("/proc/self/fd").Length, maps.Length, maps.Sum(LengthOf), Malloc());
        }

        private static int Threads(string name) => Directory.GetDirectories("/proc/self/task").Count(task =>
        {
            try
            {
                return File.ReadAllText(task + "/comm").StartsWith(name, StringComparison.Ordinal);
            }
            catch (IOException)
            {
                return false;
            }
        });

        private static long LengthOf(string line)
        {
            var range = line.Split(' ')[0].Split('-');
            return (long)(Convert.ToUInt64(range[1], 16) - Convert.ToUInt64(range[0], 16));
        }

        // Bytes that malloc has given out and not got back: fields uordblks and hblkhd of the ten of mallinfo2(3).
        private static long Malloc()
        {
            const int Mapped = 4, InUse = 7;
            var info = MallInfo();
            return info[Mapped] + info[InUse];
        }

        [LibraryImport("libc", EntryPoint = "mallinfo2")]
        private static partial MallocInfo MallInfo();

        [InlineArray(10)]
        private struct MallocInfo
        {
            private long _first;
        }
    }
}
