using DynaTrans.Runtime.Helpers.Vector;
using DynaTrans.Runtime.Host;

namespace DynaTrans.Runtime.Execution;

/// <summary>What the host must be: guest vector and x87 instructions are carried out by the host's own.</summary>
public static class HostRequirements
{
    /// <summary>Null when the host will do, else a sentence that says what it lacks.</summary>
    public static string? Missing() => NativeCode.IsSupported && VectorTable.IsHostSupported
        ? null
        : "this program needs a Linux host with an x86-64 processor with SSE4.2";
}
