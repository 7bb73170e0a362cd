using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Host;

namespace DynaTrans.IlBackend.Emission;

/// <summary>Writes IL into a <see cref="DynamicMethod"/>: the sink that execution uses.</summary>
public sealed class DynamicMethodSink : IlGeneratorSink
{
    /// <summary>Begins a method.</summary>
    /// <param name="name">Its name: what profilers show.</param>
    public DynamicMethodSink(string name)
    {
        Method = new DynamicMethod(name, typeof(void), Parameters, typeof(DynamicMethodSink).Module, skipVisibility: true) { InitLocals = false };
        Generator = Method.GetILGenerator(4096);
    }

    /// <summary>The method.</summary>
    public DynamicMethod Method { get; }

    /// <inheritdoc/>
    protected override ILGenerator Generator { get; }

    /// <inheritdoc/>
    public override void EmitCall(MethodInfo method)
    {
        Preparation.Prepare(method);
        base.EmitCall(method);
    }
}
