namespace DynaTrans.Runtime.Translation;

/// <summary>Where the bytes of a block are.</summary>
/// <param name="Linear">Linear address of the first byte.</param>
/// <param name="Physical">Its address in the address space: the same, or with paging the guest-physical one.</param>
/// <param name="LastPage">Number of the page, in the address space, of the last byte.</param>
internal readonly record struct CodePlace(ulong Linear, ulong Physical, ulong LastPage);
