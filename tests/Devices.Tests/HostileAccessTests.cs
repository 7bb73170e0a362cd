using System.Buffers.Binary;
using System.Diagnostics;
using DynaTrans.Devices.Acpi;
using DynaTrans.Devices.Pci;
using Xunit;
using Xunit.Abstractions;

namespace DynaTrans.Devices.Tests;

/// <summary>
/// Random accesses to all registers of the interrupt controllers, the PCI bus, power management and the firmware configuration, with random passing of time,
/// DMA addresses and state records: no exception, no endless work.
/// </summary>
public sealed class HostileAccessTests(ITestOutputHelper output)
{
    private const int Accesses = 1_000_000;

    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(null)]
    public void AnyAccessIsHarmless(int? seed)
    {
        seed ??= Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed.Value);
        var machine = new Board();
        var time = Stopwatch.StartNew();
        for (var i = 0; i < Accesses; i++)
        {
            machine.Access(random);
            Assert.True(time.Elapsed < MostTime, $"seed {seed}: access {i} after {time.Elapsed}");
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(null)]
    public void AnyStateRecordIsTakenOrRefused(int? seed)
    {
        seed ??= Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed.Value);
        var machine = new Board();
        var refused = 0;
        for (var i = 0; i < 2000; i++)
        {
            for (var j = 0; j < 30; j++)
                machine.Access(random);
            var device = machine.Devices[random.Next(machine.Devices.Count)];
            var state = States.Of(device);
            for (var j = random.Next(20); j > 0 && state.Length > 0; j--)
                state[random.Next(state.Length)] = (byte)random.Next();
            if (random.Next(8) == 0)
                state = state[..random.Next(state.Length)];
            try
            {
                device.Load(new StateReader(state), 1);
            }
            catch (StateException)
            {
                refused++;
                machine = new Board();
            }
        }

        Assert.InRange(refused, 10, 1990);
    }

    // All chips with their places, callbacks answered as a machine does.
    private sealed class Board
    {
        private const int MemorySize = 0x10000;

        private readonly ManualClock _clock = new();
        private readonly PortBus _ports = new();
        private readonly MemoryBus _memory = new();
        private readonly TestMemory _ram = new(MemorySize);
        private readonly LocalApic _local;
        private readonly Piix4PowerManagement _power;
        private readonly PciBus _bus = new();
        private readonly List<InterruptLine> _lines = [];
        private ulong _page = AcpiTables.LocalApicAddress;

        public Board()
        {
            _local = new LocalApic(_clock, () => 8, tsc => (long)Math.Min(tsc, long.MaxValue));
            _local.InitRequested = _local.Init;
            _local.PageMoved = page =>
            {
                if (_page != 0)
                    _memory.Unmap(_page, LocalApic.PageSize, _local);
                _page = page ?? 0;
                if (_page != 0)
                    _memory.Map(_page, LocalApic.PageSize, _local);
            };
            _memory.Map(_page, LocalApic.PageSize, _local);
            var ioApic = new IoApic(_local);
            _memory.Map(AcpiTables.IoApicAddress, IoApic.PageSize, ioApic);
            var reset = new ResetControl(_ => _bus.Reset());
            var host = new I440fxHostBridge(_bus, reset);
            _ports.Map(I440fxHostBridge.FirstPort, I440fxHostBridge.PortCount, host);
            var isa = new SharedInterrupt[16];
            for (var i = 0; i < isa.Length; i++)
            {
                var input = ioApic.Inputs[i == 0 ? IoApic.TimerInput : i];
                isa[i] = new SharedInterrupt(input.Set);
            }

            var bridge = new Piix3IsaBridge(_bus, [.. isa.Select(i => i.AddSource())], [.. ioApic.Inputs.Skip(16).Take(4)]);
            _power = new Piix4PowerManagement(_bus, _clock, _ports, isa[9].AddSource(), () => { });
            _power.EnableBlock();
            var commands = new SmiCommandPort(_power);
            _ports.Map(SmiCommandPort.CommandPort, SmiCommandPort.PortCount, commands);
            var configuration = new FwCfg(_ram);
            configuration.AddFile("etc/writable", new byte[100], () => { });
            TableLoader.AddTo(configuration, new AcpiTables(new AcpiConfiguration()));
            _ports.Map(FwCfg.SelectorPort, FwCfg.PortCount, configuration);
            _lines.AddRange([_local.Lint0, _local.Lint1, .. isa.Select(i => i.AddSource())]);
            _lines.AddRange(ioApic.Inputs.Skip(20));
            Devices = [_local, ioApic, reset, host, bridge, _power, commands, configuration];
        }

        public List<IStatefulDevice> Devices { get; }

        public void Access(Random random)
        {
            switch (random.Next(16))
            {
                case 0:
                    _clock.Advance(1L << random.Next(24));
                    break;
                case 1:
                    _clock.Jump(1L << random.Next(36));
                    break;
                case 2:
                    _lines[random.Next(_lines.Count)].Set(random.Next(2) != 0);
                    break;
                case 3:
                    Acknowledge(random);
                    break;
                case 4:
                    WriteSystemRegister(random);
                    break;
                case 5:
                    RequestDma(random);
                    break;
                case < 11:
                    AccessMemory(random);
                    break;
                default:
                    AccessPort(random);
                    break;
            }
        }

        private void Acknowledge(Random random)
        {
            _ = _local.IsInterruptRequested;
            _local.AcknowledgeInterrupt();
            _local.AcknowledgeNmi();
            if (random.Next(50) == 0)
                _power.PressPowerButton();
            if (random.Next(50) == 0)
                _power.RaiseGeneralEvent(random.Next(16));
        }

        private void WriteSystemRegister(Random random)
        {
            if (random.Next(2) == 0)
                _local.TrySetBase(AcpiTables.LocalApicAddress | (ulong)random.Next(8) << 9 | (random.Next(8) == 0 ? (ulong)random.NextInt64() : 0));
            _local.TaskPriority = (byte)random.Next(16);
            _local.Deadline = random.Next(2) == 0 ? (ulong)_clock.Now + (ulong)random.Next(1_000_000) : (ulong)random.NextInt64() * 3;
        }

        private void RequestDma(Random random)
        {
            var request = (ulong)random.Next(MemorySize - 16);
            BinaryPrimitives.WriteUInt32BigEndian(_ram.Bytes.AsSpan((int)request), (uint)random.Next(0x30) << 16 | (uint)random.Next(32));
            BinaryPrimitives.WriteUInt32BigEndian(_ram.Bytes.AsSpan((int)request + 4), (uint)Value(random));
            BinaryPrimitives.WriteUInt64BigEndian(_ram.Bytes.AsSpan((int)request + 8), Value(random));
            if (random.Next(8) == 0)
                request = Value(random);
            _ports.Write(0x514, 4, BinaryPrimitives.ReverseEndianness((uint)(request >> 32)));
            _ports.Write(0x518, 4, BinaryPrimitives.ReverseEndianness((uint)request));
        }

        private void AccessMemory(Random random)
        {
            var size = 1 << random.Next(4);
            var isLocal = random.Next(3) != 0;
            var address = isLocal ? _page + (ulong)random.Next(0x40) * 16 : AcpiTables.IoApicAddress + (ulong)random.Next(2) * 16;
            if (random.Next(8) == 0)
                address += (ulong)random.Next(0x1000);
            if (random.Next(3) == 0)
                _memory.Read(address, size);
            else
                _memory.Write(address, random.Next(4) == 0 ? size : 4, Value(random));
        }

        private void AccessPort(Random random)
        {
            var size = 1 << random.Next(3);
            var port = random.Next(10) switch
            {
                < 3 => 0xCF8,
                < 5 => 0xCFC + random.Next(4),
                5 => 0x510 + random.Next(12),
                6 => 0xB2 + random.Next(2),
                7 => random.Next(0x10000),
                _ => (_power.Block ?? 0x600) + random.Next(64),
            };
            var value = port == 0xCF8 ? 0x8000_0000 | (uint)random.Next(0x1000) : (uint)Value(random);
            if (random.Next(3) == 0)
                _ports.Read((ushort)port, size);
            else
                _ports.Write((ushort)port, port == 0xCF8 ? 4 : size, value);
        }

        // Small, large, a bit, or anything.
        private static ulong Value(Random random) => random.Next(4) switch
        {
            0 => (ulong)random.Next(0x100),
            1 => ulong.MaxValue - (ulong)random.Next(0x100),
            2 => 1ul << random.Next(64),
            _ => (ulong)random.NextInt64(),
        };
    }
}
