namespace DynaTrans.Frontend.Ir;

/// <summary>
/// Vector operations: one static C# method each in the runtime's Helpers/Vector folder, with a signature by category (see the runtime's
/// vector table). The interpreter calls the method by function pointer, the IL back end by a call that RyuJIT inlines.
/// </summary>
public enum VecOp : ushort
{
    /// <summary>No operation.</summary>
    None,

    /// <summary>Number of operations.</summary>
    Count,
}
