using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Memory;

/// <summary>The exception of an access that memory does not grant, with the error code of a page fault (SDM Vol. 3, 4.7).</summary>
internal static unsafe class PageFaults
{
    /// <summary>The page is present: its protection forbids the access.</summary>
    public const uint Present = 1;

    /// <summary>The access writes.</summary>
    public const uint Write = 2;

    /// <summary>The access has user privilege.</summary>
    public const uint User = 4;

    /// <summary>The access fetches an instruction.</summary>
    public const uint Fetch = 16;

    /// <summary>Makes a page fault pending, or what an address that is not canonical raises (SDM Vol. 1, 3.3.7.1). Gives false.</summary>
    /// <param name="s">The state, in the mode of the code that makes the access.</param>
    /// <param name="address">The first address that cannot be accessed.</param>
    /// <param name="error">The error code without <see cref="User"/>, which follows from mode and intent.</param>
    /// <param name="intent">What the access is for.</param>
    public static bool Raise(CpuState* s, ulong address, uint error, AccessIntent intent)
    {
        if (!IsCanonical(address))
        {
            CpuAccess.Raise(s, (intent & AccessIntent.Stack) != 0 ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection);
            return false;
        }

        if (CpuAccess.Mode(s).IsUser() && (intent & AccessIntent.Supervisor) == 0)
            error |= User;
        if ((intent & AccessIntent.Update) != 0)
            error |= Write;
        s->Execution.FaultAddress = address;
        CpuAccess.Raise(s, ExceptionVector.PageFault, error);
        return false;
    }

    /// <summary>True when bits 63:47 of an address are equal.</summary>
    public static bool IsCanonical(ulong address) => (long)(address << 16) >> 16 == (long)address;
}
