using DynaTrans.Linux.Syscalls;
using DynaTrans.Linux.Tests.Syscalls;

namespace DynaTrans.Linux.Tests.Ipc;

/// <summary>
/// System V IPC and message queue calls on objects of the test's own, with arguments that nobody would pass: each returns, none throws. Numbers
/// of objects are never random ones, which could be somebody else's.
/// </summary>
public sealed unsafe class HostileIpcTests
{
    private const int Calls = 20000, Create = 0x200 | 0x180, Remove = 0;

    [Theory]
    [InlineData(true, 5)]
    [InlineData(false, 6)]
    public void EveryCallReturns(bool is32, int seed)
    {
        using var g = new TestGuest(is32);
        var random = new Random(seed);
        var queue = Object(g.Call("msgget", 0, Create));
        var set = Object(g.Call("semget", 0, 5, Create));
        var segment = Object(g.Call("shmget", 0, 20000, Create));
        try
        {
            for (var i = 0; i < Calls; i++)
            {
                // Nothing waits.
                *g.Thread.InterruptWord = 1;
                var result = random.Next(8) switch
                {
                    0 => g.Call("msgsnd", queue, Value(), Value(), Value()),
                    1 => g.Call("msgrcv", queue, Value(), Value(), Value(), Value()),
                    2 => g.Call("msgctl", queue, Command(), Value()),
                    3 when is32 => g.Call("semtimedop_time64", set, Value(), Value(), Value()),
                    3 => g.Call("semtimedop", set, Value(), Value(), Value()),
                    4 => g.Call("semctl", set, (ulong)random.Next(7), Command(), Value()),
                    5 => g.Call("shmat", segment, Value() & ~0x30000UL, Value()),
                    6 => g.Call("shmctl", segment, Command(), Value()),
                    _ when is32 => g.Call("ipc", Kind(out var id), id, Value(), Command(), Value(), Value()),
                    _ => g.Call("shmdt", Value()),
                };
                Assert.True(result > -4096 || !is32, $"{result}; seed {seed}, call {i}");
            }
        }
        finally
        {
            g.Call("msgctl", queue, Remove);
            g.Call("semctl", set, 0, Remove);
            g.Call("shmctl", segment, Remove);
        }

        // Without the calls that make objects, and not the one that removes them.
        ulong Kind(out ulong id)
        {
            (var call, id) = random.Next(7) switch
            {
                0 => (1UL, set),
                1 => (4UL, set),
                2 => (11UL, queue),
                3 => (12UL, queue),
                4 => (21UL, segment),
                5 => (22UL, segment),
                _ => (99UL, queue),
            };
            return call | ((ulong)(uint)random.Next(3) << 16);
        }

        ulong Command() => (uint)random.Next(1, 24) | (random.Next(4) == 0 ? 0x100UL : 0);

        ulong Value() => random.Next(8) switch
        {
            0 => (ulong)random.Next(8),
            1 => TestGuest.Buffer + (ulong)random.Next(0x100),
            2 => 0x50000 - (ulong)random.Next(32),
            3 => TestGuest.BadAddress,
            4 => ulong.MaxValue - (ulong)random.Next(128),
            5 => unchecked((ulong)random.NextInt64()),
            6 => (ulong)random.Next(1, 64) * 4096,
            _ => (ulong)random.Next(20000),
        };
    }

    private static ulong Object(long id)
    {
        Assert.True(id >= 0, $"{id}");
        return (ulong)id;
    }
}
