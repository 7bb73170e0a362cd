namespace DynaTrans.Runtime.State;

/// <summary>What has changed about the translation of addresses (SDM Vol. 3, 4.10.4).</summary>
public enum TranslationChange
{
    /// <summary>One page, global or not: invlpg.</summary>
    Page,

    /// <summary>All pages that are not global: a load of CR3.</summary>
    NonGlobal,

    /// <summary>All pages.</summary>
    All,

    /// <summary>A bit of CR0, CR4 or EFER that paging goes by, or the page attribute table; all pages are to be forgotten.</summary>
    Control,

    /// <summary>EFLAGS.AC with CR4.SMAP set: whether a supervisor may access pages of the user.</summary>
    UserAccess,
}
