using DynaTrans.Conformance.Cases;

namespace DynaTrans.Conformance.Running;

/// <summary>An executor that runs cases of one encoding, many at a time.</summary>
internal interface IBatchRunner : IDisposable
{
    /// <summary>Its name in tables.</summary>
    string Engine { get; }

    /// <summary>
    /// Runs the encoding, all other code bytes being INT3, on the first <paramref name="count"/> of <paramref name="starts"/> and writes the
    /// ends to <paramref name="ends"/>: vector -1 and RIP behind the instruction when it completed, otherwise the exception. An instruction
    /// that branched ends with vector 3 and RIP behind the INT3 at its target.
    /// </summary>
    void Run(Encoding encoding, IReadOnlyList<CaseData> starts, IReadOnlyList<CaseData> ends, int count);
}
