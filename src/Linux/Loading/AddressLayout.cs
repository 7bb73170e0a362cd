using DynaTrans.Linux.Memory;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Loading;

/// <summary>Where the address space of an x86-64 program has its parts.</summary>
public enum AddressLayout
{
    /// <summary>All together below 512 GiB, in the window that translated code reaches at the least cost.</summary>
    Compact,

    /// <summary>
    /// Where Linux puts them without randomisation: program and heap from 0x555555554000 on, libraries and other mappings below 0x7FFFF7FFF000,
    /// the stack below 0x7FFFFFFFF000.
    /// </summary>
    Native,
}

/// <summary>Where a program's parts go.</summary>
/// <param name="ProgramBase">Where a position-independent program begins.</param>
/// <param name="StackTop">End of the stack.</param>
/// <param name="MapEnd">Where the search for room for a mapping begins, from above.</param>
internal readonly record struct ProgramLayout(ulong ProgramBase, ulong StackTop, ulong MapEnd)
{
    /// <summary>Where a position-independent program begins in a compact layout.</summary>
    internal const ulong ProgramBase32 = 0x5655_5000, ProgramBase64 = 0x5555_5000;

    private const ulong NativeProgramBase = 0x5555_5555_4000, StackTop32 = 0xFFFF_E000;

    // Least room for the stack to grow (the kernel's gap between stack and mappings).
    private const ulong LeastGap = 128UL << 20;

    /// <summary>The layout of a program.</summary>
    /// <param name="memory">Its memory.</param>
    /// <param name="wanted">How an x86-64 program is laid out, when the memory allows it.</param>
    /// <param name="stackLimit">RLIMIT_STACK when it starts.</param>
    public static ProgramLayout Of(ProcessMemory memory, AddressLayout wanted, ulong stackLimit)
    {
        var space = memory.Space;
        if (space.Is32Bit)
            return Make(ProgramBase32, StackTop32, stackLimit);
        return wanted == AddressLayout.Native && space.HasSeveralWindows
            ? Make(NativeProgramBase, memory.TaskSize, stackLimit)
            : Make(Math.Min(ProgramBase64, space.WindowSize / 4), space.WindowSize - (1UL << 20), stackLimit);
    }

    // As arch/x86/mm/mmap.c: the stack may become as large as its limit says, within bounds.
    private static ProgramLayout Make(ulong programBase, ulong stackTop, ulong stackLimit)
    {
        var gap = stackLimit > ulong.MaxValue - AreaList.GuardGap ? stackLimit : stackLimit + AreaList.GuardGap;
        gap = Math.Clamp(gap, Math.Min(LeastGap, stackTop / 4), stackTop / 6 * 5);
        return new ProgramLayout(programBase, stackTop, (stackTop - gap) & ~(ulong)(AddressSpace.PageSize - 1));
    }
}
