using System.Globalization;
using System.Reflection;
using System.Reflection.Emit;
using System.Text;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Inspection.Text;

/// <summary>A statement of IL: the instructions from one empty stack to the next.</summary>
/// <param name="Rip">The guest instruction it belongs to, or null for entries and exits.</param>
/// <param name="Glue">For those: what it is part of.</param>
/// <param name="OutOfLine">It is on a slow path or an exit, behind the code of the blocks.</param>
/// <param name="Label">Labels before it ("L3: "), or nothing.</param>
/// <param name="Text">The instructions.</param>
/// <param name="Comment">What in the guest's state it touches, or nothing.</param>
public sealed record IlStatement(ulong? Rip, string? Glue, bool OutOfLine, string Label, string Text, string Comment);

/// <summary>Writes IL down as text, with the guest instruction that each statement came from: the sink of dumps.</summary>
public sealed unsafe class RecordingSink : IlSink
{
    private readonly List<IlStatement> _statements = [];
    private readonly List<string> _locals = [];
    private readonly List<MethodInfo> _called = [];
    private readonly StringBuilder _text = new();
    private readonly StringBuilder _label = new();
    private readonly List<string> _comments = [];
    private ulong? _rip;
    private string? _glue;
    private bool _outOfLine;
    private int _labels, _depth;

    /// <summary>The statements, in order.</summary>
    public IReadOnlyList<IlStatement> Statements => _statements;

    /// <summary>Locals as "type name".</summary>
    public IReadOnlyList<string> Locals => _locals;

    /// <summary>Methods that the code calls.</summary>
    public IReadOnlyList<MethodInfo> Called => _called;

    /// <inheritdoc/>
    public override int DeclareLocal(Type type, string name)
    {
        _locals.Add(name);
        return _locals.Count - 1;
    }

    /// <inheritdoc/>
    public override int DefineLabel() => _labels++;

    /// <inheritdoc/>
    public override void MarkLabel(int label)
    {
        if (_text.Length != 0)
            Flush();
        _label.Append(CultureInfo.InvariantCulture, $"L{label}: ");
    }

    /// <inheritdoc/>
    public override void Emit(OpCode opcode) => Add(opcode, "");

    /// <inheritdoc/>
    public override void Emit(OpCode opcode, int value) => Add(opcode, Number(value));

    /// <inheritdoc/>
    public override void Emit(OpCode opcode, long value) => Add(opcode, Number(value));

    /// <inheritdoc/>
    public override void EmitLocal(OpCode opcode, int local) => Add(opcode, _locals[local]);

    /// <inheritdoc/>
    public override void EmitBranch(OpCode opcode, int label) => Add(opcode, $"L{label}");

    /// <inheritdoc/>
    public override void EmitSwitch(int[] labels) => Add(OpCodes.Switch, $"({string.Join(", ", labels.Select(l => $"L{l}"))})");

    /// <inheritdoc/>
    public override void EmitCall(MethodInfo method)
    {
        _called.Add(method);
        Add(OpCodes.Call, $"{method.DeclaringType!.Name}.{method.Name}", method);
    }

    /// <inheritdoc/>
    public override void EmitStateAddress(int offset)
    {
        base.EmitStateAddress(offset);
        if (StateNames.At(offset) is { } name)
            _comments.Add(name);
    }

    /// <inheritdoc/>
    public override void EmitCell(int links, int index, ulong target) => Add(OpCodes.Ldc_I8, $"cell_{target:x}");

    /// <inheritdoc/>
    public override void EmitFaultSite(int index, in FaultSite site) => Add(OpCodes.Ldc_I8, $"site_{site.Rip:x}");

    /// <inheritdoc/>
    public override void EmitType(OpCode opcode, Type type) => Add(opcode, type.IsGenericType ? "V128" : type.Name);

    /// <inheritdoc/>
    public override void EmitTailJump()
    {
        Append("tail. calli; ret");
        _depth = 0;
        Flush();
    }

    /// <inheritdoc/>
    public override void BeginInstruction(ulong rip)
    {
        Flush();
        (_rip, _glue) = (rip, null);
    }

    /// <inheritdoc/>
    public override void BeginGlue(string what)
    {
        Flush();
        (_rip, _glue) = (null, what);
        _outOfLine |= what == OutOfLine;
    }

    private static string Number(long value) => value is > -10 and < 10
        ? value.ToString(CultureInfo.InvariantCulture)
        : value < 0 && value > int.MinValue ? $"-0x{-value:x}" : $"0x{value:x}";

    private void Add(OpCode opcode, string operand, MethodInfo? method = null)
    {
        Append(operand.Length == 0 ? opcode.Name! : $"{opcode.Name} {operand}");
        _depth += method == null ? Effect(opcode) : (method.ReturnType == typeof(void) ? 0 : 1) - method.GetParameters().Length;
        if (_depth <= 0 && opcode.OpCodeType != OpCodeType.Prefix)
            Flush();
    }

    private void Append(string text)
    {
        if (_text.Length != 0)
            _text.Append("; ");
        _text.Append(text);
    }

    private void Flush()
    {
        if (_text.Length == 0)
            return;
        _statements.Add(new IlStatement(_rip, _glue, _outOfLine, _label.ToString(), _text.ToString(), string.Join(", ", _comments.Distinct())));
        _text.Clear();
        _label.Clear();
        _comments.Clear();
        _depth = 0;
    }

    private static int Effect(OpCode opcode) => Change(opcode.StackBehaviourPop) + Change(opcode.StackBehaviourPush);

    private static int Change(StackBehaviour behaviour) => behaviour switch
    {
        StackBehaviour.Pop0 or StackBehaviour.Push0 => 0,
        StackBehaviour.Pop1 or StackBehaviour.Popi or StackBehaviour.Popref => -1,
        StackBehaviour.Pop1_pop1 or StackBehaviour.Popi_pop1 or StackBehaviour.Popi_popi or StackBehaviour.Popi_popi8
            or StackBehaviour.Popi_popr4 or StackBehaviour.Popi_popr8 => -2,
        StackBehaviour.Push1_push1 => 2,
        StackBehaviour.Push1 or StackBehaviour.Pushi or StackBehaviour.Pushi8 or StackBehaviour.Pushr4 or StackBehaviour.Pushr8 => 1,
        _ => 0,
    };
}
