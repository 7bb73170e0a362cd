using System.Runtime.InteropServices;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Inspection.Assemblies;

/// <summary>
/// Cells for translations that are only looked at or tried out: jumps out of them return to the caller, and nothing that runs is touched.
/// Must outlive the code made with it.
/// </summary>
/// <param name="histories">Instructions whose accesses get a slow path in the code.</param>
public sealed unsafe class DetachedCells(IReadOnlyDictionary<ulong, AccessHistory> histories) : ICellSource, IDisposable
{
    private readonly Dictionary<ulong, nint> _cells = [];

    /// <summary>Names of the cells by address.</summary>
    public IEnumerable<KeyValuePair<ulong, string>> Names => _cells.Select(pair => KeyValuePair.Create((ulong)pair.Value, $"cell_{pair.Key:x}"));

    /// <inheritdoc/>
    public EntryCell* Cell(ulong rip)
    {
        if (!_cells.TryGetValue(rip, out var cell))
            _cells[rip] = cell = (nint)DetachedLinks.Cell(rip);
        return (EntryCell*)cell;
    }

    /// <inheritdoc/>
    public AccessHistory History(ulong rip) => histories.GetValueOrDefault(rip);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var cell in _cells.Values)
            NativeMemory.Free((void*)cell);
        _cells.Clear();
    }
}
