namespace DynaTrans.Runtime.State;

/// <summary>Bits of the exit-request word.</summary>
[Flags]
public enum ExitRequests
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The host wants Run to return.</summary>
    Host = 1,

    /// <summary>Blocks were dropped: look everything up again.</summary>
    Invalidation = 2,

    /// <summary>A flush of the block cache waits for this vCPU.</summary>
    Flush = 4,

    /// <summary>Permissions have changed: what translated code has found out about them no longer holds.</summary>
    Permissions = 8,

    /// <summary>An exception is due before the next instruction (<see cref="CpuAccess.RaiseLater"/>).</summary>
    Trap = 16,
}
