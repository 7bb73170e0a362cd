using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Frontend.Passes;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Interpretation;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Execution;

/// <content>Fetching and lifting of guest code at RIP, and the faults that a fetch raises.</content>
public sealed unsafe partial class Vcpu
{
    // A block of up to count instructions at RIP, outside the cache; null with the fetch fault pending.
    private Block* LiftAlone(int count)
    {
        if (!Lift(State->Slots[Slot.Rip], count))
            return null;
        IrAssertions.Valid(_ir);
        DispatchSelector.Prepare(_ir.Ops);
        return BlockCache.CopyAlone(_ir, Linear(_ir.Start), AllocateAlone);
    }

    private nint AllocateAlone(int size)
    {
        if (size > _aloneBuffer.Length)
            _aloneBuffer = GC.AllocateUninitializedArray<byte>(Math.Max(size * 2, 1 << 16), pinned: true);
        return Marshal.UnsafeAddrOfPinnedArrayElement(_aloneBuffer, 0);
    }

    // Translations made in other runs count no instructions, do not check alignment, and were made for a CPU whose SSE is turned on.
    private bool MayUsePrecompiled =>
        Cache.Translator is { HasPrecompiled: true } && State->Execution.InstructionLimit == ulong.MaxValue && !_alignedNow && _usesSse;

    // The block at RIP. Without needsOps it may be one that has code and no ops.
    private Block* LiftHere(bool needsOps)
    {
        if (Cache.IsFull)
            FlushCache();
        Times?.Enter(VcpuActivity.Lifting);
        var block = LiftIntoCache(needsOps || !MayUsePrecompiled);
        Times?.Enter(VcpuActivity.Dispatching);
        return block;
    }

    // A block with ops in the place of one that may have none.
    private Block* WithOps(Block* block)
    {
        if (block->HasOps)
            return block;
        lock (Cache.Memory.Lock)
            Cache.Retire(block);
        return LiftHere(needsOps: true);
    }

    private Block* LiftIntoCache(bool needsOps)
    {
        var start = System.Diagnostics.Stopwatch.GetTimestamp();
        var rip = State->Slots[Slot.Rip];
        while (true)
        {
            lock (Cache.Memory.Lock)
            {
                // Another thread may have been quicker: a block is in the cache once.
                if (Mmu == null && Cache.Find(rip, State->Execution.CodeContext) is var known && known != null)
                {
                    if (known->HasOps || !needsOps)
                        return known;
                    Cache.Retire(known);
                }

                var mustWait = false;
                if (!needsOps)
                {
                    var found = Cache.Translator!.FindPrecompiled(Cache, rip, State->Execution.CodeContext, Linear(rip), Mmu, out mustWait);
                    if (found != null)
                        return found;
                }

                // Marked before the bytes are read: a later write to them is noticed.
                mustWait |= TryLocate(Linear(rip), out var physical) && Cache.Protect(physical);
                var last = physical;
                if (!mustWait)
                {
                    var isLifted = Lift(rip, IrBlock.MaxInstructions);
                    if (isLifted)
                        last = LastByte(rip);

                    // That the block runs into another page is known only now: its bytes are read again.
                    if (last / AddressSpace.PageSize != physical / AddressSpace.PageSize)
                    {
                        mustWait = Cache.Protect(last);
                        isLifted = mustWait || Lift(rip, IrBlock.MaxInstructions);
                    }

                    if (!isLifted)
                    {
                        Cache.Settle(physical);
                        Cache.Settle(last);
                        return null;
                    }
                }

                if (!mustWait)
                {
                    DispatchSelector.Prepare(_ir.Ops);
                    var block = Cache.Insert(
                        _ir, Encoder.Encode(_ir), new CodePlace(Linear(rip), physical, last / AddressSpace.PageSize), State->Execution.CodeContext, IsBudgeted);
                    if (last / AddressSpace.PageSize != physical / AddressSpace.PageSize)
                        Cache.Settle(last);
                    Cache.Translator?.Adopt(block);
                    Mmu?.Refresh();
                    Cache.Translator?.NoteLifted(Cache, block);
                    Cache.Statistics.LiftTicks += System.Diagnostics.Stopwatch.GetTimestamp() - start;
                    return block;
                }
            }

            LeaveCache();
            Cache.AwaitOthers();
            EnterCache();
        }
    }

    // The valid block that lies at an offset by the page tables; null when there is none, or the fetch would fault.
    private Block* FindTranslated(ulong rip, ushort context) =>
        Mmu!.TryFindCode(Linear(rip), out var physical) ? Cache.Find(rip, context, physical, Mmu) : null;

    // Where code at a linear address lies in the address space; false when it cannot be fetched from memory.
    private bool TryLocate(ulong linear, out ulong physical) => Cache.TryLocate(linear, Mmu, out physical);

    // Where the last byte of the lifted block lies in the address space.
    private ulong LastByte(ulong rip)
    {
        var last = Linear(rip) + (_ir.Next - _ir.Start) - 1;
        return TryLocate(CpuAccess.Mode(State).Is64() ? last : (uint)last, out var physical) ? physical : last;
    }

    // Lifts at RIP into _ir. On a fetch fault the exception is pending and the result false. A block may run into the next page when that
    // is executable and contiguous in the host, or when its first instruction lies in both.
    private bool Lift(ulong rip, int count)
    {
        var linear = Linear(rip);
        if (!TryLocate(linear, out var physical))
            return FetchFault(rip, linear, 0);
        var inPage = AddressSpace.PageSize - (int)(linear % AddressSpace.PageSize);
        var code = Cache.Memory.HostAt(physical);
        var available = inPage;
        if (Mmu == null)
        {
            var page = linear & ~(ulong)(AddressSpace.PageSize - 1);
            var next = page + AddressSpace.PageSize;
            if (!CpuAccess.Mode(State).Is64())
                next = (uint)next;
            if (TryLocate(next, out _))
            {
                if (next < page || Cache.Memory.ContiguousAt(page, 2 * AddressSpace.PageSize) <= AddressSpace.PageSize)
                    return LiftAcross(rip, linear, code, inPage, count);
                available += AddressSpace.PageSize;
            }

            return TryLift(rip, code, available, count) || FetchFault(rip, linear, available);
        }

        return TryLift(rip, code, inPage, count) || LiftAcross(rip, linear, code, inPage, 1);
    }

    private bool TryLift(ulong rip, byte* code, int available, int count)
    {
        available = LimitToSegment(rip, available);
        return count == IrBlock.MaxInstructions
            ? TryLiftWhole(rip, code, available)
            : _lifter.Lift(_ir, code, available, rip, (GuestMode)State->Mode, count);
    }

    // For the cache: optimised, and lifted once by all address spaces that have the same code there.
    private bool TryLiftWhole(ulong rip, byte* code, int available)
    {
        var known = Mmu == null ? LiftedBlocks.Shared.Find(rip, (GuestMode)State->Mode, Model, new ReadOnlySpan<byte>(code, available)) : null;
        if (known != null)
        {
            _ir.Assign(known);
            return true;
        }

        // What others are to use is made of a copy: the bytes may change meanwhile, as those of a file that somebody writes to.
        var isShared = Mmu == null && LiftedBlocks.Shared.IsWanted;
        if (isShared)
        {
            available = Math.Min(available, IrBlock.MaxInstructions * InstructionLength.Max);
            var copy = stackalloc byte[available];
            Buffer.MemoryCopy(code, copy, available, available);
            code = copy;
        }

        if (!_lifter.Lift(_ir, code, available, rip, (GuestMode)State->Mode))
            return false;
        IrAssertions.Valid(_ir);
        DeadFlags.Run(_ir);
        IrAssertions.Valid(_ir);
        if (isShared)
            LiftedBlocks.Shared.Add(LiftedBlock.Of(_ir, new ReadOnlySpan<byte>(code, available)), Model);
        return true;
    }

    // The two pages may not be neighbours in the host: lift from a copy of up to 15 bytes on each side of the boundary.
    private bool LiftAcross(ulong rip, ulong linear, byte* code, int inFirst, int count)
    {
        if (inFirst > InstructionLength.Max)
            return TryLift(rip, code, inFirst, count) || FetchFault(rip, linear, inFirst);
        var next = linear + (uint)inFirst;
        if (!CpuAccess.Mode(State).Is64())
            next = (uint)next;
        if (!TryLocate(next, out var physical))
            return FetchFault(rip, linear, inFirst);
        var copy = stackalloc byte[InstructionLength.Max * 2];
        var length = inFirst + InstructionLength.Max;
        Buffer.MemoryCopy(code, copy, length, inFirst);
        Buffer.MemoryCopy(Cache.Memory.HostAt(physical), copy + inFirst, InstructionLength.Max, InstructionLength.Max);
        return TryLift(rip, copy, length, 1) || FetchFault(rip, linear, length);
    }

    // Code beyond the limit of CS cannot be fetched: #GP (only modes that are not flat have a limit below 4 GiB).
    private int LimitToSegment(ulong rip, int available)
    {
        if ((State->Mode & (ushort)GuestMode.Flat) != 0)
            return available;
        return rip > State->Cs.Limit ? 0 : (int)Math.Min((ulong)available, State->Cs.Limit - rip + 1);
    }

    private bool FetchFault(ulong rip, ulong linear, int available)
    {
        if ((State->Mode & (ushort)GuestMode.Flat) == 0 && rip + (uint)available > State->Cs.Limit)
        {
            CpuAccess.Raise(State, ExceptionVector.GeneralProtection);
            return false;
        }

        var address = linear + (uint)available;
        if (!CpuAccess.Mode(State).Is64())
            address = (uint)address;
        if (Mmu != null)
        {
            // Where there is no memory all bits are ones: no instruction.
            if (Mmu.TryTranslateFetch(address, out _))
                CpuAccess.Raise(State, ExceptionVector.InvalidOpcode);
            return false;
        }

        var present = (Cache.Memory.Query(address) & PagePermission.Mapped) != 0 ? PageFaults.Present : 0;
        return PageFaults.Raise(State, address, PageFaults.Fetch | present, AccessIntent.None);
    }

    private ulong Linear(ulong rip)
    {
        var linear = rip + State->Slots[Slot.CsBase];
        return CpuAccess.Mode(State).Is64() ? linear : (uint)linear;
    }
}
