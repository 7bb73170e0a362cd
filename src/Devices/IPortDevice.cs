namespace DynaTrans.Devices;

/// <summary>A device with I/O ports. Called on the machine's thread.</summary>
public interface IPortDevice
{
    /// <summary>Reads 1, 2 or 4 bytes from a port; a port that has no such register gives ones.</summary>
    uint Read(ushort port, int size);

    /// <summary>Writes 1, 2 or 4 bytes to a port.</summary>
    void Write(ushort port, int size, uint value);
}
