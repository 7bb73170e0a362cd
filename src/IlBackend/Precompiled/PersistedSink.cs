using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.IlBackend.Emission;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>Writes IL into a method of an assembly file.</summary>
internal sealed class PersistedSink : IlGeneratorSink
{
    private readonly ISet<MethodInfo> _called;

    /// <summary>Begins the body of a method.</summary>
    /// <param name="method">The method.</param>
    /// <param name="called">Receives what it calls.</param>
    public PersistedSink(MethodBuilder method, ISet<MethodInfo> called)
    {
        _called = called;
        method.InitLocals = false;
        Generator = method.GetILGenerator(4096);
    }

    /// <inheritdoc/>
    protected override ILGenerator Generator { get; }

    /// <inheritdoc/>
    public override void EmitCall(MethodInfo method)
    {
        _called.Add(method);
        base.EmitCall(method);
    }
}
