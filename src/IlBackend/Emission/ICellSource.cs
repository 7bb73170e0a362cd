using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>Gives the cell of a jump target.</summary>
public unsafe interface ICellSource : IAccessHistory
{
    /// <summary>The cell of a guest address in a mode; null when the cells are gone.</summary>
    EntryCell* Cell(ulong rip, GuestMode mode);

    /// <summary>True when the cells are gone for good: code made with them can never run.</summary>
    bool IsGone => false;
}
