namespace DynaTrans.IlBackend.Emission;

/// <summary>Paths out of the way: written after the blocks, so that RyuJIT lays them out behind the code that is executed.</summary>
internal sealed class ColdPaths(EmitContext context, ValueEmitter values)
{
    private readonly List<Action> _paths = [];

    /// <summary>The flags, whose form a path starts with.</summary>
    public FlagsEmitter Flags { private get; set; } = null!;

    /// <summary>Adds a path that needs nothing of the present state.</summary>
    public void Add(Action emit) => _paths.Add(emit);

    /// <summary>Adds a path that branches off here: it is emitted with what is known now.</summary>
    public void Here(Action emit)
    {
        var (block, insn, form, written) = (context.Block, context.Insn, Flags.Form, values.Written);
        _paths.Add(() =>
        {
            (context.Block, context.Insn, Flags.Form, values.Written) = (block, insn, form, written);
            values.ForgetAll();
            context.Il.BeginInstruction(block.Addresses[insn]);
            emit();
        });
    }

    /// <summary>Emits all paths. A path may add others.</summary>
    public void EmitAll()
    {
        for (var i = 0; i < _paths.Count; i++)
            _paths[i]();
    }
}
