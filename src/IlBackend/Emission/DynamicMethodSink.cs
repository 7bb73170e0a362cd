using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>Writes IL into a <see cref="DynamicMethod"/>: the sink that execution uses.</summary>
public sealed unsafe class DynamicMethodSink : IlSink
{
    /// <summary>Parameter types of a translation.</summary>
    public static readonly Type[] Parameters = [typeof(CpuState*), typeof(EntryCell*), typeof(nint)];

    private readonly ILGenerator _il;
    private readonly List<LocalBuilder> _locals = [];
    private readonly List<Label> _labels = [];
    private int _references;
    private int _flowPoints;
    private int _instructions;

    /// <summary>Begins a method.</summary>
    /// <param name="name">Its name: what profilers show.</param>
    public DynamicMethodSink(string name)
    {
        Method = new DynamicMethod(name, typeof(void), Parameters, typeof(DynamicMethodSink).Module, skipVisibility: true) { InitLocals = false };
        _il = Method.GetILGenerator(4096);
    }

    /// <summary>The method.</summary>
    public DynamicMethod Method { get; }

    /// <summary>
    /// False when RyuJIT would compile the method without optimising, silently: more than 8,000 references to locals or 2,000 basic blocks
    /// or 20,000 instructions (measured; docs/dotnet-limits.md).
    /// </summary>
    public bool IsWithinLimits => _references < 7600 && _flowPoints < 1900 && _instructions < 19000;

    /// <inheritdoc/>
    public override int DeclareLocal(Type type, string name)
    {
        _locals.Add(_il.DeclareLocal(type));
        return _locals.Count - 1;
    }

    /// <inheritdoc/>
    public override int DefineLabel()
    {
        _labels.Add(_il.DefineLabel());
        return _labels.Count - 1;
    }

    /// <inheritdoc/>
    public override void MarkLabel(int label)
    {
        _flowPoints++;
        _il.MarkLabel(_labels[label]);
    }

    /// <inheritdoc/>
    public override void Emit(OpCode opcode)
    {
        _instructions++;
        if (opcode == OpCodes.Ldarg_0)
            _references++;
        _il.Emit(opcode);
    }

    /// <inheritdoc/>
    public override void Emit(OpCode opcode, int value)
    {
        _instructions++;
        if (opcode == OpCodes.Unaligned)
            _il.Emit(opcode, (byte)value);
        else
            _il.Emit(opcode, value);
    }

    /// <inheritdoc/>
    public override void Emit(OpCode opcode, long value)
    {
        _instructions++;
        _il.Emit(opcode, value);
    }

    /// <inheritdoc/>
    public override void EmitLocal(OpCode opcode, int local)
    {
        _instructions++;
        _references++;
        _il.Emit(opcode, _locals[local]);
    }

    /// <inheritdoc/>
    public override void EmitBranch(OpCode opcode, int label)
    {
        _instructions++;
        _flowPoints += opcode == OpCodes.Br ? 0 : 1;
        _il.Emit(opcode, _labels[label]);
    }

    /// <inheritdoc/>
    public override void EmitSwitch(int[] labels) => _il.Emit(OpCodes.Switch, Array.ConvertAll(labels, l => _labels[l]));

    /// <inheritdoc/>
    public override void EmitCall(MethodInfo method) => _il.Emit(OpCodes.Call, method);

    /// <inheritdoc/>
    public override void EmitType(OpCode opcode, Type type) => _il.Emit(opcode, type);

    /// <inheritdoc/>
    public override void EmitTailJump()
    {
        _il.Emit(OpCodes.Tailcall);
        _il.EmitCalli(OpCodes.Calli, CallingConventions.Standard, typeof(void), Parameters, null);
        _il.Emit(OpCodes.Ret);
    }
}
