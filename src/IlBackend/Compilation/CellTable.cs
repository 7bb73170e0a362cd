using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>The entry cells of a block cache, by address and code context. They live as long as it. Thread-safe.</summary>
internal sealed unsafe class CellTable
{
    private const int Chunk = 64 << 10;

    private readonly Lock _gate = new();
    private readonly Dictionary<(ulong Rip, ushort Context), nint> _cells = [];
    private readonly NativeArena _memory = new(Chunk);
    private bool _isGone;

    /// <summary>The cell of an address, made if need be; null after <see cref="Dispose"/>.</summary>
    public EntryCell* Get(ulong rip, ushort context)
    {
        lock (_gate)
        {
            if (_cells.TryGetValue((rip, context), out var known))
                return (EntryCell*)known;
            if (_isGone)
                return null;
            var cell = (EntryCell*)_memory.Allocate(sizeof(EntryCell));
            cell->Rip = rip;
            cell->Context = context;
            Unlink(cell);
            _cells[(rip, context)] = (nint)cell;
            return cell;
        }
    }

    /// <summary>The cell of an address if there is one, else null.</summary>
    public EntryCell* Find(ulong rip, ushort context)
    {
        lock (_gate)
            return (EntryCell*)_cells.GetValueOrDefault((rip, context));
    }

    /// <summary>Makes a cell lead back to the dispatcher.</summary>
    public static void Unlink(EntryCell* cell)
    {
        cell->Local = 0;
        Volatile.Write(ref cell->Target, EntryCell.Pack(RegionLinks.Stub, 0));
    }

    /// <summary>Makes all cells lead back to the dispatcher. A region that is being compiled may make more meanwhile.</summary>
    public void UnlinkAll()
    {
        lock (_gate)
            foreach (var cell in _cells.Values)
                Unlink((EntryCell*)cell);
    }

    /// <summary>Frees all cells.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isGone = true;
            _cells.Clear();
            _memory.Clear();
        }
    }
}
