namespace DynaTrans.Runtime.Memory;

/// <summary>Bytes of a page, by their addresses in one address space, that have changed and that translated code may have been made from.</summary>
public sealed class CodeHit
{
    private readonly PageCode _page;

    internal CodeHit(PageCode page, ulong address, ulong length)
    {
        _page = page;
        Address = address;
        Length = length;
    }

    /// <summary>Guest address of the first byte.</summary>
    public ulong Address { get; }

    /// <summary>Bytes.</summary>
    public ulong Length { get; }

    /// <summary>Drops the code. Takes the lock of the address space that has it.</summary>
    public void Drop()
    {
        lock (_page.Space.Lock)
        {
            // The page may have become another one since it was found.
            if (_page.IsCurrent)
                _page.Space.CodeChanged?.Invoke(Address, Length);
        }
    }

    /// <summary>Drops code of several address spaces, one after the other. The caller holds the lock of none.</summary>
    public static void DropAll(List<CodeHit>? hits)
    {
        if (hits == null)
            return;
        foreach (var hit in hits)
            hit.Drop();
    }
}
