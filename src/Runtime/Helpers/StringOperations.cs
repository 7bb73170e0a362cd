using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>
/// Repeated string instructions. A helper works through its elements a page at a time, with the registers in the state exact after each
/// piece, and gives 0 when the repetition has ended. It gives 1 when it stopped early, for an exit request or because the next element
/// faults: the instruction is entered again, and if it faults then, it does so with nothing changed. SDM Vol. 2, REP. With TF set a
/// helper does one element and stops early: each is followed by a trap (SDM Vol. 3, 18.3.1.4).
/// </summary>
internal static unsafe class StringOperations
{
    private const HelperEffects Effects = HelperEffects.ReadsState | HelperEffects.WritesState | HelperEffects.MayFault | HelperEffects.Recounts;

    private enum Outcome
    {
        More,
        Ended,
        Blocked,
    }

    internal static void RegisterHelpers()
    {
        HelperTable.Add(HelperId.RepMovs, &RepMovs, typeof(StringOperations), nameof(RepMovs), Effects);
        HelperTable.Add(HelperId.RepStos, &RepStos, typeof(StringOperations), nameof(RepStos), Effects);
        HelperTable.Add(HelperId.RepLods, &RepLods, typeof(StringOperations), nameof(RepLods), Effects);
        HelperTable.Add(HelperId.RepScas, &RepScas, typeof(StringOperations), nameof(RepScas), Effects);
        HelperTable.Add(HelperId.RepCmps, &RepCmps, typeof(StringOperations), nameof(RepCmps), Effects);
        HelperTable.Add(HelperId.RepIns, &RepIns, typeof(StringOperations), nameof(RepIns), Effects | HelperEffects.NotRepeatable);
        HelperTable.Add(HelperId.RepOuts, &RepOuts, typeof(StringOperations), nameof(RepOuts), Effects | HelperEffects.NotRepeatable);
    }

    private static ulong RepMovs(CpuState* s, ulong packed, ulong b, ulong c) => Repeat(s, new Repetition(s, packed), &Movs, Slot.Rsi, Slot.Rdi);

    private static ulong RepStos(CpuState* s, ulong packed, ulong b, ulong c) => Repeat(s, new Repetition(s, packed), &Stos, Slot.Rdi);

    private static ulong RepLods(CpuState* s, ulong packed, ulong b, ulong c) => Repeat(s, new Repetition(s, packed), &Lods);

    private static ulong RepScas(CpuState* s, ulong packed, ulong b, ulong c) => Repeat(s, new Repetition(s, packed), &Scas);

    private static ulong RepCmps(CpuState* s, ulong packed, ulong b, ulong c) => Repeat(s, new Repetition(s, packed), &Cmps);

    private static ulong RepIns(CpuState* s, ulong packed, ulong b, ulong c) => Repeat(s, new Repetition(s, packed), &Ins);

    private static ulong RepOuts(CpuState* s, ulong packed, ulong b, ulong c) => Repeat(s, new Repetition(s, packed), &Outs);

    private static ulong Repeat(
        CpuState* s, in Repetition rep, delegate*<CpuState*, in Repetition, Outcome> step, ushort first32 = Slot.Void, ushort second32 = Slot.Void)
    {
        var r = s->Slots;
        var (flagsOp, flagsRes, flagsSrc, flagsAux) = (r[Slot.FlagsOp], r[Slot.FlagsRes], r[Slot.FlagsSrc], r[Slot.FlagsAux]);
        rep.Begin(s, first32, second32);
        for (var first = true; rep.Count(s) != 0; first = false)
        {
            if (!first && rep.IsStepped)
                return Unfinished(s);
            if (first || s->Execution.ExitRequest == 0)
            {
                var outcome = step(s, rep);
                if (outcome == Outcome.More)
                    continue;
                if (outcome == Outcome.Ended || first)
                    return 0;
            }

            // scas and cmps set flags only when they complete.
            (r[Slot.FlagsOp], r[Slot.FlagsRes], r[Slot.FlagsSrc], r[Slot.FlagsAux]) = (flagsOp, flagsRes, flagsSrc, flagsAux);
            return Unfinished(s);
        }

        return 0;
    }

    // The instruction is counted when it completes, not now. (Translated code may not count at all.)
    private static ulong Unfinished(CpuState* s)
    {
        s->Execution.ExceptionVector = -1;
        if (s->Execution.InstructionCount != 0)
            s->Execution.InstructionCount--;
        return 1;
    }

    private static Outcome Movs(CpuState* s, in Repetition rep)
    {
        var n = rep.Piece(s, source: true, destination: true);
        if (n > 0)
        {
            var from = MemoryProbe.ForRead(s, rep.Lowest(s, Slot.Rsi, n), n * rep.Size);
            var to = from == null ? null : MemoryProbe.ForWrite(s, rep.Lowest(s, Slot.Rdi, n), n * rep.Size);
            if (to != null)
            {
                Copy(from, to, n, rep.Size, rep.Backwards);
                return rep.Advance(s, n, Slot.Rsi, Slot.Rdi);
            }
        }

        if (!rep.Read(s, Slot.Rsi, out var value) || !rep.Write(s, value))
            return Outcome.Blocked;
        return rep.Advance(s, 1, Slot.Rsi, Slot.Rdi);
    }

    // Element by element in the direction of the instruction, also where the two ranges overlap.
    private static void Copy(byte* from, byte* to, int count, int size, bool backwards)
    {
        var bytes = count * size;
        var distance = backwards ? from - to : to - from;
        if (distance <= 0 || distance >= bytes)
        {
            Buffer.MemoryCopy(from, to, bytes, bytes);
            return;
        }

        if (!backwards && distance >= size)
        {
            // Each piece is as long as the distance, so that it reads what the piece before it wrote.
            for (var done = 0; done < bytes; done += (int)distance)
            {
                var piece = Math.Min(distance, bytes - done);
                Buffer.MemoryCopy(from + done, to + done, piece, piece);
            }

            return;
        }

        var step = backwards ? -size : size;
        var offset = backwards ? bytes - size : 0;
        for (var i = 0; i < count; i++, offset += step)
            GuestMemory.Put(to + offset, size, GuestMemory.Get(from + offset, size));
    }

    // The first run by a loop, the rest by copies of what is there: Span.Fill is vector code that has to be compiled first, for each size.
    private static void Fill(byte* to, int count, int size, ulong value)
    {
        const int FirstRun = 16, LargestCopy = 4096;
        var first = Math.Min(count, FirstRun);
        for (var i = 0; i < first; i++)
            GuestMemory.Put(to + (i * size), size, value);
        long total = (long)count * size;
        for (long done = first * size; done < total;)
        {
            var length = Math.Min(Math.Min(done, LargestCopy), total - done);
            Buffer.MemoryCopy(to, to + done, length, length);
            done += length;
        }
    }

    private static Outcome Stos(CpuState* s, in Repetition rep)
    {
        var value = s->Slots[Slot.Rax];
        var n = rep.Piece(s, source: false, destination: true);
        var to = n == 0 ? null : MemoryProbe.ForWrite(s, rep.Lowest(s, Slot.Rdi, n), n * rep.Size);
        if (to != null)
        {
            Fill(to, n, rep.Size, value);
            return rep.Advance(s, n, Slot.Rdi);
        }

        return rep.Write(s, value) ? rep.Advance(s, 1, Slot.Rdi) : Outcome.Blocked;
    }

    private static Outcome Lods(CpuState* s, in Repetition rep)
    {
        if (!rep.Read(s, Slot.Rsi, out var value))
            return Outcome.Blocked;
        var r = s->Slots;
        r[Slot.Rax] = rep.Size switch
        {
            1 => (r[Slot.Rax] & ~0xFFUL) | value,
            2 => (r[Slot.Rax] & ~0xFFFFUL) | value,
            _ => value,
        };
        return rep.Advance(s, 1, Slot.Rsi);
    }

    private static Outcome Scas(CpuState* s, in Repetition rep)
    {
        var accumulator = s->Slots[Slot.Rax] & (ulong.MaxValue >> (64 - (rep.Size * 8)));
        var n = rep.Piece(s, source: false, destination: true);
        var p = n == 0 ? null : MemoryProbe.ForRead(s, rep.Lowest(s, Slot.Rdi, n), n * rep.Size);
        if (p == null)
        {
            if (!rep.Read(s, Slot.Rdi, out var value))
                return Outcome.Blocked;
            return Compared(s, rep, accumulator, value, 1, Slot.Rdi);
        }

        int index;
        if (!rep.Backwards)
            index = Find(p, n, rep.Size, accumulator, rep.WhileUnequal);
        else
            for (index = 0; index < n && (GuestMemory.Get(p + ((n - 1 - index) * rep.Size), rep.Size) == accumulator) != rep.WhileUnequal; index++)
            {
            }

        var done = Math.Min(index + 1, n);
        var last = rep.Backwards ? n - done : done - 1;
        return Compared(s, rep, accumulator, GuestMemory.Get(p + (last * rep.Size), rep.Size), done, Slot.Rdi);
    }

    // Index of the element that ends the scan, or count.
    private static int Find(byte* p, int count, int size, ulong value, bool equal)
    {
        var index = (size, equal) switch
        {
            (1, true) => new ReadOnlySpan<byte>(p, count).IndexOf((byte)value),
            (1, false) => new ReadOnlySpan<byte>(p, count).IndexOfAnyExcept((byte)value),
            (2, true) => new ReadOnlySpan<ushort>(p, count).IndexOf((ushort)value),
            (2, false) => new ReadOnlySpan<ushort>(p, count).IndexOfAnyExcept((ushort)value),
            (4, true) => new ReadOnlySpan<uint>(p, count).IndexOf((uint)value),
            (4, false) => new ReadOnlySpan<uint>(p, count).IndexOfAnyExcept((uint)value),
            (_, true) => new ReadOnlySpan<ulong>(p, count).IndexOf(value),
            _ => new ReadOnlySpan<ulong>(p, count).IndexOfAnyExcept(value),
        };
        return index < 0 ? count : index;
    }

    private static Outcome Cmps(CpuState* s, in Repetition rep)
    {
        var n = rep.Piece(s, source: true, destination: true);
        var left = n == 0 ? null : MemoryProbe.ForRead(s, rep.Lowest(s, Slot.Rsi, n), n * rep.Size);
        var right = left == null ? null : MemoryProbe.ForRead(s, rep.Lowest(s, Slot.Rdi, n), n * rep.Size);
        if (right == null)
        {
            if (!rep.Read(s, Slot.Rdi, out var b) || !rep.Read(s, Slot.Rsi, out var a))
                return Outcome.Blocked;
            return Compared(s, rep, a, b, 1, Slot.Rsi, Slot.Rdi);
        }

        var index = 0;
        if (!rep.Backwards && !rep.WhileUnequal)
            index = new ReadOnlySpan<byte>(left, n * rep.Size).CommonPrefixLength(new ReadOnlySpan<byte>(right, n * rep.Size)) / rep.Size;
        else
            for (; index < n; index++)
            {
                var at = (rep.Backwards ? n - 1 - index : index) * rep.Size;
                if ((GuestMemory.Get(left + at, rep.Size) == GuestMemory.Get(right + at, rep.Size)) == rep.WhileUnequal)
                    break;
            }

        var done = Math.Min(index + 1, n);
        var last = (rep.Backwards ? n - done : done - 1) * rep.Size;
        return Compared(s, rep, GuestMemory.Get(left + last, rep.Size), GuestMemory.Get(right + last, rep.Size), done, Slot.Rsi, Slot.Rdi);
    }

    // Records the flags of the last comparison made and goes on or ends.
    private static Outcome Compared(CpuState* s, in Repetition rep, ulong left, ulong right, int done, ushort first, ushort second = Slot.Void)
    {
        var r = s->Slots;
        r[Slot.FlagsOp] = FlagsRecord.Code(FlagsKind.Sub, System.Numerics.BitOperations.TrailingZeroCount(rep.Size));
        r[Slot.FlagsRes] = (left - right) & (ulong.MaxValue >> (64 - (rep.Size * 8)));
        r[Slot.FlagsSrc] = right;
        r[Slot.FlagsAux] = 0;
        rep.Advance(s, done, first, second);
        return (left == right) == rep.WhileUnequal ? Outcome.Ended : Outcome.More;
    }

    private static Outcome Ins(CpuState* s, in Repetition rep)
    {
        if (!rep.InLimit(s, Slot.Rdi, SegmentAccess.Write) || !GuestMemory.CheckWrite(s, rep.Linear(s, Slot.Rdi), rep.Size))
            return Outcome.Blocked;
        var value = Ports.Read(s, (ushort)s->Slots[Slot.Rdx], rep.Size);
        return rep.Write(s, value) ? rep.Advance(s, 1, Slot.Rdi) : Outcome.Blocked;
    }

    private static Outcome Outs(CpuState* s, in Repetition rep)
    {
        if (!rep.Read(s, Slot.Rsi, out var value))
            return Outcome.Blocked;
        Ports.Write(s, (ushort)s->Slots[Slot.Rdx], rep.Size, value);
        return rep.Advance(s, 1, Slot.Rsi);
    }

    /// <summary>The constant part of a repetition: element and address size, segments, direction.</summary>
    private readonly struct Repetition
    {
        private readonly ulong _mask;
        private readonly ulong _sourceBase;
        private readonly ulong _destinationBase;
        private readonly ulong _linearMask;
        private readonly int _sourceSegment;
        private readonly bool _checksSource;
        private readonly bool _checksDestination;
        private readonly bool _single;
        private readonly bool _checksAlignment;

        public Repetition(CpuState* s, ulong packed)
        {
            var mode = CpuAccess.Mode(s);
            Size = (int)(packed & 0xFF);
            _mask = ulong.MaxValue >> (64 - (int)(packed >> 8 & 0xFF) * 8);
            _sourceSegment = (int)(packed >> 16 & 0xFF);
            WhileUnequal = (packed >> 24 & 1) != 0;
            _single = (packed >> 25 & 1) != 0;
            Backwards = (s->Slots[Slot.Eflags] & Eflags.DF) != 0;
            _checksAlignment = (mode & GuestMode.AlignmentChecked) != 0;
            IsStepped = (s->Slots[Slot.Eflags] & Eflags.TF) != 0 || s->Execution.StepsRepetitions != 0;
            var flat = (mode & GuestMode.Flat) != 0;
            _checksDestination = !flat;
            _checksSource = !flat || (_sourceSegment == 4 && (mode & GuestMode.CheckedFs) != 0)
                || (_sourceSegment == 5 && (mode & GuestMode.CheckedGs) != 0);
            _linearMask = mode.Is64() ? ulong.MaxValue : uint.MaxValue;
            _sourceBase = flat && _sourceSegment < 4 ? 0 : s->Slots[Slot.EsBase + _sourceSegment];
            _destinationBase = flat ? 0 : s->Slots[Slot.EsBase];
        }

        /// <summary>Bytes of an element.</summary>
        public int Size { get; }

        /// <summary>DF is set.</summary>
        public bool Backwards { get; }

        /// <summary>One element at a time: a debug exception may follow.</summary>
        public bool IsStepped { get; }

        /// <summary>repne: goes on while the elements differ.</summary>
        public bool WhileUnequal { get; }

        /// <summary>
        /// In 64-bit mode with 32-bit addresses the counter is zero-extended before the first element, even if there is none; movs and
        /// stos do the same with their pointers.
        /// </summary>
        public void Begin(CpuState* s, ushort first, ushort second)
        {
            if (_single || _mask != uint.MaxValue)
                return;
            s->Slots[Slot.Rcx] = (uint)s->Slots[Slot.Rcx];
            s->Slots[first] = (uint)s->Slots[first];
            s->Slots[second] = (uint)s->Slots[second];
        }

        /// <summary>Elements left.</summary>
        public ulong Count(CpuState* s) => _single ? 1 : s->Slots[Slot.Rcx] & _mask;

        /// <summary>
        /// Elements that can be done at once: none crosses a page, no offset wraps around, none is outside a limit. 0 when the next one
        /// needs care, or is to be done alone.
        /// </summary>
        public int Piece(CpuState* s, bool source, bool destination)
        {
            if (_checksSource || _checksDestination || IsStepped || _checksAlignment)
                return 0;
            var n = Math.Min(Count(s), AddressSpace.PageSize);
            if (source)
                n = Math.Min(n, Elements(s, Slot.Rsi));
            if (destination)
                n = Math.Min(n, Elements(s, Slot.Rdi));
            return (int)n;
        }

        /// <summary>Linear address of the lowest of the next <paramref name="n"/> elements.</summary>
        public ulong Lowest(CpuState* s, ushort slot, int n) => Linear(s, slot) - (Backwards ? (ulong)((n - 1) * Size) : 0);

        /// <summary>Linear address of the next element.</summary>
        public ulong Linear(CpuState* s, ushort slot) =>
            ((slot == Slot.Rsi ? _sourceBase : _destinationBase) + (s->Slots[slot] & _mask)) & _linearMask;

        /// <summary>True when the next element is inside its segment, else the exception is pending.</summary>
        public bool InLimit(CpuState* s, ushort slot, int access = 0) => !(slot == Slot.Rsi ? _checksSource : _checksDestination)
            || SegmentLimits.Check(
                s, Slot.EsBase + (slot == Slot.Rsi ? _sourceSegment : 0), s->Slots[slot] & _mask, (ulong)(Size | access));

        /// <summary>Reads the next element.</summary>
        public bool Read(CpuState* s, ushort slot, out ulong value)
        {
            value = 0;
            return InLimit(s, slot) && GuestMemory.TryRead(s, Linear(s, slot), Size, out value);
        }

        /// <summary>Writes the next element at rDI.</summary>
        public bool Write(CpuState* s, ulong value) => InLimit(s, Slot.Rdi, SegmentAccess.Write) && GuestMemory.TryWrite(s, Linear(s, Slot.Rdi), Size, value);

        /// <summary>Moves the registers on by <paramref name="n"/> elements.</summary>
        public Outcome Advance(CpuState* s, int n, ushort first, ushort second = Slot.Void)
        {
            var distance = (ulong)(Backwards ? -n * Size : n * Size);
            Add(s, first, distance);
            if (second != Slot.Void)
                Add(s, second, distance);
            if (_single)
                return Outcome.Ended;
            Add(s, Slot.Rcx, (ulong)-n);
            return Outcome.More;
        }

        // A 16-bit register keeps its upper bits, a 32-bit one is zero-extended.
        private void Add(CpuState* s, ushort slot, ulong distance)
        {
            var value = s->Slots[slot];
            var sum = (value + distance) & _mask;
            s->Slots[slot] = _mask == 0xFFFF ? (value & ~_mask) | sum : sum;
        }

        private ulong Elements(CpuState* s, ushort slot)
        {
            var offset = s->Slots[slot] & _mask;
            var inPage = Linear(s, slot) % AddressSpace.PageSize;
            if (Backwards)
            {
                var below = Math.Min(inPage, offset);
                return inPage + (ulong)Size > AddressSpace.PageSize || offset + (ulong)Size - 1 > _mask ? 0 : (below / (ulong)Size) + 1;
            }

            return Math.Min(AddressSpace.PageSize - inPage, _mask - offset == ulong.MaxValue ? ulong.MaxValue : _mask - offset + 1) / (ulong)Size;
        }
    }
}
