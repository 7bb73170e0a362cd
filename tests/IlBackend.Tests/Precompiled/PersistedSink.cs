using System.Reflection.Emit;
using DynaTrans.IlBackend.Emission;

namespace DynaTrans.IlBackend.Tests.Precompiled;

/// <summary>Writes IL into a method of an assembly file.</summary>
internal sealed class PersistedSink(MethodBuilder method) : IlGeneratorSink
{
    /// <inheritdoc/>
    protected override ILGenerator Generator { get; } = method.GetILGenerator();
}
