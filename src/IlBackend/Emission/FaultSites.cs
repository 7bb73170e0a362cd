using System.Runtime.InteropServices;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>The fault sites of a method: unmanaged, owned by the caller of the emitter.</summary>
internal sealed unsafe class FaultSites
{
    private readonly List<nint> _all = [];

    /// <summary>The sites made so far.</summary>
    public IReadOnlyList<nint> All => _all;

    /// <summary>Makes a site.</summary>
    /// <param name="rip">RIP where the code is left.</param>
    /// <param name="flags">The form of the flags there; all that it names is in the state.</param>
    /// <param name="notExecuted">Instructions that were counted and are not executed.</param>
    public FaultSite* New(ulong rip, in FlagsForm flags, int notExecuted)
    {
        var site = (FaultSite*)NativeMemory.AllocZeroed((nuint)sizeof(FaultSite));
        (site->Rip, site->Flags, site->NotExecuted) = (rip, flags, notExecuted);
        _all.Add((nint)site);
        return site;
    }
}
