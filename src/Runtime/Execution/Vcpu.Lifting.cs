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
        return BlockCache.Copy(_ir, Linear(_ir.Start), AllocateAlone);
    }

    private nint AllocateAlone(int size)
    {
        if (size > _aloneBuffer.Length)
            _aloneBuffer = GC.AllocateUninitializedArray<byte>(Math.Max(size * 2, 1 << 16), pinned: true);
        return Marshal.UnsafeAddrOfPinnedArrayElement(_aloneBuffer, 0);
    }

    private Block* LiftHere()
    {
        if (Cache.IsFull)
            FlushCache();
        Times?.Enter(VcpuActivity.Lifting);
        var block = LiftIntoCache();
        Times?.Enter(VcpuActivity.Dispatching);
        return block;
    }

    private Block* LiftIntoCache()
    {
        var start = System.Diagnostics.Stopwatch.GetTimestamp();
        var rip = State->Slots[Slot.Rip];
        var linear = Linear(rip);
        while (true)
        {
            lock (Cache.Memory.Lock)
            {
                // Another thread may have been quicker: a block is in the cache once.
                if (Cache.Find(rip, State->Execution.CodeContext) is var known && known != null)
                    return known;

                // Marked before the bytes are read: a later write to them is noticed.
                var mustWait = (Cache.Memory.Query(linear) & PagePermission.Execute) != 0 && Cache.Protect(linear);
                var last = linear;
                if (!mustWait)
                {
                    var isLifted = Lift(rip, IrBlock.MaxInstructions);
                    if (isLifted)
                        last = linear + (_ir.Next - _ir.Start) - 1;

                    // That the block runs into another page is known only now: its bytes are read again.
                    if (last / AddressSpace.PageSize != linear / AddressSpace.PageSize)
                    {
                        mustWait = Cache.Protect(last);
                        isLifted = mustWait || Lift(rip, IrBlock.MaxInstructions);
                    }

                    if (!isLifted)
                    {
                        Cache.Settle(linear);
                        Cache.Settle(last);
                        return null;
                    }
                }

                if (!mustWait)
                {
                    IrAssertions.Valid(_ir);
                    DeadFlags.Run(_ir);
                    IrAssertions.Valid(_ir);
                    DispatchSelector.Prepare(_ir.Ops);
                    var block = Cache.Insert(_ir, linear, State->Execution.CodeContext, IsBudgeted);
                    if (last / AddressSpace.PageSize != linear / AddressSpace.PageSize)
                        Cache.Settle(last);
                    Cache.Statistics.LiftTicks += System.Diagnostics.Stopwatch.GetTimestamp() - start;
                    return block;
                }
            }

            LeaveCache();
            Cache.AwaitOthers();
            EnterCache();
        }
    }

    // Lifts at RIP into _ir. On a fetch fault the exception is pending and the result false. A block may run into the next page, when that
    // is executable and contiguous in the host.
    private bool Lift(ulong rip, int count)
    {
        var space = Cache.Memory;
        var linear = Linear(rip);
        var is64 = CpuAccess.Mode(State).Is64();
        var available = 0;
        byte* code = null;
        var page = linear & ~(ulong)(AddressSpace.PageSize - 1);
        for (var i = 0; i < 2; i++)
        {
            var p = page + (ulong)(i * AddressSpace.PageSize);
            if (!is64)
                p = (uint)p;
            if ((space.Query(p) & PagePermission.Execute) == 0)
                break;
            if (i == 1 && (p < page || space.ContiguousAt(page, 2 * AddressSpace.PageSize) <= AddressSpace.PageSize))
                return LiftAcross(rip, linear, available, count);
            if (i == 0)
                code = space.HostAt(linear);
            available = (int)(page + (ulong)((i + 1) * AddressSpace.PageSize) - linear);
        }

        var mode = (GuestMode)State->Mode;
        if (available > 0 && code != null && _lifter.Lift(_ir, code, LimitToSegment(rip, available), rip, mode, count))
            return true;
        return FetchFault(rip, linear, available);
    }

    // The two pages may not be neighbours in the host: lift from a copy of up to 15 bytes on each side of the boundary.
    private bool LiftAcross(ulong rip, ulong linear, int inFirst, int count)
    {
        var space = Cache.Memory;
        var host = space.HostAt(linear);
        if (inFirst > 15)
            return _lifter.Lift(_ir, host, inFirst, rip, (GuestMode)State->Mode, count) || FetchFault(rip, linear, inFirst);
        var is64 = CpuAccess.Mode(State).Is64();
        var copy = stackalloc byte[30];
        var length = inFirst + 15;
        Buffer.MemoryCopy(host, copy, 30, inFirst);
        for (var i = inFirst; i < length; i++)
        {
            var address = linear + (uint)i;
            if (!is64)
                address = (uint)address;
            copy[i] = *space.HostAt(address);
        }

        return _lifter.Lift(_ir, copy, length, rip, (GuestMode)State->Mode, 1) || FetchFault(rip, linear, length);
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
        var present = (Cache.Memory.Query(address) & PagePermission.Mapped) != 0 ? PageFaults.Present : 0;
        return PageFaults.Raise(State, address, PageFaults.Fetch | present, AccessIntent.None);
    }

    private ulong Linear(ulong rip)
    {
        var linear = rip + State->Slots[Slot.CsBase];
        return CpuAccess.Mode(State).Is64() ? linear : (uint)linear;
    }
}
