namespace DynaTrans.Runtime.Memory;

/// <summary>
/// The permission byte of a guest page. The fast path of an access of any size up to 16 bytes is one test of one bit of the byte of its
/// first page: <see cref="FastRead"/> and <see cref="FastWrite"/> are set only when the following page grants the same, so an access that
/// crosses into it needs no test of its own.
/// </summary>
[Flags]
public enum PagePermission : byte
{
    /// <summary>Not mapped, or PROT_NONE.</summary>
    None = 0,

    /// <summary>Readable.</summary>
    Read = 1,

    /// <summary>Writable.</summary>
    Write = 2,

    /// <summary>Executable.</summary>
    Execute = 4,

    /// <summary>Derived: this page and the next are readable.</summary>
    FastRead = 8,

    /// <summary>Derived: this page and the next are readable and writable and hold no translated code.</summary>
    FastWrite = 16,

    /// <summary>Translated code was made from bytes of this page: a write must look for it.</summary>
    HasCode = 32,

    /// <summary>The page belongs to a mapping (even when PROT_NONE).</summary>
    Mapped = 64,

    /// <summary>Derived: this page is readable and writable and holds no translated code, whatever the next page is.</summary>
    PlainWrite = 128,

    /// <summary>All derived bits.</summary>
    Derived = FastRead | FastWrite | PlainWrite,

    /// <summary>What a mapping's protection consists of.</summary>
    Protection = Read | Write | Execute,
}
