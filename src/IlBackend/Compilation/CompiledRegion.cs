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
public sealed unsafe class CompiledRegion
{
    // The handle of a dynamic method is not public; without it every transfer would go through a delegate, at twice the cost.
    internal static readonly Func<DynamicMethod, RuntimeMethodHandle> MethodHandle =
        typeof(DynamicMethod).GetMethod("GetMethodDescriptor", BindingFlags.Instance | BindingFlags.NonPublic)
            ?.CreateDelegate<Func<DynamicMethod, RuntimeMethodHandle>>()
        ?? throw new PlatformNotSupportedException("this .NET runtime does not give the method handle of a DynamicMethod");

    private readonly DynamicMethod _method;

    private CompiledRegion(Region region, DynamicMethod method, LinkList links, nint code)
    {
        Region = region;
        _method = method;
        Targets = links.Targets;
        Links = RegionLinks.New(code, links.Sites, links.Targets.Count);
    }

    /// <summary>What was compiled.</summary>
    public Region Region { get; }

    /// <summary>What the code refers to; owned by the region. Its cells are those of the first <see cref="Targets"/>, once they are bound.</summary>
    public RegionLinks* Links { get; }

    /// <summary>The guest addresses of the cells.</summary>
    public IReadOnlyList<ulong> Targets { get; }

    /// <summary>Address of the host code.</summary>
    public nint Code => Links->Code;

    /// <summary>Its number in <see cref="Runtime.Translation.EntryCell.Region"/>, from 1; 0 before it is published.</summary>
    public uint Number { get; set; }

    /// <summary>It has given its entries to code of other pages at the same addresses, and may get them back.</summary>
    public bool IsParked { get; set; }

    /// <summary>With paging, the pages that its blocks were made from, since it was published.</summary>
    public CodePageUse[] Pages { get; set; } = [];

    /// <summary>The cells (<see cref="Runtime.Translation.EntryCell"/>) that were given to it when it was published.</summary>
    internal List<nint> Cells { get; } = [];

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

    /// <summary>Says where the jumps out of the region lead. Before that the code must not be executed.</summary>
    /// <param name="cell">Gives the address of a guest address's cell.</param>
    public void Bind(Func<ulong, nint> cell)
    {
        for (var i = 0; i < Targets.Count; i++)
            RegionLinks.Cells(Links)[i] = (EntryCell*)cell(Targets[i]);
    }

    /// <summary>Frees the links. No vCPU may be inside.</summary>
    public void Release()
    {
        GC.KeepAlive(_method);
        RegionLinks.Free(Links);
    }
}
