namespace DynaTrans.Devices.Tests;

/// <summary>What tests of chips share.</summary>
internal static class Chips
{
    public static byte In(this IPortDevice device, int port) => (byte)device.Read((ushort)port, 1);

    public static void Out(this IPortDevice device, int port, int value) => device.Write((ushort)port, 1, (byte)value);

    public static byte In(this PortBus bus, int port) => (byte)bus.Read((ushort)port, 1);

    public static void Out(this PortBus bus, int port, int value) => bus.Write((ushort)port, 1, (byte)value);

    /// <summary>A line that counts its rising edges.</summary>
    public static InterruptLine Line(Action? rises = null) => new(level =>
    {
        if (level)
            rises?.Invoke();
    });

    /// <summary>Saves devices and loads them into others like them.</summary>
    public static void Copy(IStatefulDevice[] from, IStatefulDevice[] to)
    {
        var writer = new StateWriter();
        writer.WriteDevices(from);
        new StateReader(writer.Written).ReadDevices(to);

        // What was loaded is what was saved: saving it again gives the same record.
        var again = new StateWriter();
        again.WriteDevices(to);
        Xunit.Assert.Equal(writer.Written.ToArray(), again.Written.ToArray());
    }
}
