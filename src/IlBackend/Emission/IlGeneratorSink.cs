using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>Writes IL by an <see cref="ILGenerator"/>.</summary>
public abstract unsafe class IlGeneratorSink : IlSink
{
    /// <summary>Parameter types of a translation.</summary>
    public static readonly Type[] Parameters = [typeof(CpuState*), typeof(EntryCell*), typeof(nint)];

    private readonly List<LocalBuilder> _locals = [];
    private readonly List<Label> _labels = [];
    private int _references;
    private int _basicBlocks;
    private int _instructions;
    private bool _beginsBlock = true;

    /// <summary>
    /// The size in terms of what RyuJIT optimises. Above 1 it would compile the method without optimising, silently: more than 8,000
    /// references to locals or 2,000 basic blocks or 20,000 instructions (measured; docs/dotnet-limits.md).
    /// </summary>
    public double Fullness => Math.Max(_references / 7600.0, Math.Max(_basicBlocks / 1900.0, _instructions / 19000.0));

    /// <summary>The generator.</summary>
    protected abstract ILGenerator Generator { get; }

    /// <inheritdoc/>
    public override int DeclareLocal(Type type, string name)
    {
        _locals.Add(Generator.DeclareLocal(type));
        return _locals.Count - 1;
    }

    /// <inheritdoc/>
    public override int DefineLabel()
    {
        _labels.Add(Generator.DefineLabel());
        return _labels.Count - 1;
    }

    /// <inheritdoc/>
    public override void MarkLabel(int label)
    {
        BeginBlock();
        Generator.MarkLabel(_labels[label]);
    }

    /// <inheritdoc/>
    public override void Emit(OpCode opcode)
    {
        CountInstruction();
        if (opcode == OpCodes.Ldarg_0)
            _references++;
        Generator.Emit(opcode);
        if (opcode == OpCodes.Ret)
            BeginBlock();
    }

    /// <inheritdoc/>
    public override void Emit(OpCode opcode, int value)
    {
        CountInstruction();
        if (opcode == OpCodes.Unaligned)
            Generator.Emit(opcode, (byte)value);
        else
            Generator.Emit(opcode, value);
    }

    /// <inheritdoc/>
    public override void Emit(OpCode opcode, long value)
    {
        CountInstruction();
        Generator.Emit(opcode, value);
    }

    /// <inheritdoc/>
    public override void EmitLocal(OpCode opcode, int local)
    {
        CountInstruction();
        _references++;
        Generator.Emit(opcode, _locals[local]);
    }

    /// <inheritdoc/>
    public override void EmitBranch(OpCode opcode, int label)
    {
        CountInstruction();
        Generator.Emit(opcode, _labels[label]);
        BeginBlock();
    }

    /// <inheritdoc/>
    public override void EmitSwitch(int[] labels)
    {
        CountInstruction();
        Generator.Emit(OpCodes.Switch, Array.ConvertAll(labels, l => _labels[l]));
        BeginBlock();
    }

    /// <inheritdoc/>
    public override void EmitCall(MethodInfo method)
    {
        CountInstruction();
        Generator.Emit(OpCodes.Call, method);
    }

    /// <inheritdoc/>
    public override void EmitType(OpCode opcode, Type type)
    {
        CountInstruction();
        Generator.Emit(opcode, type);
    }

    /// <inheritdoc/>
    public override void EmitTailJump()
    {
        CountInstruction();
        Generator.Emit(OpCodes.Tailcall);
        Generator.EmitCalli(OpCodes.Calli, CallingConventions.Standard, typeof(void), Parameters, null);
        Generator.Emit(OpCodes.Ret);
        BeginBlock();
    }

    private void CountInstruction()
    {
        _instructions++;
        _beginsBlock = false;
    }

    // A basic block begins here: there is a label, or what came last was a branch. Several labels in one place begin one block.
    private void BeginBlock()
    {
        if (!_beginsBlock)
            _basicBlocks++;
        _beginsBlock = true;
    }
}
