using System.Reflection.Emit;
using DynaTrans.IlBackend.Emission;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>Writes IL into a method of an assembly file.</summary>
internal sealed class PersistedSink : IlGeneratorSink
{
    /// <summary>Begins the body of a method.</summary>
    public PersistedSink(MethodBuilder method)
    {
        method.InitLocals = false;
        Generator = method.GetILGenerator(4096);
    }

    /// <inheritdoc/>
    protected override ILGenerator Generator { get; }
}
