using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>
/// A region with its host code. The <see cref="DynamicMethod"/> must be referenced as long as any vCPU may be inside it; its code goes when
/// the garbage collector finds it unreferenced.
/// </summary>
public sealed unsafe class CompiledRegion : PublishedRegion
{
    // The handle of a dynamic method is not public; without it every transfer would go through a delegate, at twice the cost.
    internal static readonly Func<DynamicMethod, RuntimeMethodHandle> MethodHandle =
        typeof(DynamicMethod).GetMethod("GetMethodDescriptor", BindingFlags.Instance | BindingFlags.NonPublic)
            ?.CreateDelegate<Func<DynamicMethod, RuntimeMethodHandle>>()
        ?? throw new PlatformNotSupportedException("this .NET runtime does not give the method handle of a DynamicMethod");

    private readonly DynamicMethod _method;
    private readonly LinkList _links;
    private readonly ulong[] _targets;
    private readonly nint _code;

    private CompiledRegion(Region region, DynamicMethod method, LinkList links, nint code)
        : base(RegionLinks.New(code, links.Sites, links.Targets.Count))
    {
        Region = region;
        _method = method;
        (_links, _code) = (links, code);
        _targets = [.. links.Targets];
    }

    /// <summary>The same code for another address space.</summary>
    /// <param name="other">The region there. Its links may have been freed.</param>
    /// <param name="region">What it was compiled from, as the other address space has it.</param>
    internal CompiledRegion(CompiledRegion other, Region region)
        : this(region, other._method, other._links, other._code)
    {
    }

    /// <summary>What was compiled.</summary>
    public Region Region { get; }

    /// <inheritdoc/>
    public override ReadOnlySpan<ulong> Targets => _targets;

    /// <inheritdoc/>
    public override ushort Context => Region.Context;

    /// <summary>What other address spaces know it as; null when they do not.</summary>
    internal SharedRegion? Shared { get; set; }

    /// <summary>Emits and compiles a region, on the calling thread.</summary>
    /// <param name="region">The region, analysed.</param>
    /// <param name="history">How earlier translations have fared.</param>
    /// <param name="options">What to include.</param>
    /// <param name="fullness">How large it is beside what RyuJIT optimises (<see cref="IlGeneratorSink.Fullness"/>).</param>
    /// <returns>Null when the region is too large (a region of one block is compiled all the same).</returns>
    public static CompiledRegion? TryCompile(Region region, IAccessHistory history, EmitOptions options, out double fullness)
    {
        var head = region.Blocks[0];
        var sink = new DynamicMethodSink($"guest_{head.Start:x}");
        var emitter = RegionEmitter.Emit(sink, region, history, options);
        fullness = sink.Fullness;
        if (fullness >= 1 && region.Blocks.Count > 1)
            return null;

        var handle = MethodHandle(sink.Method);
        RuntimeHelpers.PrepareMethod(handle);
        CompiledIl.Drop(sink.Method);
        return new CompiledRegion(region, sink.Method, emitter.Links, handle.GetFunctionPointer());
    }

    /// <inheritdoc/>
    public override void Release()
    {
        GC.KeepAlive(_method);
        base.Release();
    }
}
