using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>
/// Divides all code that was executed into regions to be compiled ahead of time. The units are functions: blocks connected by jumps, and by
/// calls to their return points. A region is a function, or as much of it as fits, with the functions that it calls often, the hottest first;
/// so that a hot loop and all that is hot in it is one region where the size limit allows. Each block becomes part of one region.
/// </summary>
internal sealed class RegionPartition
{
    /// <summary>A function that was entered less often is not taken in by what calls it: it may be of another file, which is there at other times.</summary>
    private const int MinCalleeHotness = 64;

    /// <summary>From here on the numbers say little: entries are counted up to about the time that a block is translated.</summary>
    private const int Hot = 500;

    private readonly CodeRecord _record;
    private readonly IReadOnlyList<LiftedBlock> _blocks;
    private readonly int _maxWeight;
    private readonly CodeVersions _versions;
    private readonly Dictionary<(ushort Context, int Version, ulong Rip), LiftedBlock> _at = [];
    private readonly List<LiftedBlock>[] _functions;
    private readonly int[] _functionOf;
    private readonly int[] _regionOf;
    private readonly List<List<LiftedBlock>> _regions = [];

    private RegionPartition(CodeRecord record, IReadOnlyList<LiftedBlock> blocks, int maxWeight)
    {
        (_record, _blocks, _maxWeight) = (record, blocks, maxWeight);
        _versions = new CodeVersions(record, blocks);
        foreach (var block in blocks)
        {
            var key = (block.Recorded.Context, _versions.Of(block), block.Recorded.Start);
            if (!_at.TryGetValue(key, out var known) || known.Recorded.Bytes.Length < block.Recorded.Bytes.Length)
                _at[key] = block;
        }

        _regionOf = new int[blocks.Count];
        Array.Fill(_regionOf, -1);
        _functionOf = new int[blocks.Count];
        _functions = FindFunctions();
    }

    /// <summary>Forms the regions.</summary>
    /// <param name="record">The record.</param>
    /// <param name="blocks">Its blocks, lifted.</param>
    /// <param name="maxWeight">Size limit of a region, in the measure of <see cref="RegionBuilder.MaxWeight"/>. A single block may be larger.</param>
    public static List<Region> Form(CodeRecord record, IReadOnlyList<LiftedBlock> blocks, int maxWeight)
    {
        var partition = new RegionPartition(record, blocks, maxWeight);
        partition.Divide();
        return partition.MakeRegions();
    }

    private void Divide()
    {
        var weights = Array.ConvertAll(_functions, function => function.Sum(block => block.Recorded.Hotness >= Hot ? block.Weight : 0));
        var heads = _at.Values.OrderByDescending(block => Math.Min(block.Recorded.Hotness, Hot)).ThenByDescending(block => weights[_functionOf[block.Index]])
            .ThenByDescending(block => block.Recorded.Hotness).ThenBy(block => block.Recorded.Context).ThenBy(block => block.Recorded.Start);
        foreach (var block in heads)
            if (_regionOf[block.Index] < 0)
                Grow(block);
    }

    // The hottest block's function first, then, while there is room, the functions that are called, those entered most often first. A part of a
    // function is connected as far as possible, and the hottest of what there is.
    private void Grow(LiftedBlock head)
    {
        var (number, weight) = (_regions.Count, 0);
        var region = new List<LiftedBlock>();
        _regions.Add(region);
        var inside = new PriorityQueue<LiftedBlock, int>();
        var callees = new PriorityQueue<LiftedBlock, int>();
        var begun = new HashSet<int>();
        var rests = new Queue<int>();
        inside.Enqueue(head, 0);
        while (true)
        {
            if (!inside.TryDequeue(out var block, out _))
            {
                // What of a function cannot be reached from where it was begun: the part before a loop, for instance.
                if (rests.TryDequeue(out var function))
                {
                    foreach (var other in _functions[function])
                        if (_regionOf[other.Index] < 0)
                            inside.Enqueue(other, -other.Recorded.Hotness);
                    continue;
                }

                if (!callees.TryDequeue(out block, out _))
                    return;

                // A function is taken in whole: what is hot in it may return, or call on, by what is not.
                if (_regionOf[block.Index] >= 0 || weight + RestOf(_functionOf[block.Index]) > _maxWeight)
                    continue;
            }

            if (_regionOf[block.Index] >= 0 || (region.Count > 0 && weight + block.Weight > _maxWeight))
                continue;
            weight += block.Weight;
            _regionOf[block.Index] = number;
            region.Add(block);
            if (begun.Add(_functionOf[block.Index]))
                rests.Enqueue(_functionOf[block.Index]);
            foreach (var (next, isInside) in Successors(block))
                if (isInside)
                    inside.Enqueue(next, -next.Recorded.Hotness);
                else if (next.Recorded.Hotness >= MinCalleeHotness)
                    callees.Enqueue(next, -next.Recorded.Hotness);
        }
    }

    private int RestOf(int function)
    {
        var weight = 0;
        foreach (var block in _functions[function])
            weight += _regionOf[block.Index] < 0 ? block.Weight : 0;
        return weight;
    }

    // The blocks that control may come to next, and whether they are of the same function.
    private IEnumerable<(LiftedBlock Block, bool IsInside)> Successors(LiftedBlock block)
    {
        foreach (var (target, isInside) in Targets(block))
            if (Find(block, target) is { } found)
                yield return (found, isInside);
    }

    private static IEnumerable<(ulong Rip, bool IsInside)> Targets(LiftedBlock block)
    {
        var body = block.Body;
        var isBranch = block.Ending is IrOpcode.JumpCondition or IrOpcode.JumpIf;
        if (isBranch || block.Ending == IrOpcode.Jump)
            yield return (body.Taken, !body.EndsWithCall);
        if (isBranch || body.EndsWithCall || GoesOn(block))
            yield return (body.Next, true);
        if (block.Ending != IrOpcode.JumpIndirect || (JumpKind)body.Ops[^1].Sub == JumpKind.Far)
            yield break;

        // A jump with one or two targets is a call by way of the linkage table, or of a pointer that hardly changes.
        var isTable = (JumpKind)body.Ops[^1].Sub == JumpKind.Jump && body.Targets.Count > Region.MaxComparedTargets;
        foreach (var target in body.Targets)
            yield return (target, isTable);
    }

    // Somebody else acts, a system call for instance, and then it goes on behind the block.
    private static bool GoesOn(LiftedBlock block) => block.Ending == IrOpcode.Exit;

    private LiftedBlock? Find(LiftedBlock from, ulong rip) => _at.GetValueOrDefault((from.Recorded.Context, _versions.Of(from), rip));

    // Connected components.
    private List<LiftedBlock>[] FindFunctions()
    {
        var parent = Enumerable.Range(0, _blocks.Count).ToArray();
        foreach (var block in _at.Values)
            foreach (var (next, isInside) in Successors(block))
                if (isInside)
                    parent[Root(next.Index)] = Root(block.Index);
        var numbers = new Dictionary<int, int>();
        var functions = new List<List<LiftedBlock>>();
        foreach (var block in _at.Values)
        {
            var root = Root(block.Index);
            if (!numbers.TryGetValue(root, out var number))
            {
                numbers[root] = number = functions.Count;
                functions.Add([]);
            }

            _functionOf[block.Index] = number;
            functions[number].Add(block);
        }

        return [.. functions];

        int Root(int index)
        {
            while (parent[index] != index)
                index = parent[index] = parent[parent[index]];
            return index;
        }
    }

    private List<Region> MakeRegions()
    {
        var isEntry = FindEntries();
        var regions = new List<Region>(_regions.Count);
        foreach (var blocks in _regions)
        {
            var head = blocks[0];
            var rest = blocks.Skip(1).OrderBy(block => block.Recorded.Start);
            var context = _record.Contexts[head.Recorded.Context];
            var region = new Region(context.Mode, [.. rest.Prepend(head).Select(block => block.Copy(isEntry[block.Index]))])
            {
                Context = head.Recorded.Context, IsBudgeted = context.IsBudgeted, Weight = blocks.Sum(block => block.Weight),
            };
            region.Analyse();
            regions.Add(region);
        }

        return regions;
    }

    // What is come to from outside: from another region, by way of the dispatcher, or from nowhere that is known.
    private bool[] FindEntries()
    {
        var isEntry = new bool[_blocks.Count];
        var isReached = new bool[_blocks.Count];
        var fromOtherVersions = new HashSet<(ushort Context, ulong Rip)>();
        foreach (var block in _at.Values)
        {
            foreach (var (target, _) in Targets(block))
            {
                if (Find(block, target) is not { } next)
                {
                    fromOtherVersions.Add((block.Recorded.Context, target));
                    continue;
                }

                isReached[next.Index] = true;
                isEntry[next.Index] |= _regionOf[next.Index] != _regionOf[block.Index] || (GoesOn(block) && target == block.Body.Next);
            }
        }

        foreach (var block in _at.Values)
            isEntry[block.Index] |= block.Recorded.HadEntry || !isReached[block.Index] || fromOtherVersions.Contains((block.Recorded.Context, block.Recorded.Start));
        return isEntry;
    }
}
