namespace DynaTrans.Runtime.Paging;

/// <summary>What an access does to its page.</summary>
public enum PageAccess
{
    /// <summary>Reads data.</summary>
    Read,

    /// <summary>Writes data.</summary>
    Write,

    /// <summary>Fetches an instruction.</summary>
    Fetch,
}

/// <summary>With which privilege a page is accessed (SDM Vol. 3, 4.6).</summary>
public enum PageView
{
    /// <summary>User-mode access.</summary>
    User,

    /// <summary>Supervisor-mode access that SMAP forbids in user pages.</summary>
    Supervisor,

    /// <summary>Supervisor-mode access that may touch user pages: without SMAP, or explicit and with EFLAGS.AC set.</summary>
    SupervisorAnywhere,
}
