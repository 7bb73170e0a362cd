namespace DynaTrans.IlBackend.Emission;

/// <summary>How a region's method is left, or entered anew.</summary>
internal enum ExitKind
{
    /// <summary>Return to the dispatcher; RIP is stored.</summary>
    Return,

    /// <summary>The access at the site in <see cref="RegionLocals.Site"/> needs the slow path.</summary>
    SlowAccess,

    /// <summary>An exception is pending at the site in <see cref="RegionLocals.Site"/>.</summary>
    Fault,

    /// <summary>Not out, but to the entry switch, with <see cref="RegionLocals.Entry"/> and the address in <see cref="RegionLocals.Value"/>.</summary>
    Reenter,

    /// <summary>Jump through <see cref="RegionLocals.Cell"/>.</summary>
    Chain,
}
