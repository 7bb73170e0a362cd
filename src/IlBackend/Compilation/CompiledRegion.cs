using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;

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
    private readonly IReadOnlyList<nint> _sites;

    private CompiledRegion(Region region, DynamicMethod method, IReadOnlyList<nint> sites, nint code)
    {
        Region = region;
        _method = method;
        _sites = sites;
        Code = code;
    }

    /// <summary>What was compiled.</summary>
    public Region Region { get; }

    /// <summary>The fault sites of the code (<see cref="Runtime.Translation.FaultSite"/>).</summary>
    public IReadOnlyList<nint> FaultSites => _sites;

    /// <summary>Address of the host code.</summary>
    public nint Code { get; }

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
    /// <param name="cells">Gives the cells of jump targets.</param>
    /// <param name="options">What to include.</param>
    /// <param name="fullness">How large it is beside what RyuJIT optimises (<see cref="IlGeneratorSink.Fullness"/>).</param>
    /// <returns>
    /// Null when the region is too large (a region of one block is compiled all the same), or when <paramref name="cells"/> are gone.
    /// </returns>
    public static CompiledRegion? TryCompile(Region region, ICellSource cells, EmitOptions options, out double fullness)
    {
        var head = region.Blocks[0];
        var sink = new DynamicMethodSink($"guest_{head.Start:x}");
        var emitter = RegionEmitter.Emit(sink, region, cells, options);
        fullness = sink.Fullness;
        if ((fullness >= 1 && region.Blocks.Count > 1) || cells.IsGone)
        {
            FreeSites(emitter.FaultSites);
            return null;
        }

        var handle = MethodHandle(sink.Method);
        RuntimeHelpers.PrepareMethod(handle);
        return new CompiledRegion(region, sink.Method, emitter.FaultSites, handle.GetFunctionPointer());
    }

    /// <summary>Frees the fault sites. No vCPU may be inside.</summary>
    public void Release()
    {
        GC.KeepAlive(_method);
        FreeSites(_sites);
    }

    private static void FreeSites(IReadOnlyList<nint> sites)
    {
        foreach (var site in sites)
            NativeMemory.Free((void*)site);
    }
}
