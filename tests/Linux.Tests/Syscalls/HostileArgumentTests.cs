using DynaTrans.Linux.Syscalls;

namespace DynaTrans.Linux.Tests.Syscalls;

/// <summary>Every file and socket call with arguments that nobody would pass: each returns, none throws.</summary>
public unsafe class HostileArgumentTests
{
    private const int CallsEach = 400;

    // Calls that could use up the disk or wait for all of it.
    private static readonly HashSet<string> s_left = ["sync", "syncfs", "fallocate", "truncate", "truncate64", "ftruncate", "ftruncate64", "pwrite64", "lseek", "_llseek"];

    [Theory, InlineData(true, 1), InlineData(false, 2)]
    public void EveryCallReturns(bool is32, int seed)
    {
        var table = new SyscallTable();
        FileSyscalls.Register(table);
        CommunicationSyscalls.Register(table);
        var random = new Random(seed);
        foreach (var (_, entry) in table.All(is32 ? Abi.I386 : Abi.X64).Where(e => !s_left.Contains(e.Entry.Name)).ToList())
        {
            using var g = new TestGuest(is32);

            // Nothing waits: every call that could is interrupted.
            *g.Thread.InterruptWord = 1;
            g.Process.Files.Limit = 64;
            var text = g.Put("a/../name");
            g.Put("name");
            for (var i = 0; i < CallsEach; i++)
            {
                if (i % 50 == 0)
                {
                    g.Process.Files.CloseRange(0, uint.MaxValue);
                    g.Open("name", 0x42);
                    g.Call("pipe2", TestGuest.Buffer, 0x800);
                    g.Call("socketpair", 1, 2, 0, TestGuest.Buffer);
                    g.Open(".", 0);
                }

                var a = new ulong[6];
                for (var k = 0; k < 6; k++)
                    a[k] = Value(random, text);
                if (is32)
                    for (var k = 0; k < 6; k++)
                        a[k] = (uint)a[k];
                var result = entry.Invoke(new SyscallContext(g.Thread, g.Abi, a[0], a[1], a[2], a[3], a[4], a[5]));
                Assert.True(result > -4096 || entry.Name.Contains("seek", StringComparison.Ordinal), $"{entry.Name} gave {result}; seed {seed}, call {i}");
            }
        }
    }

    private static ulong Value(Random random, ulong text) => random.Next(10) switch
    {
        0 => (ulong)random.Next(8),
        1 => (ulong)random.Next(8),
        2 => text,
        3 => TestGuest.Buffer + (ulong)random.Next(0x100),
        4 => 0x50000 - (ulong)random.Next(32),
        5 => TestGuest.BadAddress,
        6 => ulong.MaxValue - (ulong)random.Next(128),
        7 => (ulong)random.Next() * 4,
        8 => unchecked((ulong)random.NextInt64()),
        _ => (ulong)random.Next(5000),
    };
}
