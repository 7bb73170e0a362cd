using DynaTrans.Runtime.Paging;

namespace DynaTrans.Runtime.Translation;

/// <summary>
/// Makes host code of blocks; the runtime knows the IL back end only as this. It serves one block cache and is disposed with it, under
/// the memory's lock: what was requested is forgotten, what is being compiled is abandoned, and all that was made goes.
/// </summary>
public unsafe interface ITranslator : IDisposable
{
    /// <summary>Interpreted entries after which a block is offered for compiling; 0 compiles at the first entry.</summary>
    int Threshold { get; }

    /// <summary>True to run every block by interpreter and translated code in lock-step and compare the results.</summary>
    bool Verifies => false;

    /// <summary>True when its code accesses guest memory by the vCPU's <see cref="Memory.TranslationLookaside"/>.</summary>
    bool UsesLookaside => false;

    /// <summary>True when it may have translations of code that was not lifted (<see cref="FindPrecompiled"/>).</summary>
    bool HasPrecompiled => false;

    /// <summary>Called once, before a vCPU executes from the cache. Under the memory's lock.</summary>
    void Attach(BlockCache cache)
    {
    }

    /// <summary>
    /// A translation made in another run that can be entered at an address. Called by a vCPU that has no block there; under the memory's lock.
    /// </summary>
    /// <param name="cache">The cache.</param>
    /// <param name="rip">The address.</param>
    /// <param name="context">The code context.</param>
    /// <param name="linear">The linear address.</param>
    /// <param name="mmu">The vCPU's paging unit, or null.</param>
    /// <param name="mustWait">There may be one, but its code may be read only after <see cref="BlockCache.AwaitOthers"/>.</param>
    /// <returns>A block without ops that has code, or null.</returns>
    Block* FindPrecompiled(BlockCache cache, ulong rip, ushort context, ulong linear, Mmu? mmu, out bool mustWait)
    {
        mustWait = false;
        return null;
    }

    /// <summary>A block was lifted: it gets the entry that a translation made in another run has there. Under the memory's lock.</summary>
    void Adopt(Block* block)
    {
    }

    /// <summary>All blocks are about to go: the last chance to record them. Under the memory's lock.</summary>
    void Close(BlockCache cache)
    {
    }

    /// <summary>
    /// Asks for code of a hot block (and what is hot with it), again every so many entries while there is none. May return at once and publish <see cref="Block.Code"/> later from another
    /// thread (<see cref="Block.Code"/> is then the block's <see cref="EntryCell"/>). Called by a vCPU at a block boundary, without locks.
    /// </summary>
    /// <param name="cache">The cache.</param>
    /// <param name="block">The block, which is what lies at its address now.</param>
    /// <param name="mmu">The vCPU's paging unit, or null.</param>
    void Request(BlockCache cache, Block* block, Mmu? mmu);

    /// <summary>
    /// Compiles one block alone, now, and returns the links of its code without publishing it (lock-step verification, exact instruction
    /// budgets). The code returns to the dispatcher at the end of the block; it lives until the next flush.
    /// </summary>
    RegionLinks* CompileAlone(BlockCache cache, Block* block);

    /// <summary>
    /// Translated code left at a site because an access needed the slow path. Where that is frequent the code is recompiled with a slow
    /// path of its own. Called by a vCPU between blocks, without locks.
    /// </summary>
    void NoteSlowAccess(BlockCache cache, FaultSite* site);

    /// <summary>
    /// One entry from outside in so many is reported here. Where they are frequent it may pay to make the code again together with what
    /// surrounds it, or as part of what calls it. Called by a vCPU between blocks, without locks.
    /// </summary>
    /// <param name="cache">The cache.</param>
    /// <param name="rip">Where the code was entered.</param>
    /// <param name="context">The code context.</param>
    /// <param name="top">The word at the top of the guest's stack: the return address, if this is the entry of a function.</param>
    void NoteHotEntry(BlockCache cache, ulong rip, ushort context, ulong top);

    /// <summary>
    /// The pages at the addresses of some code may have changed. Compares them with those that it was made from, and lets it be entered in the
    /// present generation, or not any more until it is requested again. Called by a vCPU between blocks, without locks.
    /// </summary>
    /// <param name="cache">The cache.</param>
    /// <param name="block">The block at which the code is to be entered.</param>
    /// <param name="mmu">The vCPU's paging unit.</param>
    /// <param name="generation">The number of the generation.</param>
    void Revalidate(BlockCache cache, Block* block, Mmu mmu, uint generation) =>
        throw new NotSupportedException("this translator makes no code for machines with paging");

    /// <summary>A block has come into the cache: there may be code for it already. Under the memory's lock, by a vCPU.</summary>
    void NoteLifted(BlockCache cache, Block* block)
    {
    }

    /// <summary>Code made from this block must not be entered any more. Under the memory's lock.</summary>
    void Invalidate(Block* block);

    /// <summary>All code is dropped; no vCPU is inside any. Under the memory's lock.</summary>
    void Flush();

    /// <summary>True when so much dead code is kept that the cache should be flushed to free it.</summary>
    bool WantsFlush { get; }
}
