using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Segmentation;

/// <summary>
/// A stack that a transfer of control pushes a frame on before it becomes the present one, outside 64-bit code.
/// </summary>
internal unsafe struct TargetStack
{
    // The longest frame: 31 parameters and two far pointers.
    private const int LargestFrame = 36 * 4;

    /// <summary>Selector that SS gets.</summary>
    public ushort Selector;

    /// <summary>Descriptor that SS gets; without meaning where SS stays.</summary>
    public SegmentDescriptor Descriptor;

    /// <summary>The pointer, cut to the width of the segment.</summary>
    public ulong Pointer;

    private ulong _mask;
    private uint _base;
    private uint _limit;
    private ushort _attributes;
    private bool _isUser;

    /// <summary>A stack of an inner level.</summary>
    public static TargetStack Of(ushort selector, SegmentDescriptor descriptor, ulong pointer)
    {
        var mask = descriptor.IsBig ? uint.MaxValue : 0xFFFFUL;
        return new TargetStack
        {
            Selector = selector,
            Descriptor = descriptor,
            Pointer = pointer & mask,
            _mask = mask,
            _base = descriptor.Base,
            _limit = descriptor.Limit,
            _attributes = descriptor.Attributes,
            _isUser = (selector & 3) == 3,
        };
    }

    /// <summary>The present stack, of code that is not 64-bit.</summary>
    public static TargetStack Present(CpuState* s)
    {
        var mask = CpuAccess.Mode(s).StackBytes() == 2 ? 0xFFFFUL : uint.MaxValue;
        return new TargetStack
        {
            Selector = s->Ss.Selector,
            Pointer = s->Slots[Slot.Rsp] & mask,
            _mask = mask,
            _base = (uint)s->Slots[Slot.SsBase],
            _limit = s->Ss.Limit,
            _attributes = s->Ss.Attributes,
            _isUser = CpuAccess.Mode(s).IsUser(),
        };
    }

    /// <summary>
    /// Pushes values of 2 or 4 bytes, the first one at the highest address, all or none, and moves <see cref="Pointer"/>. False with #SS, with the error
    /// code, or a page fault pending.
    /// </summary>
    public bool TryPush(CpuState* s, int size, ReadOnlySpan<ulong> values, uint error)
    {
        var bytes = stackalloc byte[LargestFrame];
        var length = values.Length * size;
        for (var i = 0; i < values.Length; i++)
            GuestMemory.Put(bytes + (length - ((i + 1) * size)), size, values[i]);
        var start = (Pointer - (uint)length) & _mask;
        var isWhole = start + (uint)length <= _mask + 1;
        if (isWhole ? !IsInside(start, length) : !AreInside(start, size, values.Length))
        {
            CpuAccess.Raise(s, ExceptionVector.StackFault, error);
            return false;
        }

        if (!(isWhole ? TryWrite(s, start, bytes, length) : TryWriteEach(s, start, bytes, size, values.Length)))
        {
            if (s->Execution.ExceptionVector == ExceptionVector.PageFault)
                CheckEach(s, start, size, values.Length);
            return false;
        }

        Pointer = start;
        return true;
    }

    /// <summary>Makes it the present stack. A 16-bit pointer leaves the upper half of ESP.</summary>
    /// <param name="s">The state.</param>
    /// <param name="loadsSegment">SS is loaded, too.</param>
    public readonly void Enter(CpuState* s, bool loadsSegment)
    {
        if (loadsSegment)
            SegmentLoads.Set(s, 2, Selector, Descriptor);
        ref var esp = ref s->Slots[Slot.Rsp];
        esp = _mask == 0xFFFF ? (esp & 0xFFFF0000) | Pointer : Pointer;
    }

    private readonly bool AreInside(ulong start, int size, int count)
    {
        for (var i = 0; i < count; i++)
            if (!IsInside((start + (uint)(i * size)) & _mask, size))
                return false;
        return true;
    }

    private readonly bool IsInside(ulong offset, int length)
    {
        var last = offset + (uint)length - 1;
        if (!SegmentAttributes.IsExpandDown(_attributes))
            return last <= _limit;
        return offset > _limit && last <= ((_attributes & SegmentAttributes.Big) != 0 ? uint.MaxValue : 0xFFFFu);
    }

    // At the wrap-around of the pointer: several stores, which code under them must not stop half-way.
    private readonly bool TryWriteEach(CpuState* s, ulong start, byte* bytes, int size, int count)
    {
        if (s->Execution.IsStepping == 0)
        {
            s->Execution.ExceptionVector = ExecutionState.RestartAlone;
            return false;
        }

        if (!CheckEach(s, start, size, count))
            return false;
        for (var i = 0; i < count; i++)
            if (!TryWrite(s, (start + (uint)(i * size)) & _mask, bytes + (i * size), size))
                return false;
        return true;
    }

    // In the order of the pushes: the fault is that of the first one that fails.
    private readonly bool CheckEach(CpuState* s, ulong start, int size, int count)
    {
        for (var i = count - 1; i >= 0; i--)
            if (!SystemMemory.CheckWrite(s, _base + ((start + (uint)(i * size)) & _mask), size, _isUser))
                return false;
        return true;
    }

    private readonly bool TryWrite(CpuState* s, ulong offset, byte* bytes, int length) =>
        SystemMemory.TryWrite(s, _base + offset, bytes, length, _isUser);
}
