using System.Runtime.InteropServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Processes;

/// <summary>Making a thread from another, and what a thread leaves behind for others to find.</summary>
public sealed unsafe partial class GuestThread
{
    private const int RobustListLimit = 2048;

    /// <summary>A thread with the same registers, for clone and fork. The child's result of the call is 0.</summary>
    internal GuestThread Copy(GuestProcess process, int tid)
    {
        var vcpu = process.Kernel.CreateVcpu(process.Memory);
        var to = vcpu.State;
        CopyGuestState(State, to);
        ThreadDescriptors.OfThread(State).CopyTo(ThreadDescriptors.OfThread(to));
        to->Slots[Slot.Rax] = 0;
        var thread = new GuestThread(process, tid, vcpu)
        {
            Blocked = _maskAfterwards ?? Blocked,
            Name = Name,
            NoNewPrivileges = NoNewPrivileges,
            KeepsCapabilities = KeepsCapabilities,
            TimerSlack = TimerSlack,
            DefaultTimerSlack = TimerSlack,
        };
        thread.InheritScheduling();
        return thread;
    }

    /// <summary>Gives the thread the processor of its new program.</summary>
    internal void ReplaceCpu(Vcpu vcpu)
    {
        var (old, oldMemory) = (Vcpu, _cpuMemory);
        (Vcpu, _cpuMemory) = (vcpu, Process.Memory);
        if (_busFaults != null)
            _busFaults->ExitRequest = &vcpu.State->Execution.ExitRequest;
        if (IsInterrupted)
            vcpu.RequestExit();
        Process.Kernel.Dispose(old, oldMemory);
    }

    /// <summary>
    /// What happens to futexes at the end of a thread: the word of set_tid_address is cleared and woken, locks of the robust list are
    /// marked as left by a dead owner (Documentation/locking/robust-futex-ABI).
    /// </summary>
    internal void ReleaseFutexes()
    {
        ReleaseRobustList();
        var clear = ClearChildTid;
        ClearChildTid = 0;
        if (clear != 0 && Process.Memory.User.TryWrite(clear, 0))
            WakeFutex(clear, 1);
    }

    private static void CopyGuestState(CpuState* from, CpuState* to) =>
        Buffer.MemoryCopy(from, to, CpuState.ExecutionOffset, CpuState.ExecutionOffset);

    private void WakeFutex(ulong address, int count)
    {
        const int FutexWake = 1;
        if (Process.Memory.User.TryGetReadable(address, 4, out var p))
            HostCalls.Call(HostSys.Futex, (nint)p, FutexWake, count);
    }

    private void ReleaseRobustList()
    {
        var head = RobustList;
        RobustList = 0;
        if (head == 0 || !TryReadWord(head, out var entry) || !TryReadWord(head + Word, out var offset)
            || !TryReadWord(head + (2 * Word), out var pending))
            return;
        for (var i = 0; i < RobustListLimit && (entry & ~1UL) != head; i++)
        {
            var next = entry;
            var readable = TryReadWord(entry & ~1UL, out next);
            if (entry != pending)
                ReleaseRobust((entry & ~1UL) + offset);
            if (!readable)
                break;
            entry = next;
        }

        if (pending != 0)
            ReleaseRobust((pending & ~1UL) + offset);
    }

    private uint Word => Process.Is32 ? 4u : 8u;

    private bool TryReadWord(ulong address, out ulong value)
    {
        if (!Process.Is32)
            return Process.Memory.User.TryRead(address, out value);
        var ok = Process.Memory.User.TryRead((uint)address, out uint narrow);
        value = narrow;
        return ok;
    }

    private void ReleaseRobust(ulong address)
    {
        const uint OwnerDied = 0x40000000, Waiters = 0x80000000, TidMask = 0x3FFFFFFF;
        if (Process.Is32)
            address = (uint)address;
        if ((address & 3) != 0 || !Process.Memory.User.TryGetWritable(address, 4, out var p))
            return;
        ref var word = ref *(uint*)p;
        while (true)
        {
            var now = Volatile.Read(ref word);
            if ((now & TidMask) != (uint)Tid)
                return;
            if (Interlocked.CompareExchange(ref word, (now & Waiters) | OwnerDied, now) != now)
                continue;
            if ((now & Waiters) != 0)
                WakeFutex(address, 1);
            return;
        }
    }
}
