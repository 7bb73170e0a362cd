using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// How code finds out that it may access guest memory, and where in the host that is. Tests leave the address that they are about in
/// <see cref="RegionLocals.Ea"/> and branch to a label if the access may not be done here.
/// </summary>
internal abstract class AccessForm(EmitContext context) : EmitterPart(context)
{
    /// <summary>Gets ready, at the entry of the method.</summary>
    public abstract void EmitEntry();

    /// <summary>
    /// Tests that the access of the present op may be done. False when there is nothing to test. Afterwards <see cref="PushHostAddress"/> gives
    /// the host address; only then.
    /// </summary>
    public abstract bool EmitCheck(in IrOp op, int slow);

    /// <summary>Pushes the host address of the access that was checked last.</summary>
    public abstract void PushHostAddress(in IrOp op);

    /// <summary>Tests what the accesses of a loop need, on the way into it.</summary>
    public abstract void EmitLoopCheck(AccessCheck check, int slow);

    /// <summary>Tests that bytes at the address in <see cref="RegionLocals.Ea"/> may be read.</summary>
    public abstract void EmitReadCheck(int size, int slow);

    /// <summary>Pushes the host address of what <see cref="EmitReadCheck"/> has tested.</summary>
    public abstract void PushReadAddress();

    /// <summary>True when an access whose test fails calls the slow path; else it leaves the code.</summary>
    public abstract bool CallsSlowPath(AccessHistory history);
}
