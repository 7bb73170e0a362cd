using Xunit;

namespace DynaTrans.Devices.Tests;

public sealed class StateRecordTests
{
    private sealed class Device(string name, int version, byte[] bytes) : IStatefulDevice
    {
        public string Name => name;

        public int Version => version;

        public void Save(StateWriter w)
        {
            w.WriteUInt64(0x1122_3344_5566_7788);
            w.WriteBytes(bytes);
        }

        public void Load(StateReader r, int loaded)
        {
            Assert.Equal(0x1122_3344_5566_7788UL, r.ReadUInt64());
            r.ReadBytes(bytes.AsSpan());
        }
    }

    [Fact]
    public void RecordsAreLittleEndianWithLengths()
    {
        var writer = new StateWriter();
        writer.WriteDevice(new Device("ab", 3, [9]));
        Assert.Equal("02-00-00-00-61-62-03-00-00-00-0D-00-00-00-88-77-66-55-44-33-22-11-01-00-00-00-09",
            BitConverter.ToString(writer.Written.ToArray()));
    }

    [Fact]
    public void DevicesFindTheirRecords()
    {
        var writer = new StateWriter();
        writer.WriteDevices([new Device("a", 1, [1, 2]), new Device("b", 1, [3])]);
        byte[] a = [0, 0], b = [0];
        new StateReader(writer.Written).ReadDevices([new Device("b", 2, b), new Device("a", 1, a)]);
        Assert.Equal([1, 2], a);
        Assert.Equal([3], b);
    }

    [Fact]
    public void CorruptRecordsAreRefused()
    {
        var writer = new StateWriter();
        writer.WriteDevices([new Device("a", 2, [1, 2])]);
        var good = writer.Written.ToArray();
        for (var length = 0; length < good.Length; length++)
            Refused(good.AsSpan(0, length), new Device("a", 2, [0, 0]));
        Refused(good, new Device("c", 2, [0, 0]));
        Refused(good, new Device("a", 1, [0, 0]));
        Refused(good, new Device("a", 2, [0]));
        Refused(good, new Device("a", 2, [0, 0]), new Device("b", 2, [0, 0]));
        good[0] = 2;
        Refused(good, new Device("a", 2, [0, 0]));
        Assert.Throws<StateException>(() => new StateReader(new byte[] { 2 }).ReadBoolean());
        Assert.Throws<StateException>(() => new StateReader(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF }).ReadBytes(int.MaxValue));
    }

    private static void Refused(ReadOnlySpan<byte> record, params Device[] devices)
    {
        var reader = new StateReader(record.ToArray());
        Assert.Throws<StateException>(() => reader.ReadDevices(devices));
    }
}
