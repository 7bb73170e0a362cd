using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>A block that was executed.</summary>
/// <param name="Context">Index of its code context in <see cref="CodeRecord.Contexts"/>.</param>
/// <param name="Start">RIP of its first instruction.</param>
/// <param name="Linear">Linear address of its first byte.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="InstructionCount">Its instructions.</param>
/// <param name="Hotness">About how often it was entered (<see cref="Block.Hotness"/>).</param>
/// <param name="X87Stack">The x87 stack seen at its entry (<see cref="Block.X87Stack"/>).</param>
/// <param name="Targets">Where its indirect jump or call went.</param>
/// <param name="HadEntry">It was entered from outside the region that it was part of, or had a region of its own.</param>
public sealed record RecordedBlock(
    ushort Context, ulong Start, ulong Linear, byte[] Bytes, int InstructionCount, int Hotness, uint X87Stack, IReadOnlyList<ulong> Targets,
    bool HadEntry);

/// <summary>How the accesses of an instruction fared.</summary>
/// <param name="Context">Index of the code context.</param>
/// <param name="Rip">The instruction, or the head of the loop.</param>
/// <param name="History">How its accesses fared.</param>
/// <param name="IsLoopRefused">Tests on the way into the loop with this head failed too often.</param>
public readonly record struct RecordedAccess(ushort Context, ulong Rip, AccessHistory History, bool IsLoopRefused);

/// <summary>What a run has executed, from which its code can be compiled ahead of time. It is all that the compilation needs.</summary>
/// <param name="Contexts">The code contexts, by the number that they had in the run.</param>
/// <param name="IsPaged">Linear addresses were translated by a paging unit.</param>
/// <param name="Blocks">The blocks; several may lie at one address, made of different bytes.</param>
/// <param name="Accesses">What is known of accesses.</param>
public sealed record CodeRecord(
    IReadOnlyList<CodeContext> Contexts, bool IsPaged, IReadOnlyList<RecordedBlock> Blocks, IReadOnlyList<RecordedAccess> Accesses)
{
    /// <summary>The kind of address space that the code was executed in, which code made from the record must suit.</summary>
    public PrecompiledForm Form { get; init; }

    /// <summary>The processor that it was lifted for (<see cref="CpuModel.Name"/>).</summary>
    public string Model { get; init; } = CpuModel.Process.Name;

    /// <summary>
    /// Joins two records of one form: what is precompiled is not lifted, and so not recorded again, but the next build needs it as well. Of more
    /// versions of the code at an address than are kept, those of the newer record are.
    /// </summary>
    /// <exception cref="ArgumentException">They are of different forms.</exception>
    public static CodeRecord Merge(CodeRecord older, CodeRecord newer)
    {
        if (older.Form != newer.Form)
            throw new ArgumentException("records of different forms");
        var builder = new RecordBuilder(newer.Form);
        builder.Add(newer);
        builder.Add(older);
        return builder.ToRecord() with { Model = newer.Model };
    }
}
