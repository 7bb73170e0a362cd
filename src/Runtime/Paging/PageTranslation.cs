namespace DynaTrans.Runtime.Paging;

/// <summary>What a page walk has found for one 4 KiB page.</summary>
/// <param name="Physical">Guest-physical address of the page.</param>
/// <param name="IsWritable">A write by the same view would succeed, and the dirty bit is set.</param>
/// <param name="IsGlobal">A load of CR3 does not invalidate the translation.</param>
/// <param name="SizeBits">log2 of the bytes in the page that it is part of: an invalidation of any address in that affects this page.</param>
public readonly record struct PageTranslation(ulong Physical, bool IsWritable, bool IsGlobal, int SizeBits);
