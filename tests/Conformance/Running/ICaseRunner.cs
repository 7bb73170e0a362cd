using DynaTrans.Conformance.Cases;

namespace DynaTrans.Conformance.Running;

/// <summary>A CPU that can run a case: the host's, or one of the executors.</summary>
public interface ICaseRunner
{
    /// <summary>Places the instruction's bytes, all other code bytes being INT3.</summary>
    void Load(Encoding encoding);

    /// <summary>
    /// Runs the loaded instruction on <paramref name="start"/> and writes the end to <paramref name="end"/>: vector -1 and RIP behind the
    /// instruction when it completed, otherwise the exception. An instruction that branched ends with vector 3 and RIP behind the INT3 at
    /// its target.
    /// </summary>
    void Run(CaseData start, CaseData end);
}
