using DynaTrans.Runtime.Memory;

namespace DynaTrans.Pc.Boot;

/// <summary>Firmware as a raw ROM: it ends at 4 GiB, and its last 128 KiB are below 1 MiB, too, as chip sets decode it after a reset.</summary>
internal static class RomImage
{
    private const int Largest = 16 << 20;
    private const int Shadow = 128 << 10;

    /// <summary>Reads and maps a ROM.</summary>
    /// <exception cref="BootException">It cannot be read, or has no size that a ROM has.</exception>
    public static void Load(PhysicalMemory memory, string path)
    {
        var file = ImageBytes.Read(path);
        if (file.Length % AddressSpace.PageSize != 0 || file.Length > Largest)
            throw file.Damaged($"a ROM has a multiple of 4096 bytes, at most {Largest >> 20} MiB; this one has {file.Length}");
        var bytes = file.Bytes.Span;
        memory.MapRom(PhysicalMemory.HoleEnd - (ulong)bytes.Length, bytes);
        var shadow = bytes[^Math.Min(bytes.Length, Shadow)..];
        memory.MapRom(PhysicalMemory.HighStart - (ulong)shadow.Length, shadow);
    }
}
