using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using DynaTrans.IlBackend.Emission;

namespace DynaTrans.Inspection.HostCode;

/// <summary>
/// The same IL as a translation's DynamicMethod once more, as an ordinary method of a dynamic assembly: the runtime tells the map from IL to
/// native offsets of ordinary methods, never of a DynamicMethod. Both get the same host code, so the map of one is good for the other
/// (<see cref="HostListing"/> compares them instruction by instruction).
/// </summary>
internal sealed class TwinMethod : IlGeneratorSink
{
    private static int _count;

    private readonly TypeBuilder _type;
    private readonly string _name;
    private readonly List<IlPlace> _places = [];
    private bool _outOfLine;

    /// <summary>Begins a method.</summary>
    public TwinMethod(string name)
    {
        var assembly = AssemblyBuilder.DefineDynamicAssembly(
            new AssemblyName($"DynaTrans.Twin{Interlocked.Increment(ref _count)}"), AssemblyBuilderAccess.Run);
        var ignores = typeof(IgnoresAccessChecksToAttribute).GetConstructor([typeof(string)])!;
        foreach (var other in new[] { "DynaTrans.Frontend", "DynaTrans.Runtime", "DynaTrans.IlBackend" })
            assembly.SetCustomAttribute(new CustomAttributeBuilder(ignores, [other]));
        _type = assembly.DefineDynamicModule("twin").DefineType("Twin", TypeAttributes.Public | TypeAttributes.Abstract | TypeAttributes.Sealed);
        var method = _type.DefineMethod(name, MethodAttributes.Public | MethodAttributes.Static, typeof(void), Parameters);
        method.SetImplementationFlags(MethodImplAttributes.IL | MethodImplAttributes.AggressiveOptimization);
        method.InitLocals = false;
        Generator = method.GetILGenerator(4096);
        _name = name;
    }


    /// <summary>Where the IL of each guest instruction begins, by IL offset.</summary>
    public IReadOnlyList<IlPlace> Places => _places;

    /// <inheritdoc/>
    protected override ILGenerator Generator { get; }

    /// <summary>Compiles the method. Returns the value of its handle.</summary>
    public ulong Compile()
    {
        var handle = _type.CreateType().GetMethod(_name)!.MethodHandle;
        RuntimeHelpers.PrepareMethod(handle);
        return (ulong)handle.Value;
    }

    /// <inheritdoc/>
    public override void BeginInstruction(ulong rip) => _places.Add(new IlPlace(Generator.ILOffset, rip, _outOfLine));

    /// <inheritdoc/>
    public override void BeginGlue(string what)
    {
        _outOfLine |= what == OutOfLine;
        _places.Add(new IlPlace(Generator.ILOffset, null, _outOfLine));
    }
}

/// <summary>A place in IL where the code of a guest instruction, or of an entry or exit, begins.</summary>
/// <param name="Offset">IL offset.</param>
/// <param name="Rip">The guest instruction; null for entries and exits.</param>
/// <param name="OutOfLine">On a slow path or exit.</param>
internal readonly record struct IlPlace(int Offset, ulong? Rip, bool OutOfLine);
