namespace DynaTrans.Runtime.Execution;

/// <summary>
/// The guest-physical addresses of a machine that are not memory: registers of devices, and what nobody answers at. Called on the thread of the
/// vCPU that makes the access; an access never crosses a page.
/// </summary>
public interface IMemoryBus
{
    /// <summary>Reads 1, 2, 4 or 8 bytes; ones where nobody answers.</summary>
    ulong Read(ulong physical, int size);

    /// <summary>Writes 1, 2, 4 or 8 bytes; ignored where nobody answers.</summary>
    void Write(ulong physical, int size, ulong value);
}
