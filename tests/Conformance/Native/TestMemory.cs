namespace DynaTrans.Conformance.Native;

/// <summary>
/// The address space of a case: the same addresses on the host and in the emulated guest. All of it lies below 2 GiB, so that 32-bit
/// code reaches it and the stubs can address it absolutely. Pages not named here are unmapped.
/// </summary>
public static class TestMemory
{
    /// <summary>Bytes in a page.</summary>
    public const int PageSize = 0x1000;

    /// <summary>Lowest address of the region.</summary>
    public const uint Base = 0x3000_0000;

    /// <summary>Bytes of address space the guest's part takes, holes included.</summary>
    public const int GuestSpan = 0x20000;

    /// <summary>Two writable pages for operands, between unmapped pages.</summary>
    public const uint Data = Base + 0x4000;

    /// <summary>Bytes of <see cref="Data"/>.</summary>
    public const int DataSize = 2 * PageSize;

    /// <summary>First address after <see cref="Data"/>: an unmapped page.</summary>
    public const uint DataEnd = Data + DataSize;

    /// <summary>A page that may be read and not written, between unmapped pages.</summary>
    public const uint ReadOnly = Base + 0x8000;

    /// <summary>Content of <see cref="ReadOnly"/>.</summary>
    public static byte[] ReadOnlyContent { get; } = MakeReadOnlyContent();

    private static byte[] MakeReadOnlyContent()
    {
        var content = new byte[PageSize];
        new Random(1).NextBytes(content);
        return content;
    }

    /// <summary>Two writable pages for the stack, between unmapped pages.</summary>
    public const uint Stack = Base + 0xA000;

    /// <summary>Bytes of <see cref="Stack"/>.</summary>
    public const int StackSize = 2 * PageSize;

    /// <summary>Two executable pages, between unmapped pages.</summary>
    public const uint Code = Base + 0x10000;

    /// <summary>Bytes of <see cref="Code"/>.</summary>
    public const int CodeSize = 2 * PageSize;

    /// <summary>Where the instruction under test usually starts: room on both sides for short jumps.</summary>
    public const uint CodeStart = Code + 0x800;

    /// <summary>Base of FS when a case uses it: 16-bit offsets from 0x6000 on reach <see cref="Data"/>.</summary>
    public const uint FsBase = Data - 0x6000;

    /// <summary>Base of GS when a case uses it: 16-bit offsets from 0x9000 on reach <see cref="Data"/>.</summary>
    public const uint GsBase = Data - 0x9000;

    /// <summary>True when [<paramref name="address"/>, +<paramref name="size"/>) lies in the writable data pages.</summary>
    public static bool IsData(ulong address, int size) => address >= Data && address + (ulong)size <= DataEnd;
}
