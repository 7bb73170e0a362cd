namespace DynaTrans.Devices;

/// <summary>A device with registers in the guest-physical address space. Called on the machine's thread.</summary>
public interface IMemoryDevice
{
    /// <summary>Reads 1, 2, 4 or 8 bytes at an offset from the device's first address.</summary>
    ulong Read(ulong offset, int size);

    /// <summary>Writes 1, 2, 4 or 8 bytes at an offset from the device's first address.</summary>
    void Write(ulong offset, int size, ulong value);
}
