using System.Runtime.InteropServices;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Inspection.Text;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Inspection;

/// <summary>
/// Takes down what a running guest's translators publish, with the guest bytes of that moment (the guest's memory is gone when it has
/// ended), and counts the instructions executed in each region. A region that is recompiled replaces its first version.
/// </summary>
public sealed unsafe class HotRegions
{
    private readonly Dictionary<ulong, DumpInput> _regions = [];

    // By head. One number each, at an address that stays: code adds to it that may outlive everything here.
    private readonly Dictionary<ulong, nint> _counters = [];

    /// <summary>What was published, the region that executed most instructions first.</summary>
    public IReadOnlyList<DumpInput> Regions
    {
        get
        {
            lock (_regions)
                return [.. _regions.Select(pair => pair.Value with { Executed = ExecutedIn(pair.Key) }).OrderByDescending(r => r.Executed)];
        }
    }

    /// <summary>The counter of a region; the same for each version of it.</summary>
    public nint CounterOf(Region region)
    {
        var head = region.Blocks[0].Start;
        lock (_regions)
        {
            if (!_counters.TryGetValue(head, out var counter))
                _counters[head] = counter = (nint)NativeMemory.AllocZeroed(sizeof(long));
            return counter;
        }
    }

    /// <summary>Listens to the translator of a vCPU. Its options may name <see cref="CounterOf"/>.</summary>
    public void Watch(Vcpu vcpu)
    {
        var memory = vcpu.Cache.Memory;
        if (vcpu.Cache.Translator is Translator translator)
            translator.Published = compiled => Add(memory, translator, compiled);
    }

    private long? ExecutedIn(ulong head) => _counters.TryGetValue(head, out var counter) ? *(long*)counter : null;

    private void Add(AddressSpace memory, Translator translator, CompiledRegion compiled)
    {
        var region = compiled.Region;
        var code = new Dictionary<ulong, byte[]>();
        foreach (var block in region.Blocks)
            code[block.Start] = ReadCode(memory, (Block*)block.Source);

        int Read(ulong address, Span<byte> destination)
        {
            if (!code.TryGetValue(address, out var bytes))
                return 0;
            var length = Math.Min(bytes.Length, destination.Length);
            bytes.AsSpan(0, length).CopyTo(destination);
            return length;
        }

        var histories = region.Blocks.SelectMany(block => block.Addresses).Distinct().ToDictionary(rip => rip, translator.HistoryOf(region.Context).History);
        var options = translator.OptionsFor(memory, compiled.Pages.Length != 0);
        lock (_regions)
            _regions[region.Blocks[0].Start] = new DumpInput(region, Read) { Histories = histories, Options = options, Pages = compiled.Pages };
    }

    // By the addresses of the address space, which with paging are physical. The block lies in two pages at most.
    private static byte[] ReadCode(AddressSpace memory, Block* block)
    {
        var bytes = new byte[block->ByteLength];
        var first = Math.Min(bytes.Length, AddressSpace.PageSize - (int)(block->Physical % AddressSpace.PageSize));
        var length = memory.Read(block->Physical, bytes.AsSpan(0, first));
        if (length == first)
            length += memory.Read(block->LastPage * AddressSpace.PageSize, bytes.AsSpan(first));
        return bytes[..length];
    }
}
