using DynaTrans.Runtime.State;

namespace DynaTrans.Pc.Boot;

/// <summary>The state in which a processor begins what was loaded.</summary>
internal unsafe interface IBootEntry
{
    /// <summary>Puts a processor that has been reset into the state.</summary>
    void Apply(CpuState* s);
}
