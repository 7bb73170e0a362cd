using System.Reflection;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Inspection.Text;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using Mono.Cecil;
using Mono.Cecil.Cil;
using OpCode = System.Reflection.Emit.OpCode;
using OpCodes = Mono.Cecil.Cil.OpCodes;

namespace DynaTrans.Inspection.Assemblies;

/// <summary>Writes IL into a static method of an assembly file. Entry cells and fault sites become fields of the assembly.</summary>
internal sealed unsafe class CecilSink : IlSink
{
    private static readonly Dictionary<short, Mono.Cecil.Cil.OpCode> ByValue = typeof(OpCodes).GetFields()
        .Select(field => (Mono.Cecil.Cil.OpCode)field.GetValue(null)!).ToDictionary(opcode => opcode.Value);

    private readonly AssemblyLinks _links;
    private readonly ModuleDefinition _module;
    private readonly ILProcessor _il;
    private readonly List<VariableDefinition> _locals = [];
    private readonly List<Instruction?> _labels = [];
    private readonly List<int> _pending = [];
    private readonly List<(Instruction Instruction, int[] Labels)> _branches = [];

    /// <summary>Begins a method.</summary>
    /// <param name="module">The module that it will be part of.</param>
    /// <param name="name">Its name.</param>
    /// <param name="links">Makes the fields.</param>
    public CecilSink(ModuleDefinition module, string name, AssemblyLinks links)
    {
        (_module, _links) = (module, links);
        Method = new MethodDefinition(name, Mono.Cecil.MethodAttributes.Public | Mono.Cecil.MethodAttributes.Static, module.TypeSystem.Void);
        Method.Parameters.Add(new ParameterDefinition("state", Mono.Cecil.ParameterAttributes.None, module.ImportReference(typeof(CpuState*))));
        Method.Parameters.Add(new ParameterDefinition("cell", Mono.Cecil.ParameterAttributes.None, module.ImportReference(typeof(EntryCell*))));
        Method.Parameters.Add(new ParameterDefinition("entry", Mono.Cecil.ParameterAttributes.None, module.TypeSystem.IntPtr));
        Method.ImplAttributes |= (Mono.Cecil.MethodImplAttributes)System.Reflection.MethodImplAttributes.AggressiveOptimization;
        Method.Body.InitLocals = false;
        _il = Method.Body.GetILProcessor();
    }

    /// <summary>The method; complete after <see cref="Finish"/>.</summary>
    public MethodDefinition Method { get; }

    /// <summary>Names of the locals.</summary>
    public List<string> LocalNames { get; } = [];

    /// <summary>Binds the branches to their labels and names the locals.</summary>
    public void Finish()
    {
        foreach (var (instruction, labels) in _branches)
        {
            var targets = Array.ConvertAll(labels, label => _labels[label] ?? throw new InvalidOperationException($"label {label} was not placed"));
            instruction.Operand = instruction.OpCode.Code == Code.Switch ? targets : targets[0];
        }

        var scope = new ScopeDebugInformation(Method.Body.Instructions[0], null);
        for (var i = 0; i < _locals.Count; i++)
            scope.Variables.Add(new VariableDebugInformation(_locals[i], LocalNames[i]));
        Method.DebugInformation.Scope = scope;
    }

    /// <inheritdoc/>
    public override int DeclareLocal(Type type, string name)
    {
        var local = new VariableDefinition(_module.ImportReference(type));
        Method.Body.Variables.Add(local);
        _locals.Add(local);
        LocalNames.Add(name);
        return _locals.Count - 1;
    }

    /// <inheritdoc/>
    public override int DefineLabel()
    {
        _labels.Add(null);
        return _labels.Count - 1;
    }

    /// <inheritdoc/>
    public override void MarkLabel(int label) => _pending.Add(label);

    /// <inheritdoc/>
    public override void Emit(OpCode opcode) => Append(Instruction.Create(Of(opcode)));

    /// <inheritdoc/>
    public override void Emit(OpCode opcode, int value) =>
        Append(opcode == System.Reflection.Emit.OpCodes.Unaligned ? Instruction.Create(Of(opcode), (byte)value) : Instruction.Create(Of(opcode), value));

    /// <inheritdoc/>
    public override void Emit(OpCode opcode, long value) => Append(Instruction.Create(Of(opcode), value));

    /// <inheritdoc/>
    public override void EmitLocal(OpCode opcode, int local) => Append(Instruction.Create(Of(opcode), _locals[local]));

    /// <inheritdoc/>
    public override void EmitBranch(OpCode opcode, int label)
    {
        var branch = Instruction.Create(Of(opcode), Instruction.Create(OpCodes.Nop));
        _branches.Add((branch, [label]));
        Append(branch);
    }

    /// <inheritdoc/>
    public override void EmitSwitch(int[] labels)
    {
        var branch = Instruction.Create(OpCodes.Switch, Array.Empty<Instruction>());
        _branches.Add((branch, labels));
        Append(branch);
    }

    /// <inheritdoc/>
    public override void EmitCall(MethodInfo method) => Append(Instruction.Create(OpCodes.Call, _module.ImportReference(method)));

    /// <summary>Fields are named; slots and vector cells are offsets, as in the translation.</summary>
    public override void EmitStateAddress(int offset)
    {
        var path = StateNames.PathTo(offset);
        if (path.Count == 0)
        {
            base.EmitStateAddress(offset);
            return;
        }

        Append(Instruction.Create(OpCodes.Ldarg_0));
        foreach (var field in path)
            Append(Instruction.Create(OpCodes.Ldflda, _module.ImportReference(field)));
    }

    /// <inheritdoc/>
    public override void EmitCell(int links, int index, ulong target)
    {
        Append(Instruction.Create(OpCodes.Ldsfld, _links.Cell(target)));
        Append(Instruction.Create(OpCodes.Conv_I));
    }

    /// <inheritdoc/>
    public override void EmitFaultSite(int index, in FaultSite site) => Append(Instruction.Create(OpCodes.Ldsfld, _links.Site(site)));

    /// <inheritdoc/>
    public override void EmitSiteAddress(int links) => Append(Instruction.Create(OpCodes.Conv_I));

    /// <inheritdoc/>
    public override void EmitRegionNumber(int links) => Append(Instruction.Create(OpCodes.Ldc_I8, 1L));

    /// <inheritdoc/>
    public override void EmitType(OpCode opcode, Type type) => Append(Instruction.Create(Of(opcode), _module.ImportReference(type)));

    /// <inheritdoc/>
    public override void EmitTailJump()
    {
        var site = new CallSite(_module.TypeSystem.Void);
        foreach (var parameter in Method.Parameters)
            site.Parameters.Add(new ParameterDefinition(parameter.ParameterType));
        Append(Instruction.Create(OpCodes.Tail));
        Append(Instruction.Create(OpCodes.Calli, site));
        Append(Instruction.Create(OpCodes.Ret));
    }

    private static Mono.Cecil.Cil.OpCode Of(OpCode opcode) => ByValue[opcode.Value];

    private void Append(Instruction instruction)
    {
        foreach (var label in _pending)
            _labels[label] = instruction;
        _pending.Clear();
        _il.Append(instruction);
    }
}
