using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Export;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Cli.Dumping;

/// <summary>
/// Takes down what a running guest's translators publish, in the order in which it became hot, with the guest bytes of that moment: the
/// guest's memory is gone when it has ended. A region that is made again replaces its first version.
/// </summary>
internal sealed class HotRegions
{
    private readonly List<DumpInput> _regions = [];
    private readonly Dictionary<ulong, int> _byHead = [];

    /// <summary>What was published, the earliest first.</summary>
    public IReadOnlyList<DumpInput> Regions
    {
        get
        {
            lock (_regions)
                return [.. _regions];
        }
    }

    /// <summary>Listens to the translator of a vCPU.</summary>
    public void Watch(Vcpu vcpu)
    {
        var memory = vcpu.Cache.Memory;
        if (vcpu.Cache.Translator is Translator translator)
            translator.Published = compiled => Add(memory, translator, compiled);
    }

    private void Add(AddressSpace memory, Translator translator, CompiledRegion compiled)
    {
        var region = compiled.Region;
        var code = new Dictionary<ulong, byte[]>();
        foreach (var block in region.Blocks)
        {
            var bytes = new byte[block.Next - block.Start];
            code[block.Start] = bytes[..memory.Read(block.Start, bytes)];
        }

        int Read(ulong address, Span<byte> destination)
        {
            if (!code.TryGetValue(address, out var bytes))
                return 0;
            var length = Math.Min(bytes.Length, destination.Length);
            bytes.AsSpan(0, length).CopyTo(destination);
            return length;
        }

        var slow = region.Blocks.SelectMany(block => block.Addresses).Where(translator.OftenSlow).ToHashSet();
        var input = new DumpInput(region, Read) { OftenSlow = slow };
        var head = region.Blocks[0].Start;
        lock (_regions)
        {
            if (_byHead.TryGetValue(head, out var index))
                _regions[index] = input;
            else
            {
                _byHead[head] = _regions.Count;
                _regions.Add(input);
            }
        }
    }
}
