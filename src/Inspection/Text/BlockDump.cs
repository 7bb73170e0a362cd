using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Frontend.Passes;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Inspection.Assemblies;
using DynaTrans.Inspection.HostCode;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;
using Iced.Intel;

namespace DynaTrans.Inspection.Text;

/// <summary>An IR op as lifted and after the passes.</summary>
/// <param name="Lifted">Its text as lifted.</param>
/// <param name="Optimised">Its text after the passes; null when they removed it.</param>
public sealed record DumpedOp(string Lifted, string? Optimised);

/// <summary>A guest instruction with its IR.</summary>
/// <param name="Rip">Its address.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="Text">Intel syntax.</param>
/// <param name="Ops">Its ops.</param>
public sealed record DumpedInstruction(ulong Rip, byte[] Bytes, string Text, IReadOnlyList<DumpedOp> Ops);

/// <summary>A block of a dumped region.</summary>
/// <param name="Start">RIP of its first instruction.</param>
/// <param name="Next">RIP after its last.</param>
/// <param name="Instructions">Its instructions.</param>
public sealed record DumpedBlock(ulong Start, ulong Next, IReadOnlyList<DumpedInstruction> Instructions);

/// <summary>
/// A region (a block is a region of one) at every stage from guest bytes to host code. The IL is what the emitter writes, the host code
/// what RyuJIT makes of it: the region is compiled once more for the dump, by the code that compiles it for execution.
/// </summary>
public sealed unsafe class BlockDump
{
    private BlockDump(string name, DumpInput input, IReadOnlyList<DumpedBlock> blocks, RecordingSink il)
    {
        (Name, Input, Blocks, Il, Locals) = (name, input, blocks, il.Statements, il.Locals);
    }

    /// <summary>Name of the translation.</summary>
    public string Name { get; }

    /// <summary>What was translated.</summary>
    public DumpInput Input { get; }

    /// <summary>The region.</summary>
    public Region Region => Input.Region;

    /// <summary>Guest instructions and IR, by block.</summary>
    public IReadOnlyList<DumpedBlock> Blocks { get; }

    /// <summary>The IL.</summary>
    public IReadOnlyList<IlStatement> Il { get; }

    /// <summary>Names of the IL's locals.</summary>
    public IReadOnlyList<string> Locals { get; }

    /// <summary>The host code; empty on hosts other than x86-64.</summary>
    public IReadOnlyList<HostInstruction> Host { get; private set; } = [];

    /// <summary>True when it is known which guest instruction each host instruction came from.</summary>
    public bool HostIsAligned { get; private set; }

    /// <summary>False when the region is too large for RyuJIT to optimise: the translator would make it smaller.</summary>
    public bool IsWithinLimits { get; private set; }

    /// <summary>Bytes of host code.</summary>
    public int HostSize { get; private set; }

    /// <summary>
    /// Lifts a block from guest memory, and further blocks that it leads to by direct jumps inside a range, as a region.
    /// </summary>
    /// <param name="memory">The guest's memory; addresses are linear (flat segments).</param>
    /// <param name="rip">Where the first block begins.</param>
    /// <param name="mode">The mode to decode in.</param>
    /// <param name="low">Blocks from this address on are followed.</param>
    /// <param name="high">Blocks below this address are followed; <paramref name="low"/> for the first block alone.</param>
    /// <param name="maxBlocks">Most blocks to follow.</param>
    /// <exception cref="ArgumentException">There is no executable memory at <paramref name="rip"/>.</exception>
    public static Region Lift(AddressSpace memory, ulong rip, GuestMode mode, ulong low = 0, ulong high = 0, int maxBlocks = 128)
    {
        HelperFamilies.Register();
        var blocks = new List<RegionBlock>();
        var seen = new HashSet<ulong> { rip };
        var queue = new Queue<ulong>([rip]);
        while (blocks.Count < maxBlocks && queue.TryDequeue(out var address))
        {
            var mayRun = memory.Allows(address, 1, PagePermission.Execute);
            if (!mayRun || LiftBlock(memory.Read, address, mode, IrBlock.MaxInstructions) is not { } ir)
            {
                if (address == rip)
                    throw new ArgumentException($"there is no code at 0x{rip:x}");
                continue;
            }

            DeadFlags.Run(ir);
            var addresses = new ulong[ir.InstructionCount];
            for (var i = 0; i < addresses.Length; i++)
                addresses[i] = ir.AddressOf(i);
            blocks.Add(new RegionBlock(0, ir.Start, ir.Next, ir.Taken, ir.EndsWithCall, ir.Ops.ToArray(), addresses));
            var last = ir.Ops[^1].Op;
            if (last is IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf)
                Follow(ir.Taken);
            if (last is IrOpcode.JumpCondition or IrOpcode.JumpIf || ir.EndsWithCall)
                Follow(ir.Next);
        }

        var rest = blocks.GetRange(1, blocks.Count - 1);
        rest.Sort((a, b) => a.Start.CompareTo(b.Start));
        rest.Insert(0, blocks[0]);
        var region = new Region(mode, rest);
        region.Analyse();
        return region;

        void Follow(ulong target)
        {
            if (target >= low && target < high && seen.Add(target))
                queue.Enqueue(target);
        }
    }

    /// <summary>Dumps regions.</summary>
    /// <param name="inputs">What to dump.</param>
    public static IReadOnlyList<BlockDump> Create(IReadOnlyList<DumpInput> inputs)
    {
        HelperFamilies.Register();
        var dumps = new List<BlockDump>();
        var compiled = new List<Compiled>();
        using (var session = JitSession.TryStart())
        {
            foreach (var input in inputs)
            {
                var region = input.Region;
                var sink = new RecordingSink();
                RegionEmitter.Emit(sink, region, new KnownHistories(input.Histories), input.Options);
                var name = $"guest_{region.Blocks[0].Start:x}";
                dumps.Add(new BlockDump(name, input, [.. region.Blocks.Select(block => DumpGuest(input.Code, block, region.Mode))], sink));
                compiled.Add(Compile(name, input, sink));
            }

            var methods = session?.Stop();
            for (var i = 0; i < dumps.Count; i++)
                dumps[i].AddHost(compiled[i], methods);
        }

        foreach (var one in compiled)
            GC.KeepAlive(one.Method);

        return dumps;
    }

    private void AddHost(Compiled compiled, IReadOnlyDictionary<ulong, JittedMethod>? methods)
    {
        var method = methods?.GetValueOrDefault(compiled.Handle)
            ?? new JittedMethod(compiled.Code, HostListing.Measure(compiled.Code), []);
        Host = HostListing.Make(method, methods?.GetValueOrDefault(compiled.TwinHandle), compiled.Places, compiled.Names, out var aligned);
        (HostIsAligned, HostSize, IsWithinLimits) = (aligned, method.Size, compiled.IsWithinLimits);
    }

    private static Compiled Compile(string name, DumpInput input, RecordingSink recorded)
    {
        var (region, options) = (input.Region, input.Options);
        var sink = new DynamicMethodSink(name);
        var histories = new KnownHistories(input.Histories);
        RegionEmitter.Emit(sink, region, histories, options);
        var handle = CompiledRegion.MethodHandle(sink.Method);
        RuntimeHelpers.PrepareMethod(handle);
        var twin = new TwinMethod(name);
        RegionEmitter.Emit(twin, region, histories, options);
        var twinHandle = twin.Compile();

        var names = new Dictionary<ulong, string>();
        foreach (var method in recorded.Called.Distinct())
            HostListing.AddNames(names, method);
        return new Compiled(sink.Method, (ulong)handle.Value, twinHandle, (ulong)handle.GetFunctionPointer(), twin.Places, names, sink.Fullness < 1);
    }

    private static DumpedBlock DumpGuest(GuestCodeReader code, RegionBlock block, GuestMode mode)
    {
        var lifted = LiftBlock(code, block.Start, mode, block.Addresses.Length);
        var bytes = new byte[block.Next - block.Start];
        var got = code(block.Start, bytes);
        var decoder = Decoder.Create(mode.Bitness(), new ByteArrayCodeReader(bytes, 0, got));
        decoder.IP = block.Start;
        var formatter = new GuestFormatter();
        var instructions = new List<DumpedInstruction>();
        for (var i = 0; i < block.Addresses.Length; i++)
        {
            decoder.Decode(out var instruction);
            var start = (int)(block.Addresses[i] - block.Start);
            var end = i + 1 < block.Addresses.Length ? (int)(block.Addresses[i + 1] - block.Start) : bytes.Length;
            instructions.Add(new DumpedInstruction(
                block.Addresses[i], bytes[start..end], formatter.Format(instruction), PairOps(lifted, block, i)));
        }

        return new DumpedBlock(block.Start, block.Next, instructions);
    }

    // The passes only remove ops and take attributes away. Where the guest has changed the bytes since, only the translation's ops are known.
    private static List<DumpedOp> PairOps(IrBlock? lifted, RegionBlock block, int instruction)
    {
        var optimised = block.Ops.Where(op => op.Insn == instruction).ToList();
        string Text(in IrOp op) => IrPrinter.Op(op, block.Taken, block.Next);
        var result = new List<DumpedOp>();
        var next = 0;
        if (lifted != null)
        {
            foreach (var op in lifted.Ops)
            {
                if (op.Insn != instruction)
                    continue;
                var kept = next < optimised.Count && IsSame(op, optimised[next]);
                result.Add(new DumpedOp(Text(op), kept ? Text(optimised[next]) : null));
                next += kept ? 1 : 0;
            }
        }

        return next == optimised.Count ? result : [.. optimised.Select(op => new DumpedOp(Text(op), Text(op)))];
    }

    private static bool IsSame(IrOp a, IrOp b)
    {
        (a.Dispatch, a.Attr, b.Dispatch, b.Attr) = (0, 0, 0, 0);
        return MemoryMarshal.AsBytes(new ReadOnlySpan<IrOp>(in a)).SequenceEqual(MemoryMarshal.AsBytes(new ReadOnlySpan<IrOp>(in b)));
    }

    private static IrBlock? LiftBlock(GuestCodeReader reader, ulong rip, GuestMode mode, int count)
    {
        const int longest = 15;
        var bytes = new byte[IrBlock.MaxInstructions * longest];
        var available = reader(rip, bytes);
        var block = new IrBlock();
        fixed (byte* code = bytes)
            return new Lifter().Lift(block, code, available, rip, mode, count) ? block : null;
    }

    private sealed record Compiled(
        DynamicMethod Method, ulong Handle, ulong TwinHandle, ulong Code, IReadOnlyList<IlPlace> Places,
        IReadOnlyDictionary<ulong, string> Names, bool IsWithinLimits);
}
