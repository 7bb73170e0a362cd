namespace DynaTrans.IlBackend.Regions;

/// <summary>What earlier translations of an instruction met at its memory accesses; decides the checks that the next one gets.</summary>
public enum AccessHistory : byte
{
    /// <summary>Nothing known: test the fast bit, for the neighbourhood too, leave to the interpreter otherwise.</summary>
    Fast,

    /// <summary>
    /// The fast bit was often missing, as in the last page of a mapping: test the pages of the first and last byte that are surely accessed.
    /// </summary>
    EdgePages,

    /// <summary>Not even that sufficed, as for data beside translated code: call the slow path instead of leaving.</summary>
    Slow,
}

/// <summary>How earlier translations have fared.</summary>
public interface IAccessHistory
{
    /// <summary>How the accesses of the instruction at a RIP have fared so far.</summary>
    AccessHistory History(ulong rip) => AccessHistory.Fast;

    /// <summary>True when tests on the way into the loop with a head at a RIP have failed too often.</summary>
    bool IsLoopRefused(ulong rip) => false;
}
