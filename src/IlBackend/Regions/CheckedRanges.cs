using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;

namespace DynaTrans.IlBackend.Regions;

/// <summary>Bytes that were checked: those at offsets [Lo, Hi) from the present value of a key.</summary>
/// <param name="Key">What the offsets are relative to.</param>
/// <param name="Write">They may be written (and read); else only read.</param>
/// <param name="Lo">First offset.</param>
/// <param name="Hi">Offset after the last.</param>
/// <param name="Window">The window that they are in.</param>
public sealed record CheckedRange(AddressKey Key, bool Write, long Lo, long Hi, ushort Window = 0);

/// <summary>
/// What is known about checked memory at a point of a region, carried over the ops that change the slots it is expressed in. The ranges do
/// not wrap around: the bytes of one are contiguous in the address space.
/// </summary>
public sealed class CheckedRanges
{
    // Beyond this old ones are forgotten; but not the very first, which a loop began with.
    private const int MaxRanges = 48;
    private const int Kept = 16;

    // Offsets stay far from overflowing.
    private const long MaxOffset = 1L << 40;

    private readonly List<CheckedRange> _ranges = [];

    /// <summary>The ranges, oldest first.</summary>
    public IReadOnlyList<CheckedRange> Ranges => _ranges;

    /// <summary>A copy.</summary>
    public CheckedRanges Copy()
    {
        var copy = new CheckedRanges();
        copy._ranges.AddRange(_ranges);
        return copy;
    }

    /// <summary>True when another set has the same ranges in the same order.</summary>
    public bool IsSame(CheckedRanges other)
    {
        if (_ranges.Count != other._ranges.Count)
            return false;
        for (var i = 0; i < _ranges.Count; i++)
            if (!ReferenceEquals(_ranges[i], other._ranges[i]) && _ranges[i] != other._ranges[i])
                return false;
        return true;
    }

    /// <summary>True when all of [lo, hi) was checked for the kind of access.</summary>
    public bool Covers(AddressKey key, bool write, long lo, long hi) => Find(key, write, lo, hi) != null;

    /// <summary>The range that says that all of [lo, hi) was checked for the kind of access, or null.</summary>
    public CheckedRange? Find(AddressKey key, bool write, long lo, long hi)
    {
        foreach (var range in _ranges)
            if (range.Lo <= lo && hi <= range.Hi && range.Key == key && (range.Write || !write))
                return range;
        return null;
    }

    /// <summary>True when all of a range was checked, and found in its window.</summary>
    public bool Covers(CheckedRange wanted)
    {
        foreach (var range in _ranges)
            if (range.Lo <= wanted.Lo && wanted.Hi <= range.Hi && range.Key == wanted.Key && (range.Write || !wanted.Write) && range.Window == wanted.Window)
                return true;
        return false;
    }

    /// <summary>Adds a range, joined with those of its key and kind that it touches.</summary>
    public void Add(CheckedRange added)
    {
        for (var i = _ranges.Count - 1; i >= 0; i--)
        {
            var range = _ranges[i];
            if (range.Key != added.Key || range.Write != added.Write || range.Window != added.Window || range.Lo > added.Hi || added.Lo > range.Hi)
                continue;
            added = added with { Lo = Math.Min(added.Lo, range.Lo), Hi = Math.Max(added.Hi, range.Hi) };
            _ranges.RemoveAt(i);
        }

        if (_ranges.Count == MaxRanges)
            _ranges.RemoveAt(Kept);
        if (IsSmall(added.Lo) && IsSmall(added.Hi))
            _ranges.Add(added);
    }

    /// <summary>Keeps what is in both.</summary>
    /// <returns>True when something was lost.</returns>
    public bool IntersectWith(CheckedRanges other)
    {
        var both = new CheckedRanges();
        foreach (var mine in _ranges)
            foreach (var its in other._ranges)
            {
                if (mine.Key != its.Key || mine.Window != its.Window)
                    continue;
                var common = new CheckedRange(
                    mine.Key, mine.Write && its.Write, Math.Max(mine.Lo, its.Lo), Math.Min(mine.Hi, its.Hi), mine.Window);
                if (common.Lo < common.Hi && !both._ranges.Contains(common))
                    both._ranges.Add(common);
            }

        both._ranges.RemoveAll(range => both._ranges.Exists(
            wider => wider != range && wider.Key == range.Key && wider.Window == range.Window && (wider.Write || !range.Write) && wider.Lo <= range.Lo && range.Hi <= wider.Hi));
        var lost = !_ranges.TrueForAll(both.Covers);
        if (!lost)
            return false;
        _ranges.Clear();
        _ranges.AddRange(both._ranges.GetRange(0, Math.Min(both._ranges.Count, MaxRanges)));
        return true;
    }

    /// <summary>Keeps the ranges that are also in another set just as they are.</summary>
    public void KeepThoseIn(CheckedRanges other) => _ranges.RemoveAll(range => !other._ranges.Contains(range));

    /// <summary>Forgets everything.</summary>
    public void Clear() => _ranges.Clear();

    /// <summary>Carries the ranges over an op: from what holds before it to what holds after it.</summary>
    /// <param name="op">The op.</param>
    /// <param name="is64">The region is 64-bit code: addresses have the width of slots. Else they have 32 bits.</param>
    public void Apply(in IrOp op, bool is64)
    {
        if (op.Op == IrOpcode.Call)
        {
            // Segment state is the helpers' own; registers are marked. No helper takes a permission away: those that write guest memory
            // leave the code alone when they would drop translations.
            if ((HelperTable.Effects((HelperId)op.Sub) & HelperEffects.WritesState) != 0)
                Clear();
            else
                _ranges.RemoveAll(range => range.Key.Seg != Slot.Zero);
            Forget(op.Dst);
            return;
        }

        if (!IrOperands.WritesInteger(op) || op.Dst == Slot.Void || _ranges.Count == 0)
            return;
        if (op.Op == IrOpcode.Lea && op.A != Slot.Zero && op.B != Slot.Zero && IsFullWidth(op, is64))
            Name(op);
        else if (TryGetConstantDistance(op, is64, out var source, out var distance))
            Move(op.Dst, source, distance);
        else
            Forget(op.Dst);
    }

    // dst = source + constant, at the width of addresses.
    private static bool TryGetConstantDistance(in IrOp op, bool is64, out ushort source, out long distance)
    {
        source = Slot.Zero;
        distance = 0;
        switch (op.Op)
        {
            case IrOpcode.Mov:
                (source, distance) = (op.B, op.Imm);
                break;
            case IrOpcode.Add when op.B == Slot.Zero:
                (source, distance) = (op.A, op.Imm);
                break;
            case IrOpcode.Sub when op.B == Slot.Zero:
                (source, distance) = (op.A, unchecked(-op.Imm));
                break;
            case IrOpcode.Inc:
                (source, distance) = (op.A, 1);
                break;
            case IrOpcode.Dec:
                (source, distance) = (op.A, -1);
                break;
            case IrOpcode.Lea when op.B == Slot.Zero:
                (source, distance) = (op.A, op.Disp);
                break;
            default:
                return false;
        }

        if (!IsFullWidth(op, is64))
        {
            // A narrow constant is known all the same.
            if (op.Op != IrOpcode.Mov || source != Slot.Zero || op.Size != 4)
                return false;
            distance = (uint)distance;
        }

        if (!is64)
            distance = (int)distance;
        return IsSmall(distance);
    }

    private static bool IsFullWidth(in IrOp op, bool is64)
    {
        if (op.Size != (is64 ? 8 : 4))
            return false;
        return op.Op != IrOpcode.Lea || op.Form is AddressForm.Flat64 or AddressForm.Flat32 or AddressForm.Segment64 or AddressForm.Segment32;
    }

    private static bool IsSmall(long offset) => offset is > -MaxOffset and < MaxOffset;

    // (Written out: this is done for each op, and mostly there is nothing to remove.)
    private void Forget(ushort slot)
    {
        for (var i = _ranges.Count - 1; i >= 0; i--)
            if (_ranges[i].Key.Uses(slot))
                _ranges.RemoveAt(i);
    }

    // dst = source + distance: what is known relative to source is known relative to dst as well.
    private void Move(ushort dst, ushort source, long distance)
    {
        if (dst == source)
        {
            for (var i = _ranges.Count - 1; i >= 0; i--)
            {
                var range = _ranges[i];
                if (!range.Key.Uses(dst))
                    continue;
                _ranges.RemoveAt(i);
                var shift = (range.Key.A == dst ? distance : 0) + (range.Key.B == dst ? distance << range.Key.Scale : 0);
                var moved = range with { Lo = range.Lo - shift, Hi = range.Hi - shift };
                if (range.Key.Seg != dst && IsSmall(moved.Lo) && IsSmall(moved.Hi))
                    _ranges.Insert(i, moved);
            }

            return;
        }

        Forget(dst);
        List<CheckedRange>? named = null;
        foreach (var range in _ranges)
            if (range.Key.A == source && range.Key.B == Slot.Zero)
                (named ??= []).Add(range);
        foreach (var range in named ?? [])
            Add(new CheckedRange(range.Key with { A = dst }, range.Write, range.Lo - distance, range.Hi - distance, range.Window));
    }

    // dst = a + b * scale + constant.
    private void Name(in IrOp lea)
    {
        var key = AddressKey.Make(lea.A, lea.B, lea.Scale, (byte)Slot.Zero, default);
        var found = _ranges.FindAll(range => range.Key.A == key.A && range.Key.B == key.B && range.Key.Scale == key.Scale);
        Forget(lea.Dst);
        foreach (var range in found)
            if (range.Key.Seg != lea.Dst)
                Add(new CheckedRange(
                    AddressKey.Make(lea.Dst, Slot.Zero, 0, range.Key.Seg, range.Key.Form), range.Write, range.Lo - lea.Disp, range.Hi - lea.Disp, range.Window));
    }
}
