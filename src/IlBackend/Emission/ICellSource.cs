using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>Gives the cells of jump targets in the code context of a region.</summary>
public unsafe interface ICellSource : IAccessHistory
{
    /// <summary>The cell of a guest address; null when the cells are gone.</summary>
    EntryCell* Cell(ulong rip);

    /// <summary>True when the cells are gone for good: code made with them can never run.</summary>
    bool IsGone => false;
}
