using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Precompiled;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Tests.Precompiled;

/// <summary>
/// Regions of a run as an assembly file with its image, not compiled in advance: RyuJIT compiles it when it is used, which is the same code.
/// </summary>
internal sealed class TestImage : IDisposable
{
    private static int s_last;

    private readonly string _directory = Directory.CreateTempSubdirectory("dynatrans-image-").FullName;

    public TestImage(Machine machine, Translator translator, IEnumerable<Region> regions, IReadOnlyList<RecordedAccess>? accesses = null)
    {
        var form = PrecompiledForm.Of(translator.OptionsFor(machine.Memory, machine.Cache.IsPaged));
        var name = $"Regions{Interlocked.Increment(ref s_last)}";
        var assembly = new PersistedAssemblyBuilder(new AssemblyName(name), typeof(object).Assembly);
        var attribute = typeof(IgnoresAccessChecksToAttribute).GetConstructor([typeof(string)])!;
        foreach (var other in new[] { "DynaTrans.Frontend", "DynaTrans.Runtime", "DynaTrans.IlBackend" })
            assembly.SetCustomAttribute(new CustomAttributeBuilder(attribute, [other]));
        var type = assembly.DefineDynamicModule(name).DefineType("Regions", TypeAttributes.Public | TypeAttributes.Abstract | TypeAttributes.Sealed);
        var made = new List<(MethodBuilder Method, Region Region, LinkList Links)>();
        foreach (var region in regions)
        {
            var method = type.DefineMethod($"r{made.Count}", MethodAttributes.Public | MethodAttributes.Static, typeof(void), IlGeneratorSink.Parameters);
            method.SetImplementationFlags(MethodImplAttributes.AggressiveOptimization);
            var emitter = RegionEmitter.Emit(new PersistedSink(method, new HashSet<MethodInfo>()), region, translator.HistoryOf(region.Context), form.Options);
            made.Add((method, region, emitter.Links));
        }

        type.CreateType();
        var file = Path.Combine(_directory, name + ".dll");
        assembly.Save(file);
        Image = new PrecompiledImage(
            name + ".dll", PrecompiledCode.HashOf(file), machine.Cache.Contexts.ToArray(),
            [.. made.Select(m => new PrecompiledRegion(
                m.Method.MetadataToken, m.Region.Context, [.. m.Region.Entries.Select(e => new PrecompiledEntry(e.Start, (ushort)e.Entry))],
                RangesOf(machine, m.Region), [.. m.Links.Targets], m.Links.Sites.ToArray()))])
        {
            Form = form,
            Accesses = accesses ?? [],
        };
        ImageFile = Path.Combine(_directory, name + ".image");
        using (var stream = File.Create(ImageFile))
            PrecompiledImageFile.Write(stream, Image);
    }

    public PrecompiledImage Image { get; }

    public string ImageFile { get; }

    public PrecompiledCode Open()
    {
        var code = PrecompiledCode.Open(ImageFile, out var reason);
        Assert.True(code != null, reason);
        return code!;
    }

    public void Dispose()
    {
        // The assembly stays loaded: its file may be removed all the same.
        Directory.Delete(_directory, recursive: true);
    }

    private static unsafe List<PrecompiledRange> RangesOf(Machine machine, Region region)
    {
        var ranges = new List<(ulong Linear, List<byte> Bytes)>();
        foreach (var block in region.Blocks.OrderBy(block => ((Block*)block.Source)->Linear))
        {
            var source = (Block*)block.Source;
            Assert.True(source->Valid != 0);
            var bytes = new byte[source->ByteLength];
            lock (machine.Memory.Lock)
                machine.Cache.CopyBytes(source, bytes);
            if (ranges.Count > 0 && source->Linear <= ranges[^1].Linear + (ulong)ranges[^1].Bytes.Count)
            {
                var known = (int)Math.Min((ulong)bytes.Length, ranges[^1].Linear + (ulong)ranges[^1].Bytes.Count - source->Linear);
                ranges[^1].Bytes.AddRange(bytes[known..]);
            }
            else
                ranges.Add((source->Linear, [.. bytes]));
        }

        return [.. ranges.Select(range => new PrecompiledRange(range.Linear, [.. range.Bytes]))];
    }
}
