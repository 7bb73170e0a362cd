namespace DynaTrans.Devices;

/// <summary>What the CMOS memory of a PC says of the machine: the bytes of IBM's AT set-up program, and those that SeaBIOS reads.</summary>
public static class CmosMemory
{
    /// <summary>Why the CPU was reset, for the BIOS: 0 is a power-on or a plain reset.</summary>
    public const int ShutdownStatus = 0x0F;

    /// <summary>The kinds of two floppy drives, 4 bits each; 0 is none. A drive that is announced without a controller costs a guest seconds.</summary>
    public const int FloppyDrives = 0x10;

    /// <summary>Bit 0: floppy drives; 1: FPU; 2: PS/2 mouse; 4, 5: the display (0: VGA).</summary>
    public const int Equipment = 0x14;

    private const ulong KiB = 1024, MiB = 1024 * KiB;

    /// <summary>Describes a PC without floppy drives, with FPU and PS/2 mouse.</summary>
    /// <param name="rtc">The chip that has the memory.</param>
    /// <param name="below">Bytes of RAM below 4 GiB, 1 MiB or more.</param>
    /// <param name="above">Bytes of RAM from 4 GiB on.</param>
    public static void Describe(Mc146818 rtc, ulong below, ulong above)
    {
        rtc[ShutdownStatus] = 0;
        rtc[FloppyDrives] = 0;
        rtc[Equipment] = 0x06;

        // Base memory and memory from 1 MiB on in KiB; the latter in two places, up to 64 MiB.
        SetWord(rtc, 0x15, 640);
        var extended = Math.Min((below - MiB) / KiB, 0xFFFF);
        SetWord(rtc, 0x17, extended);
        SetWord(rtc, 0x30, extended);

        // From 16 MiB on in 64 KiB, and from 4 GiB on, three bytes.
        SetWord(rtc, 0x34, below > 16 * MiB ? Math.Min((below - 16 * MiB) / (64 * KiB), 0xFFFF) : 0);
        var high = above / (64 * KiB);
        SetWord(rtc, 0x5B, high);
        rtc[0x5D] = (byte)(high >> 16);
        UpdateChecksum(rtc);
    }

    /// <summary>Works out the sum of 10h to 2Dh at 2Eh and 2Fh; call it after changes there.</summary>
    public static void UpdateChecksum(Mc146818 rtc)
    {
        var sum = 0;
        for (var i = 0x10; i <= 0x2D; i++)
            sum += rtc[i];
        rtc[0x2E] = (byte)(sum >> 8);
        rtc[0x2F] = (byte)sum;
    }

    private static void SetWord(Mc146818 rtc, int register, ulong value)
    {
        rtc[register] = (byte)value;
        rtc[register + 1] = (byte)(value >> 8);
    }
}
