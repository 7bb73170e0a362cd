namespace DynaTrans.Cli.Commands;

/// <summary>Exit statuses of <c>dynatrans</c> itself, as shells and <c>env</c> use them. A guest's own status passes through.</summary>
internal static class ExitStatus
{
    /// <summary>All went well.</summary>
    public const int Ok = 0;

    /// <summary>A case was malformed (exec), or a check failed.</summary>
    public const int Failed = 1;

    /// <summary>Interpreter and translator differ (run --verify).</summary>
    public const int Difference = 2;

    /// <summary>The guest has reset its machine (boot). Even, for the debug-exit port gives odd ones.</summary>
    public const int Reset = 4;

    /// <summary>The guest's processor has met a triple fault (boot).</summary>
    public const int TripleFault = 6;

    /// <summary>The guest's processor has halted for ever (boot).</summary>
    public const int Halted = 8;

    /// <summary>The time given by --timeout was up.</summary>
    public const int Timeout = Linux.LinuxHost.TimeoutStatus;

    /// <summary>DynaTrans was called wrongly, or failed itself.</summary>
    public const int Usage = 125;

    /// <summary>The program was found but cannot be run.</summary>
    public const int CannotRun = 126;

    /// <summary>The program was not found.</summary>
    public const int NotFound = 127;
}
