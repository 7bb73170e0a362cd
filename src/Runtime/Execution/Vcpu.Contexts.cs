using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Execution;

/// <content>The code context (<see cref="CodeContexts"/>), which says with RIP which translation is to be executed.</content>
public sealed unsafe partial class Vcpu
{
    // Lines of the vCPU's own cache of numbers; a power of two.
    private const int NumberCacheSize = 64;

    private readonly bool _usesRegions;
    private readonly (CodeContext Context, ushort Number)[] _contextNumbers = new (CodeContext, ushort)[NumberCacheSize];

    // Whether SSE can be used now, and what the blocks in the cache go by.
    private bool _usesSse = true, _usedSse = true;

    // Outside Run it does nothing, for Run begins with it.
    internal static void FindContext(CpuState* s)
    {
        var vcpu = Of(s);
        if (!vcpu.IsOutside)
            vcpu.RefreshContext();
    }

    // Inside the cache only: a flush takes numbers back.
    private void RefreshContext()
    {
        var context = PresentContext();
        ref var line = ref _contextNumbers[(int)((context.CodeBase >> 4) ^ (ulong)context.Mode ^ context.AddressSpace) & (NumberCacheSize - 1)];
        if (line.Number == CodeContexts.None || line.Context != context)
            line = (context, FindNumber(context));
        State->Execution.CodeContext = line.Number;
        if (Mmu != null)
        {
            Mmu.SelectView();
            _jumps = CpuAccess.Mode(State).IsUser() ? _jumpCache : _jumpCache + _jumpCacheSize;
        }

        _usesSse = ((GuestMode)State->Mode & GuestMode.NoSse) == 0;
        if (_usesSse != _usedSse)
            Request(ExitRequests.Invalidation);
    }

    // Guest code may be running: what the table of contexts leads to need not be prepared.
    [UnderHostMxcsr]
    private ushort FindNumber(in CodeContext context)
    {
        var mxcsr = HostMxcsr.Suspend();
        var number = Cache.Contexts.NumberOf(context);
        HostMxcsr.Resume(mxcsr);
        return number;
    }

    // Between blocks. Code in which SSE instructions are #UD is known; that in which they are not is not, but SSE is hardly ever turned off.
    private void FollowSse()
    {
        _usedSse = _usesSse;
        if (_usesSse)
            Cache.DropBlocksWithoutSse();
        else
            FlushCache();
    }

    private CodeContext PresentContext()
    {
        var s = State;
        var mode = (GuestMode)s->Mode & ~GuestMode.NoSse;
        return (mode & GuestMode.Flat) != 0
            ? new CodeContext(mode, AddressSpace: s->Execution.AddressSpaceGeneration, IsBudgeted: IsBudgeted)
            : new CodeContext(mode, s->Slots[Slot.CsBase], s->Cs.Limit, s->Execution.AddressSpaceGeneration, IsBudgeted);
    }

    // Regions are entered, and there is a limit to how far. Without regions the same blocks do.
    private bool IsBudgeted => _usesRegions && State->Execution.InstructionLimit != ulong.MaxValue;

    private void ForgetContexts() => Array.Fill(_contextNumbers, (default, CodeContexts.None));
}
