using DynaTrans.IlBackend.Precompiled;

namespace DynaTrans.Caching;

/// <summary>The translations of one program in one run of the host process.</summary>
/// <param name="key">The program.</param>
/// <param name="code">What earlier runs have left, or null.</param>
/// <param name="model">The processor that the program runs on (<see cref="Frontend.Decoding.CpuModel.Name"/>).</param>
public sealed class ProgramTranslations(ProgramKey key, PrecompiledCode? code, string model)
{
    // Guest instructions whose first touch costs as much as it does to start the compiler: fewer are not worth a record.
    private const int LeastInstructions = 2000;

    // A program that is executed for the first time is compiled at once only if that has cost about a second: many programs are never run again.
    private const int DearInstructions = 25_000;

    // With translations there already, this share of new code is worth compiling everything anew.
    private const double NewShare = 0.03;

    /// <summary>The program.</summary>
    public ProgramKey Key { get; } = key;

    /// <summary>What earlier runs have left, or null.</summary>
    public PrecompiledCode? Code { get; } = code;

    /// <summary>Receives what is executed and is not precompiled.</summary>
    public CodeRecorder Recorder { get; } = new();

    /// <summary>Writes the record of this run, together with those of earlier ones.</summary>
    /// <returns>True when it is worth compiling now.</returns>
    /// <exception cref="IOException">It cannot be written.</exception>
    internal bool Save(CacheDirectory directory)
    {
        // Of several kinds of address spaces the one with most code; the others are rare.
        var record = Recorder.ToRecords().MaxBy(candidate => candidate.Blocks.Count);
        if (record == null)
            return false;
        var added = Instructions(record);
        var path = directory.PathOf(Key, CacheDirectory.RecordExtension);
        var known = CacheBuilder.ReadRecord(path);
        if (added < LeastInstructions || (known != null && added < Instructions(known) * NewShare))
            return false;
        if (known != null && known.Form == record.Form)
            record = CodeRecord.Merge(known, record);
        CacheDirectory.Replace(path, stream => CodeRecordFile.Write(stream, record with { Model = model }));
        return known != null || added >= DearInstructions;
    }

    private static long Instructions(CodeRecord record) => record.Blocks.Sum(block => (long)block.InstructionCount);
}
