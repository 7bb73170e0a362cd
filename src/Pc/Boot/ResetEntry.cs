using DynaTrans.Runtime.State;

namespace DynaTrans.Pc.Boot;

/// <summary>The state after a reset, at FFFFFFF0h: a ROM begins so.</summary>
internal sealed unsafe class ResetEntry : IBootEntry
{
    /// <inheritdoc/>
    public void Apply(CpuState* s)
    {
    }
}
