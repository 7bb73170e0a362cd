using Xunit;
using Xunit.Abstractions;

namespace DynaTrans.Devices.Tests;

/// <summary>
/// A guest that does anything: random accesses of all sizes to every port of every chip, between steps of time of all lengths. Nothing throws or hangs, an
/// access does a bounded amount of work, and the state can be saved and restored at any moment.
/// </summary>
public sealed class ChipAccessTests(ITestOutputHelper output)
{
    private const int Accesses = 200_000;

    private sealed class Pc
    {
        public readonly ManualClock Clock = new();
        public readonly PortBus Ports = new();
        public readonly Intel8259APair Pic;
        public readonly Uart16550A Uart;
        public readonly I8042 Keyboard;
        public readonly IStatefulDevice[] Devices;
        public readonly InterruptLine Interrupt = Chips.Line();

        // How often a chip called out of itself.
        public int Calls;

        public Pc()
        {
            Pic = new Intel8259APair(Interrupt);
            var pit = new Intel8254(Clock, Pic.AddLine(0));
            var port61 = new SystemControlPortB(pit, Clock);
            var rtc = new Mc146818(Clock, new DateTime(2026, 1, 1), Pic.AddLine(8), _ => Calls++);
            Uart = new Uart16550A("com1", 0x3F8, Clock, Pic.AddLine(4), _ => Calls++);
            Keyboard = new I8042(Pic.AddLine(1), Pic.AddLine(12), new InterruptLine(_ => Calls++), () => Calls++);
            var port92 = new SystemControlPortA(new InterruptLine(_ => Calls++), () => Calls++);
            var post = new PostCodePort(0x80, _ => Calls++);
            Uart.ReceiveReady += () =>
            {
                while (Uart.CanReceive)
                    Uart.Receive((byte)Calls++);
            };
            Pic.Map(Ports);
            pit.Map(Ports);
            port61.Map(Ports);
            rtc.Map(Ports);
            Uart.Map(Ports);
            Keyboard.Map(Ports);
            port92.Map(Ports);
            post.Map(Ports);
            new DebugConsole(0xE9, _ => Calls++).Map(Ports);
            new IsaDebugExit(0xF4, 4, _ => Calls++).Map(Ports);
            Devices = [Clock, Pic, pit, port61, rtc, Uart, Keyboard, port92, post];
        }
    }

    private static readonly int[] Ports =
    [
        0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1, 0x40, 0x41, 0x42, 0x43, 0x61, 0x70, 0x71, 0x60, 0x64, 0x92, 0x80, 0xE9, 0xF4, 0xF7,
        0x3F8, 0x3F9, 0x3FA, 0x3FB, 0x3FC, 0x3FD, 0x3FE, 0x3FF, 0xFFFF,
    ];

    [Theory, InlineData(1), InlineData(2), InlineData(3)]
    public void RandomAccesses(int fixedSeed)
    {
        // Two seeds are always the same, one is new each time.
        var seed = fixedSeed < 3 ? fixedSeed : Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var pc = new Pc();
        var runs = 0;
        pc.Clock.DeadlineChanged += _ => runs++;
        for (var i = 0; i < Accesses; i++)
        {
            var port = (ushort)(random.Next(20) == 0 ? random.Next(0x10000) : Ports[random.Next(Ports.Length)]);
            var size = 1 << random.Next(3);
            (pc.Calls, runs) = (0, 0);
            switch (random.Next(8))
            {
                case < 4:
                    pc.Ports.Write(port, size, random.Next(3) == 0 ? (uint)random.Next(4) : (uint)random.Next(int.MinValue, int.MaxValue));
                    break;
                case < 7:
                    var value = pc.Ports.Read(port, size);
                    Assert.True(size == 4 || value >> (8 * size) == 0);
                    break;
                default:
                    if (pc.Interrupt.Level)
                        pc.Pic.Acknowledge();
                    break;
            }
            Assert.True(pc.Calls <= 100, $"access {i} called out {pc.Calls} times");
            Assert.True(runs <= 100, $"access {i} set {runs} alarms");

            // Steps from a nanosecond to months, run late as on a busy host.
            if (random.Next(4) == 0)
                pc.Clock.Drift(random.NextInt64(1L << random.Next(random.Next(200) == 0 ? 50 : 30)));
            if (random.Next(4) == 0)
                pc.Clock.RunDue();
            if (i % 1000 != 0)
                continue;
            var other = new Pc();
            Chips.Copy(pc.Devices, other.Devices);
            pc = other;
            pc.Clock.DeadlineChanged += _ => runs++;
        }
    }

    [Theory, InlineData(1), InlineData(2)]
    public void CorruptRecordsAreRefusedOrHarmless(int fixedSeed)
    {
        var seed = fixedSeed < 2 ? fixedSeed : Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var writer = new StateWriter();
        writer.WriteDevices(new Pc().Devices);
        var refused = 0;
        for (var i = 0; i < 2000; i++)
        {
            var record = writer.Written.ToArray();
            for (var changes = random.Next(1, 4); changes > 0; changes--)
                record[random.Next(record.Length)] = (byte)random.Next(256);
            var pc = new Pc();
            try
            {
                new StateReader(record).ReadDevices(pc.Devices);
            }
            catch (StateException)
            {
                refused++;
                continue;
            }
            for (var accesses = 0; accesses < 50; accesses++)
            {
                var port = (ushort)Ports[random.Next(Ports.Length)];
                pc.Ports.Read(port, 1);
                pc.Ports.Write(port, 1, (uint)random.Next(256));
                pc.Clock.Drift(random.NextInt64(1L << random.Next(40)));
                pc.Clock.RunDue();
            }
        }
        output.WriteLine($"{refused} refused");
        Assert.InRange(refused, 1, 1999);
    }
}
