using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>
/// What instructions say about translations of addresses that may be kept (SDM Vol. 3, 4.10.4), passed on to the paging unit
/// (<see cref="ExecutionState.TranslationFlusher"/>).
/// </summary>
public static unsafe class TranslationControl
{
    /// <summary>All, global ones too.</summary>
    public static void FlushAll(CpuState* s) => Tell(s, TranslationChange.All);

    /// <summary>All that are not global.</summary>
    public static void FlushNonGlobal(CpuState* s) => Tell(s, TranslationChange.NonGlobal);

    /// <summary>The page of a linear address, global or not.</summary>
    public static void FlushPage(CpuState* s, ulong linear) => Tell(s, TranslationChange.Page, linear);

    /// <summary>A bit of CR0, CR4 or EFER that paging goes by, or the page attribute table, has changed: all are forgotten.</summary>
    public static void Changed(CpuState* s) => Tell(s, TranslationChange.Control);

    /// <summary>EFLAGS.AC has changed, which counts when CR4.SMAP is set.</summary>
    public static void UserAccessChanged(CpuState* s)
    {
        if ((s->System.Cr4 & Cr4.SupervisorAccessPrevention) != 0)
            Tell(s, TranslationChange.UserAccess);
    }

    private static void Tell(CpuState* s, TranslationChange change, ulong linear = 0)
    {
        if (s->Execution.TranslationFlusher != null)
            Pass(s, change, linear);
    }

    // Preparation does not see where the pointer leads.
    [UnderHostMxcsr]
    private static void Pass(CpuState* s, TranslationChange change, ulong linear)
    {
        var mxcsr = HostMxcsr.Suspend();
        s->Execution.TranslationFlusher(s, change, linear);
        HostMxcsr.Resume(mxcsr);
    }
}
