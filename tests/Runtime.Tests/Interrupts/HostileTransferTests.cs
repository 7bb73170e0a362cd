using System.Security.Cryptography;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;
using Xunit.Abstractions;
using static DynaTrans.Runtime.Tests.Interrupts.SystemMachine;

namespace DynaTrans.Runtime.Tests.Interrupts;

/// <summary>
/// Random transfers of control through random tables: descriptors, gates, task segments, stacks and selectors that mean nothing. Nothing reaches the host, a
/// run ends with its budget, and both executors come to the same state.
/// </summary>
public sealed unsafe class HostileTransferTests(ITestOutputHelper output)
{
    private const int Slices = 8, SliceLength = 60;

    // Selectors that there is a descriptor for, and others; with random RPL and table.
    private static readonly ushort[] s_selectors =
        [0, Code0, Data0, Code1, Data1, Code2, Data2, Code3, Data3, Conforming0, Code64, UserCode64, Code16, Stack16, Absent, Task1, Free, 0x90, 0x98, 0xA0, 0xA8, 0xB0, 0xFFF8];

    [Theory]
    [InlineData(SystemMode.Long, 400, false)]
    [InlineData(SystemMode.Protected, 800, false)]
    [InlineData(SystemMode.Real, 200, false)]
    [InlineData(SystemMode.Long, 30, true)]
    [InlineData(SystemMode.Protected, 40, true)]
    [InlineData(SystemMode.Real, 15, true)]
    public void RandomTablesAndCode(SystemMode mode, int count, bool translated)
    {
        var first = Environment.TickCount & 0xFFFFFF;
        output.WriteLine($"seeds from {first}");
        for (var seed = first; seed < first + count; seed++)
            try
            {
                var state = RunSeed(mode, seed, false);
                if (translated)
                    Assert.Equal(state, RunSeed(mode, seed, true));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{mode}, seed {seed}", e);
            }
    }

    private static string RunSeed(SystemMode mode, int seed, bool translated)
    {
        using var m = new SystemMachine(translated, mode);
        var random = new Random(seed);
        Fill(m, random, Code, 0x1000);
        Fill(m, random, Handlers, 0x1000);
        if (mode != SystemMode.Real)
            RandomTables(m, random);
        for (var i = 0; i < 64; i++)
            m.Write32(Stack0 - 0x100 + ((ulong)i * 4), Word(random));
        for (var i = 0; i < 8; i++)
            if (i != 4)
                m[(ushort)(Slot.Rax + i)] = Word(random);
        if (mode != SystemMode.Real && random.Next(2) == 0)
            m.EnterLevel(random.Next(1, 4), Code);
        m[Slot.Rsp] -= (ulong)random.Next(0x80) * 2;
        CpuAccess.SetEflags(m.State, (uint)(random.Next() & 0x3000) | (random.Next(8) == 0 ? Eflags.NT : 0) | (random.Next(16) == 0 ? Eflags.TF : 0) | Eflags.IF | 2);
        for (var i = 0; i < Slices && !m.IsOver; i++)
        {
            m.Run(SliceLength);
            if (random.Next(3) == 0)
            {
                m.Requested.Clear();
                m.Requested.Enqueue((byte)random.Next(256));
                m.Cpu.RequestExit();
            }

            if (random.Next(10) == 0)
                m.NmiCount = 1;
        }

        return Describe(m);
    }

    private static void RandomTables(SystemMachine m, Random random)
    {
        for (ushort selector = Free; selector <= 0xB0; selector += 8)
            m.SetDescriptor(selector, Descriptor(random));
        for (var i = 0; i < 6; i++)
            if (random.Next(3) == 0)
                m.SetDescriptor((ushort)(random.Next(1, 17) * 8), Descriptor(random));
        for (var i = 0; i < 256; i++)
            if (random.Next(3) == 0)
                m.SetGate(i, random.Next(0x80, 0x100), Selector(random), Handler(random.Next(256)), random.Next(4) == 0 ? random.Next(8) : 0);
        for (var i = 0u; i < 0x68; i += 4)
            if (random.Next(3) == 0)
                m.Write32(Tss + i, Word(random));
        for (var i = 0u; i < 0x68; i += 4)
            m.Write32(Tss2 + i, Word(random));
        foreach (var tss in (ReadOnlySpan<ulong>)[Tss, Tss2])
            if (random.Next(8) != 0)
                m.Write32(tss + 0x1C, (uint)PageTables);
        if (random.Next(16) == 0)
            m.State->System.Idtr.Limit = (ushort)random.Next(0x1000);
        if (random.Next(16) == 0)
            m.State->System.Tr.Limit = (uint)random.Next(0x70);
    }

    // A segment of any type; or a gate or task that leads somewhere.
    private static ulong Descriptor(Random random)
    {
        var type = (ulong)random.Next(0x80, 0x100);
        var address = random.Next(3) switch { 0 => Tss2, 1 => Code, _ => 0UL };
        return random.Next(3) == 0
            ? GateBits((int)type, Selector(random), Handler(random.Next(256)), random.Next(32)).Low
            : (random.Next(2) == 0 ? 0xFFFFu : (ulong)random.Next(0x80)) | (address << 16) | (type << 40) | ((ulong)random.Next(16) << 52) | (0xFUL << 48);
    }

    private static ushort Selector(Random random)
    {
        var selector = s_selectors[random.Next(s_selectors.Length)];
        return (ushort)(selector | (random.Next(2) == 0 ? random.Next(4) : 0) | (random.Next(20) == 0 ? 4 : 0));
    }

    private static uint Word(Random random) => random.Next(6) switch
    {
        0 => Selector(random),
        1 => (uint)(Code + (ulong)random.Next(0x1000)),
        2 => (uint)(Stack0 - (ulong)random.Next(0x100)),
        3 => 0x202 | ((uint)random.Next() & 0x37D00),
        4 => (uint)random.Next(),
        _ => (uint)random.Next(0x80000),
    };

    private static void Fill(SystemMachine m, Random random, ulong at, int length)
    {
        var bytes = new List<byte>(length + 16);
        while (bytes.Count < length)
            bytes.AddRange(Instruction(random));
        m.Space.Write(at, [.. bytes[..length]]);
    }

    private static byte[] Instruction(Random random)
    {
        var selector = BitConverter.GetBytes(Selector(random));
        var word = BitConverter.GetBytes(Word(random));
        return random.Next(20) switch
        {
            0 => [0xCD, (byte)random.Next(256)],
            1 => [0xCC],
            2 => [0xCF],
            3 => [0x48, 0xCF],
            4 => [0xCB],
            5 => [0x66, 0xCF],
            6 => [0x9A, .. word, .. selector],
            7 => [0xEA, .. word, .. selector],
            8 => [0x66, 0xB8, .. selector, 0x8E, (byte)(0xC0 | (random.Next(6) << 3))],
            9 => [0x68, .. word],
            10 => [0x68, .. word, 0x68, .. selector, 0, 0, 0x68, .. word],
            11 => [0x9D],
            12 => [0xFA],
            13 => [0xFB],
            14 => [0xF1],
            15 => [0xCE],
            16 => [0x0F, 0xB2, 0x24, 0x24],
            17 => [0xCA, (byte)random.Next(16), 0],
            18 => [0xFF, (byte)(0x1B + (random.Next(2) * 16)), 0x90],
            _ => [0x90, 0x40, 0x0F, 0x0B],
        };
    }

    private static string Describe(SystemMachine m)
    {
        var s = m.State;
        var registers = string.Join(' ', Enumerable.Range(0, 18).Select(i => Register(s, i)));
        var segments = string.Join(' ', Enumerable.Range(0, 6).Select(i => Segment(s, i)));
        var bytes = new byte[End];
        m.Space.Read(0, bytes);
        return $"{registers} {CpuAccess.GetEflags(s):X} {segments} mode {s->Mode:X} tr {s->System.Tr.Selector:X} cr2 {s->System.Cr2:X} "
            + $"shutdowns {m.Shutdowns} {Convert.ToHexString(SHA256.HashData(bytes))}";

        static string Register(CpuState* s, int i) => $"{s->Slots[i]:X}";
        static string Segment(CpuState* s, int i) =>
            $"{CpuAccess.Segment(s, i)->Selector:X}:{CpuAccess.Segment(s, i)->Attributes:X}:{CpuAccess.Segment(s, i)->Limit:X}:{s->Slots[Slot.EsBase + i]:X}";
    }
}
