using DynaTrans.Frontend.Ir;

namespace DynaTrans.IlBackend.Regions;

/// <summary>The direct edges of a region, by position in its layout. Indirect jumps lead to entries only.</summary>
internal sealed class RegionGraph
{
    private readonly List<int>[] _successors;
    private readonly List<int>[] _predecessors;

    /// <summary>Collects the edges.</summary>
    public RegionGraph(Region region)
    {
        _successors = new List<int>[region.Blocks.Count];
        _predecessors = new List<int>[region.Blocks.Count];
        for (var i = 0; i < _successors.Length; i++)
        {
            _successors[i] = [];
            _predecessors[i] = [];
        }

        foreach (var block in region.Blocks)
        {
            var last = block.Ops[^1].Op;
            if (last is IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf)
                Add(block, region.Find(block.Taken));
            if (last is IrOpcode.JumpCondition or IrOpcode.JumpIf)
                Add(block, region.Find(block.Next));
        }
    }

    /// <summary>Where a block goes to.</summary>
    public List<int> Successors(int block) => _successors[block];

    /// <summary>Where a block is come to from.</summary>
    public List<int> Predecessors(int block) => _predecessors[block];

    /// <summary>True when a backward edge leads to a block.</summary>
    public bool IsHead(int block) => _predecessors[block].Exists(from => from >= block);

    /// <summary>
    /// The blocks of the loop with a head: those from which the source of a backward edge to it is reached without passing it, and the head.
    /// </summary>
    public bool[] Loop(int head)
    {
        var loop = new bool[_successors.Length];
        loop[head] = true;
        var todo = _predecessors[head].FindAll(from => from >= head);
        while (todo.Count > 0)
        {
            var block = todo[^1];
            todo.RemoveAt(todo.Count - 1);
            if (loop[block])
                continue;
            loop[block] = true;
            todo.AddRange(_predecessors[block]);
        }

        return loop;
    }

    /// <summary>True when every way once round a loop passes a block of it.</summary>
    public bool IsOnEveryRound(int head, bool[] loop, int block)
    {
        if (block == head)
            return true;
        var seen = new bool[_successors.Length];
        seen[block] = true;
        List<int> todo = [head];
        while (todo.Count > 0)
        {
            var at = todo[^1];
            todo.RemoveAt(todo.Count - 1);
            if (seen[at])
                continue;
            seen[at] = true;
            foreach (var next in _successors[at])
            {
                if (next == head)
                    return false;
                if (loop[next])
                    todo.Add(next);
            }
        }

        return true;
    }

    private void Add(RegionBlock from, RegionBlock? to)
    {
        if (to == null)
            return;
        _successors[from.Order].Add(to.Order);
        _predecessors[to.Order].Add(from.Order);
    }
}
