namespace DynaTrans.Devices.Tests;

/// <summary>State records in tests.</summary>
internal static class States
{
    /// <summary>Gives a device the state of another one of its kind.</summary>
    public static void Copy(IStatefulDevice from, IStatefulDevice to)
    {
        var writer = new StateWriter();
        writer.WriteDevices([from]);
        new StateReader(writer.Written).ReadDevices([to]);
    }

    /// <summary>The state as bytes.</summary>
    public static byte[] Of(IStatefulDevice device)
    {
        var writer = new StateWriter();
        device.Save(writer);
        return writer.Written.ToArray();
    }
}
