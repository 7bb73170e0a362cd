using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// How code finds out that it may access guest memory, and where in the host that is: a form of accesses (<see cref="AccessForm"/>). Tests leave
/// the address that they are about in <see cref="RegionLocals.Ea"/> and branch to a label if the access may not be done here.
/// </summary>
internal abstract class HostAccess(EmitContext context) : EmitterPart(context)
{
    /// <summary>Gets ready, at the entry of the method.</summary>
    public abstract void EmitEntry();

    /// <summary>
    /// Tests that the access of the present op may be done. False when there is nothing to test. Afterwards, until the next test,
    /// <see cref="PushHostAddress"/> gives the host address.
    /// </summary>
    public abstract bool EmitCheck(in IrOp op, int slow);

    /// <summary>Pushes the host address of the access that was tested last.</summary>
    public abstract void PushHostAddress(in IrOp op);

    /// <summary>Tests what the accesses of a loop need, on the way into it.</summary>
    public abstract void EmitLoopCheck(AccessCheck check, int slow);

    /// <summary>Tests that bytes at the address in <see cref="RegionLocals.Ea"/> may be read.</summary>
    public abstract void EmitReadCheck(int size, int slow);

    /// <summary>Pushes the host address of what <see cref="EmitReadCheck"/> has tested.</summary>
    public abstract void PushReadAddress();

    /// <summary>True when tests fail so often, as a matter of course, that accesses call the slow path from the beginning instead of leaving the code.</summary>
    public abstract bool CallsSlowPath { get; }

    /// <summary>A test has failed, and the slow path is about to be called: makes the next test succeed if that is possible.</summary>
    public abstract void EmitMiss();
}
