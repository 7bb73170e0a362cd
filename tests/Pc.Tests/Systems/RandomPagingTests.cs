using System.Buffers.Binary;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Pc.Tests.Systems;

/// <summary>
/// Random programs of page tables against <see cref="PagingModel"/>: pages mapped, moved, taken away and given other rights, with and without
/// invalidation; aliases; large pages made of tables and tables of large pages; accessed and dirty bits; code pages; addresses of no memory. Every access
/// must have an outcome that the model allows, and memory must be as the model has it. HOSTILE_SEED and HOSTILE_ROUNDS choose other programs and more.
/// </summary>
public unsafe class RandomPagingTests
{
    private const ulong RamEnd = 0x100000, Hole = 0xA0000;
    private const ulong Directory = 0x10000, Identity = 0x11000, Table = 0x12000, Upper = 0x14000;
    private const ulong Stubs = 0x8000, Stack = 0xF000;
    private const ulong Window = 0x800000, WindowOffset = 0x40000, Frames = 0x40000;
    private const int PageCount = 16, FrameCount = 24, CodeOffset = 0x800, Steps = 4000;
    private const int FaultVector = 14;

    private static readonly int s_seed = Setting("HOSTILE_SEED", 30_000);
    private static readonly int s_programs = Math.Max(1, Setting("HOSTILE_ROUNDS", 300) / 100);

    // Where each stub is; each ends with an instruction that traps.
    private static readonly byte[][] s_stubs =
    [
        [0x8B, 0x03, 0x0F, 0x0B],           // mov eax, [rbx]; ud2
        [0x89, 0x03, 0x0F, 0x0B],           // mov [rbx], eax
        [0x01, 0x03, 0x0F, 0x0B],           // add [rbx], eax
        [0xFF, 0xD3, 0x0F, 0x0B],           // call rbx
        [0x0F, 0x01, 0x3B, 0x0F, 0x0B],     // invlpg [rbx]
        [0x0F, 0x22, 0xDB, 0x0F, 0x0B],     // mov cr3, rbx
        [0x0F, 0x22, 0xC3, 0x0F, 0x0B],     // mov cr0, rbx
        [0x0F, 0x22, 0xE3, 0x0F, 0x0B],     // mov cr4, rbx
    ];

    private enum Stub
    {
        Load,
        Store,
        Add,
        Call,
        Invalidate,
        LoadCr3,
        LoadCr0,
        LoadCr4,
    }

    [Theory]
    [InlineData(SystemEngine.Interpreter, PagingFormat.Bits32)]
    [InlineData(SystemEngine.Interpreter, PagingFormat.Pae)]
    [InlineData(SystemEngine.Interpreter, PagingFormat.FourLevel)]
    [InlineData(SystemEngine.Warm, PagingFormat.Bits32)]
    [InlineData(SystemEngine.Warm, PagingFormat.Pae)]
    [InlineData(SystemEngine.Warm, PagingFormat.FourLevel)]
    public void AccessesAreAsTheModelAllows(SystemEngine engine, PagingFormat format)
    {
        for (var i = 0; i < s_programs; i++)
            using (var program = new Program(engine, format, s_seed + i))
                program.Run();
    }

    private static int Setting(string name, int value) => int.TryParse(Environment.GetEnvironmentVariable(name), out var set) ? set : value;

    private sealed class Program : IDisposable
    {
        private readonly TestSystem _system;
        private readonly PagingFormat _format;
        private readonly int _seed;
        private readonly Random _random;
        private readonly byte[] _memory = new byte[RamEnd];
        private readonly byte[] _now = new byte[RamEnd];
        private readonly PagingModel _model;
        private readonly ulong _root;
        private ulong _cr0 = 0x80010011, _cr4;
        private int _step;
        private string _action = "";

        public Program(SystemEngine engine, PagingFormat format, int seed)
        {
            (_format, _seed, _random) = (format, seed, new Random(seed));
            _system = new TestSystem(engine, RamEnd) { StopsAtExceptions = true };
            _root = IsWide ? Upper : Directory;
            _cr4 = IsWide ? 0x20u : 0x10u;
            _model = new PagingModel(_memory, format, IsLong ? Upper : Directory) { ProtectsWrites = true };
            FillMemory();
            SetRegisters();
        }

        private bool IsLong => _format == PagingFormat.FourLevel;

        private bool IsWide => _format != PagingFormat.Bits32;

        private int EntrySize => IsWide ? 8 : 4;

        // The entry of the window in the directory.
        private ulong DirectoryEntry => IsWide ? Directory + ((Window >> 21) * 8) : Directory + ((Window >> 22) * 4);

        public void Run()
        {
            for (_step = 0; _step < Steps; _step++)
            {
                var kind = _random.Next(100);
                if (kind < 22)
                    ChangeEntry();
                else if (kind < 25)
                    ChangeDirectory();
                else if (kind < 33)
                    Invalidate();
                else if (kind < 36)
                    ChangeControl();
                else
                    Access();
                if (_step % 32 == 0)
                    CheckMemory();
            }

            CheckMemory();
        }

        public void Dispose() => _system.Dispose();

        private ulong PageAt(int index) => Window + WindowOffset + ((ulong)index * 0x1000);

        private IEnumerable<ulong> AllPages() => Enumerable.Range(0, PageCount).Select(PageAt);

        private void FillMemory()
        {
            for (var i = 0; i < s_stubs.Length; i++)
                s_stubs[i].CopyTo(_memory, (int)Stubs + (i * 0x40));
            for (var i = 0; i < FrameCount; i++)
            {
                var frame = (int)Frames + (i * 0x1000);
                Put((ulong)frame, (uint)(0xF0000000 + i), 4);
                _memory[frame + CodeOffset] = 0xB8;
                Put((ulong)(frame + CodeOffset + 1), (uint)(0xC0000000 + i), 4);
                _memory[frame + CodeOffset + 5] = 0xC3;
            }

            // Low memory at its own addresses, and the window's table.
            for (var page = 0UL; page < 0x40; page++)
                Put(Identity + (page * (ulong)EntrySize), (page << 12) | 0x67, EntrySize);
            Put(Directory, Identity | 0x67, EntrySize);
            Put(DirectoryEntry, Table | 7, EntrySize);
            if (_format == PagingFormat.Pae)
                Put(Upper, Directory | 1, 8);
            if (IsLong)
            {
                Put(Upper, (Upper + 0x1000) | 0x27, 8);
                Put(Upper + 0x1000, Directory | 0x27, 8);
            }

            for (var i = 0; i < PageCount; i++)
                Put(EntryOf(i), RandomEntry(), EntrySize);
            _system.Memory.Write(0, _memory.AsSpan(0, (int)Hole));
        }

        private ulong EntryOf(int page) => Table + ((ulong)((int)(WindowOffset >> 12) + page) * (ulong)EntrySize);

        private ulong RandomEntry()
        {
            var frame = _random.Next(20) == 0 ? Hole + 0x8000 : Frames + ((ulong)_random.Next(FrameCount) * 0x1000);
            var bits = (_random.Next(8) == 0 ? 0UL : 1) | (uint)(_random.Next(4) << 1) | (_random.Next(4) == 0 ? 0x100u : 0) | (uint)(_random.Next(4) << 5);
            return frame | bits | RandomHighBits();
        }

        // No-execute, and rarely one that is reserved: of 4-level paging bits 39 to 51, of PAE to 62. Where bits are free, they may be anything.
        private ulong RandomHighBits()
        {
            if (!IsWide)
                return 0;
            var bits = _random.Next(6) == 0 ? 1UL << 63 : 0;
            return _random.Next(16) == 0 ? bits | (1UL << _random.Next(39, 63)) : bits;
        }

        private void Put(ulong at, ulong value, int size)
        {
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
            bytes[..size].CopyTo(_memory.AsSpan((int)at));
        }

        private ulong Get(ulong at, int size) =>
            size == 8 ? BinaryPrimitives.ReadUInt64LittleEndian(_memory.AsSpan((int)at)) : BinaryPrimitives.ReadUInt32LittleEndian(_memory.AsSpan((int)at));

        private void SetRegisters()
        {
            var s = _system.State;
            s->System.Cr0 = _cr0;
            s->System.Cr3 = _root;
            s->System.Cr4 = _cr4;
            s->System.Efer = _format switch { PagingFormat.Pae => 0x800u, PagingFormat.FourLevel => 0xD00u, _ => 0 };
            s->IsLongMode = IsLong;
            if (_format == PagingFormat.Pae)
                s->System.PageDirectoryPointers[0] = Directory | 1;
            TranslationControl.Changed(s);
            ControlRegisters.FollowCr0(s);
            SetRing(0);
        }

        private void SetRing(int ring)
        {
            var s = _system.State;
            for (var i = 0; i < 6; i++)
            {
                var isCode = i == 1;
                *CpuAccess.Segment(s, i) = new SegmentRegister
                {
                    Selector = (ushort)((isCode ? 8 : 16) | ring),
                    Limit = uint.MaxValue,
                    Attributes = (ushort)((isCode ? IsLong ? 0xA09B : 0xC09B : 0xC093) | (ring << 5)),
                };
                s->Slots[Slot.EsBase + i] = 0;
            }

            CodeModes.Update(s);
        }

        // Runs a stub; true when it came to its end.
        private bool Execute(Stub stub, ulong address, ulong value, int ring = 0)
        {
            var s = _system.State;
            SetRing(ring);
            CpuAccess.SetEflags(s, 2);
            s->Slots[Slot.Rip] = Stubs + ((ulong)stub * 0x40);
            s->Slots[Slot.Rbx] = address;
            s->Slots[Slot.Rax] = value;
            s->Slots[Slot.Rsp] = Stack;
            var cause = _system.Run(16);
            Check(cause == ExitCause.Exception, $"stopped for {cause}");
            return s->Execution.ExceptionVector == 6;
        }

        // As software does it: a store by its own mapping of the table.
        private void WriteEntry(ulong at, ulong value)
        {
            Put(at, value, EntrySize);
            for (var part = 0; part < EntrySize; part += 4)
                Check(Execute(Stub.Store, at + (ulong)part, (uint)(value >> (part * 8))), "a store to a page table faults");
        }

        private void ChangeEntry()
        {
            var page = _random.Next(PageCount);
            var entry = RandomEntry();
            if (_random.Next(3) == 0)
                entry = Get(EntryOf(page), EntrySize) ^ (1UL << (_random.Next(2) == 0 ? _random.Next(3) : 5 + _random.Next(2)));
            _action = $"page {page} becomes {entry:x}";
            _model.Remember([PageAt(page)]);
            WriteEntry(EntryOf(page), entry);
            if (_random.Next(3) != 0)
                Invalidate(PageAt(page));
        }

        private void ChangeDirectory()
        {
            var entry = _random.Next(4) switch
            {
                0 => 0x80UL | (uint)(_random.Next(4) << 1) | 1 | (_random.Next(3) == 0 ? 0x100u : 0) | (_random.Next(8) == 0 ? 1u << _random.Next(13, 21) : 0) | RandomHighBits(),
                1 => Table | (uint)_random.Next(8) | RandomHighBits(),
                _ => Table | 7,
            };
            _action = $"the directory entry becomes {entry:x}";
            _model.Remember(AllPages());
            WriteEntry(DirectoryEntry, entry);

            // The paging-structure caches may keep the old entry for pages that were never used: all are invalidated (SDM Vol. 3, 4.10.4.1).
            foreach (var page in AllPages())
                Invalidate(page);
        }

        private void Invalidate()
        {
            switch (_random.Next(4))
            {
                case 0:
                    _action = "mov cr3";
                    Check(Execute(Stub.LoadCr3, _root, 0), "mov cr3 faults");
                    _model.InvalidateAll(globalToo: false);
                    break;
                default:
                    Invalidate(PageAt(_random.Next(PageCount)));
                    break;
            }
        }

        private void Invalidate(ulong page)
        {
            Check(Execute(Stub.Invalidate, page + (ulong)_random.Next(0x1000), 0), "invlpg faults");
            _model.Invalidate(page);
        }

        private void ChangeControl()
        {
            if (_random.Next(2) == 0)
            {
                _cr0 ^= 0x10000;
                _action = $"cr0 becomes {_cr0:x}";
                Check(Execute(Stub.LoadCr0, _cr0, 0), "mov cr0 faults");
                _model.ProtectsWrites = (_cr0 & 0x10000) != 0;
                return;
            }

            // Global pages; all translations go.
            _cr4 ^= 0x80;
            _action = $"cr4 becomes {_cr4:x}";
            Check(Execute(Stub.LoadCr4, _cr4, 0), "mov cr4 faults");
            _model.HasGlobal = (_cr4 & 0x80) != 0;
            _model.InvalidateAll(globalToo: true);
        }

        private void Access()
        {
            var stub = (Stub)_random.Next(4);
            var index = _random.Next(PageCount);
            var page = PageAt(index);
            var ring = _random.Next(2) * 3;
            var linear = page + (ulong)(stub == Stub.Call ? CodeOffset : _random.Next(4) switch { 0 => 0, 1 => CodeOffset + 1, _ => 4 * _random.Next(64) });
            var value = (uint)_random.Next();
            _action = $"{stub} at {linear:x}, ring {ring}, value {value:x}";
            var isWrite = stub is Stub.Store or Stub.Add;
            var outcomes = _model.Outcomes(linear, isWrite, stub == Stub.Call, ring == 3);
            var sources = stub == Stub.Add ? Values(_model.Outcomes(linear, false, false, ring == 3)) : [];
            if (stub == Stub.Call && outcomes.Any(o => !o.IsFault && o.Physical >= Hole))
                return;
            var isDone = Execute(stub, linear, value, ring);
            var s = _system.State;
            if (!isDone)
            {
                Check(s->Execution.ExceptionVector == FaultVector, $"exception {s->Execution.ExceptionVector}");
                var fault = new PagingOutcome(true, s->Execution.ExceptionError, 0);
                Check(outcomes.Contains(fault), $"#PF with error code {fault.Error:x}; allowed: {string.Join(", ", outcomes)}");
                Check(s->Execution.FaultAddress == linear, $"#PF at {s->Execution.FaultAddress:x}");
            }

            TakeMarks(linear, isWrite, isDone);
            if (stub == Stub.Call)
                TakeCall();
            if (!isDone)
            {
                _model.Invalidate(page);
                return;
            }

            var good = outcomes.Where(o => !o.IsFault).Select(o => o.Physical).ToList();
            Check(good.Count > 0, $"no fault; allowed: {string.Join(", ", outcomes)}");
            if (isWrite)
                TakeStore(good, sources, value);
            else
            {
                var got = (uint)s->Slots[Slot.Rax];
                Check(good.Any(p => ValueAt(stub == Stub.Call ? p + 1 : p) == got), $"{got:x} was read; allowed: {string.Join(", ", good.Select(p => $"{p:x}"))}");
            }
        }

        private uint ValueAt(ulong physical) => physical >= Hole ? uint.MaxValue : (uint)Get(physical, 4);

        // The return address of the call.
        private void TakeCall()
        {
            var size = IsLong ? 8 : 4;
            var at = Stack - (ulong)size;
            _system.Memory.Read(at, _now.AsSpan(0, size));
            var now = size == 8 ? BinaryPrimitives.ReadUInt64LittleEndian(_now) : BinaryPrimitives.ReadUInt32LittleEndian(_now);
            var wanted = Stubs + ((ulong)Stub.Call * 0x40) + 2;
            Check(now == wanted, $"the call pushed {now:x}");
            Put(at, wanted, size);
        }

        private List<uint> Values(HashSet<PagingOutcome> outcomes) => [.. outcomes.Where(o => !o.IsFault).Select(o => ValueAt(o.Physical))];

        // One of the places that the store may have gone to has the new value; the model's memory follows. Without LOCK the load and the store of one instruction
        // are two accesses, each of which may go by what is kept, or not: nothing in SDM Vol. 3, 4.10 says that they go by the same.
        private void TakeStore(List<ulong> places, List<uint> sources, uint value)
        {
            foreach (var place in places)
            {
                if (place >= Hole)
                    return;
                _system.Memory.Read(place, _now.AsSpan(0, 4));
                var now = BinaryPrimitives.ReadUInt32LittleEndian(_now);
                if (sources.Count == 0 ? now != value : !sources.Contains(now - value))
                    continue;
                Put(place, now, 4);
                return;
            }

            Check(places.Any(p => p >= Hole), $"the store went to none of {string.Join(", ", places.Select(p => $"{p:x}"))}");
        }

        // Accessed and dirty bits: what may be set, and must be when the processor had to walk.
        private void TakeMarks(ulong linear, bool isWrite, bool isDone)
        {
            foreach (var at in _model.Path(linear))
            {
                _system.Memory.Read(at, _now.AsSpan(0, EntrySize));
                var now = EntrySize == 8 ? BinaryPrimitives.ReadUInt64LittleEndian(_now) : BinaryPrimitives.ReadUInt32LittleEndian(_now);
                var old = Get(at, EntrySize);
                var (may, must) = _model.MarksOf(linear, at, isWrite);
                Check((now & ~may) == (old & ~may) && (now & old) == old, $"the entry at {at:x} was {old:x} and is {now:x}");
                if (isDone)
                    Check((now & must) == must, $"the entry at {at:x} is {now:x} after an access, without {must:x}");
                Put(at, now, EntrySize);
            }
        }

        // Accessed bits of what is present may be set ahead of an access (SDM Vol. 3, 4.8), as when code is looked at that may be entered soon.
        private void CheckMemory()
        {
            var length = (int)Hole;
            _system.Memory.Read(0, _now.AsSpan(0, length));
            while (true)
            {
                var at = _now.AsSpan(0, length).CommonPrefixLength(_memory.AsSpan(0, length));
                if (at == length)
                    return;
                var isEntry = at >= (int)Directory && at < (int)Table + 0x1000 && at % EntrySize == 0 && (_memory[at] & 1) != 0;
                Check(isEntry && (_now[at] ^ _memory[at]) == 0x20 && (_now[at] & 0x20) != 0, $"memory at {at:x} is {_now[at]:x2}, not {_memory[at]:x2}");
                _memory[at] |= 0x20;
            }
        }

        private void Check(bool isRight, string what) => Assert.True(isRight, $"seed {_seed}, step {_step}, {_action}: {what}");
    }
}
