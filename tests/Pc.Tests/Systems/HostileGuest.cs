using System.Buffers.Binary;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Pc.Tests.Systems;

/// <summary>
/// Puts a CPU and its RAM into a random state from which nothing good is to be expected: random bytes and privileged instructions as code, descriptor
/// tables, page tables, task states and stacks that are nearly right or lead anywhere. A seed always gives the same state.
/// </summary>
/// <param name="hasDevices">The chips of a PC are there, and the code also makes for their registers.</param>
internal sealed unsafe class HostileGuest(bool hasDevices = false)
{
    /// <summary>Where RAM ends.</summary>
    public const int RamEnd = 0x40000;

    private const int Gdt = 0x1000, Idt = 0x2000, Ldt = 0x3000, Task = 0x3800, Tables = 0x8000, TablesEnd = 0xE000, Code = 0x10000, CodeEnd = 0x20000;
    private const int Descriptors = 64, Gates = 256;

    // Commands to fw_cfg, between tables that hardly anything uses.
    private const int Commands = 0xE000, CommandCount = 64;
    private const ulong Nowhere = 0x800000000000;

    // Two-byte opcodes after 0F that only an operating system has, or that end a block.
    private static readonly byte[] s_systemOpcodes =
        [0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x20, 0x21, 0x22, 0x23, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0xA0, 0xA1, 0xA2, 0xA8, 0xA9, 0xAE,
        0xB2, 0xB4, 0xB5, 0xC7];

    // One-byte opcodes of that kind: segment loads, far transfers, interrupts, flags, ports, strings, stacks.
    private static readonly byte[] s_oneByteOpcodes =
        [0x06, 0x07, 0x0E, 0x16, 0x17, 0x1E, 0x1F, 0x60, 0x61, 0x62, 0x63, 0x6C, 0x6D, 0x6E, 0x6F, 0x8C, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0xA4, 0xA5, 0xAA, 0xAB, 0xAC,
        0xC2, 0xC4, 0xC5, 0xC8, 0xC9, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF, 0xD8, 0xDD, 0xE2, 0xE4, 0xE6, 0xEA, 0xEC, 0xEE, 0xEF, 0xF1, 0xF4, 0xFA, 0xFB, 0xFC, 0xFD, 0xFF];

    private static readonly byte[] s_prefixes = [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x48];

    private static readonly uint[] s_modelRegisters =
        [0x10, 0x1B, 0x3B, 0xFE, 0x174, 0x175, 0x176, 0x1A0, 0x200, 0x20F, 0x250, 0x26F, 0x277, 0x2FF, 0x6E0, 0xC0000080, 0xC0000081, 0xC0000082, 0xC0000083,
        0xC0000084, 0xC0000100, 0xC0000101, 0xC0000102, 0xC0000103];

    // Ports of the chips of a PC, the first of each.
    private static readonly ushort[] s_ports =
        [0x00, 0x20, 0xA0, 0x40, 0x43, 0x60, 0x64, 0x61, 0x70, 0x80, 0x92, 0xB2, 0xE9, 0xF0, 0x1F0, 0x3F8, 0x4D0, 0x500, 0x510, 0x514, 0x518, 0x600, 0x608, 0xCF8, 0xCFC];

    private static readonly uint[] s_registerPages = [0xFEE00000, 0xFEE00000, 0xFEC00000, 0xA0000, 0xE0000, 0xFFFFF000];

    private readonly byte[] _ram = new byte[RamEnd];
    private Random _random = new(0);
    private Start _start;
    private Paging _paging;

    private enum Start
    {
        Real,
        Protected16,
        Protected32,
        Virtual8086,
        Long,
        Compatibility,
    }

    private enum Paging
    {
        None,
        Bits32,
        Pae,
        FourLevel,
    }

    /// <summary>Writes RAM and registers.</summary>
    /// <returns>What the state is, for a message.</returns>
    public string Apply(TestSystem system, int seed)
    {
        system.Begin();
        return Apply(system.Memory, system.State, seed);
    }

    /// <summary>Writes RAM and registers.</summary>
    /// <returns>What the state is, for a message.</returns>
    public string Apply(AddressSpace memory, CpuState* state, int seed)
    {
        _random = new Random(seed);
        _start = (Start)_random.Next(6);
        _paging = _start switch
        {
            Start.Real => Paging.None,
            Start.Long or Start.Compatibility => Paging.FourLevel,
            _ => (Paging)_random.Next(3),
        };
        FillCode();
        FillDescriptors(_paging == Paging.FourLevel);
        FillPageTables(_paging);
        if (hasDevices)
            PutDeviceCommands();
        memory.PrepareWrite(0, RamEnd);
        memory.Write(0, _ram);
        Restart(state);
        return $"seed {seed}: {_start}, paging {_paging}";
    }

    /// <summary>Sets the registers anew, with the memory as it is.</summary>
    public void Restart(CpuState* state) =>
        SetRegisters(state, _start, _paging, _start switch { Start.Real => 0, Start.Virtual8086 => 3, _ => _random.Next(2) * 3 });

    private bool Chance(int percent) => _random.Next(100) < percent;

    private uint Any32() => (uint)_random.NextInt64(1L << 32);

    private byte Pick(byte[] values) => values[_random.Next(values.Length)];

    // A number that means something somewhere: an address of a table, an edge, a selector.
    private ulong Interesting() => _random.Next(12) switch
    {
        0 => 0,
        1 => (ulong)_random.Next(256),
        2 => (ulong)((_random.Next(Descriptors) * 8) + _random.Next(8)),
        3 => Gdt + (ulong)_random.Next(0x400),
        4 => Tables + (ulong)_random.Next(TablesEnd - Tables),
        5 or 6 => Code + (ulong)_random.Next(CodeEnd - Code),
        7 => (ulong)_random.Next(RamEnd) | 0xFFF,
        8 => ulong.MaxValue - (ulong)_random.Next(16),
        9 => Nowhere - (ulong)_random.Next(16) + 8,
        10 => Any32(),
        _ => (ulong)_random.NextInt64(),
    };

    private void Put(int at, ulong value, int size)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes[..Math.Min(size, RamEnd - at)].CopyTo(_ram.AsSpan(at));
    }

    // Privileged instructions with operands between random bytes; a good part of both is valid.
    private void FillCode()
    {
        _random.NextBytes(_ram);
        for (var at = Code; at < CodeEnd - 32;)
        {
            if (hasDevices && Chance(25))
                at = PutDeviceAccess(at);
            if (Chance(30))
                _ram[at++] = Pick(s_prefixes);
            switch (_random.Next(10))
            {
                case 0:
                    at += _random.Next(1, 4);
                    break;
                case 1 or 2 or 3 or 4:
                    _ram[at++] = 0x0F;
                    _ram[at++] = Pick(s_systemOpcodes);
                    at = PutOperand(at);
                    break;
                case 5 or 6:
                    _ram[at++] = Pick(s_oneByteOpcodes);
                    at = PutOperand(at);
                    break;
                case 7:
                    // mov r32, imm32 (imm64 with the prefix 48, as it comes).
                    _ram[at++] = (byte)(0xB8 + _random.Next(8));
                    Put(at, Interesting(), 8);
                    at += 4;
                    break;
                case 8:
                    // mov ecx, MSR; rdmsr or wrmsr
                    _ram[at++] = 0xB9;
                    Put(at, s_modelRegisters[_random.Next(s_modelRegisters.Length)], 4);
                    at += 4;
                    _ram[at++] = 0x0F;
                    _ram[at++] = (byte)(Chance(50) ? 0x30 : 0x32);
                    break;
                default:
                    // mov to memory by a register: stores to tables and code.
                    _ram[at++] = (byte)(Chance(50) ? 0x89 : 0x8B);
                    at = PutOperand(at);
                    break;
            }
        }
    }

    // A register of a chip is read or written, by a port or in memory.
    private int PutDeviceAccess(int at)
    {
        var isPort = Chance(60);
        var isCommand = Chance(10);
        var port = isCommand ? 0x518u : (uint)(s_ports[_random.Next(s_ports.Length)] + (Chance(70) ? _random.Next(8) : 0));
        var register = isPort ? port : s_registerPages[_random.Next(s_registerPages.Length)] + (uint)(Chance(90) ? _random.Next(0x40) * 16 : _random.Next(0x1000));

        // The address of a command to fw_cfg is big-endian, and its low half starts it.
        var value = isCommand ? BinaryPrimitives.ReverseEndianness((uint)(Commands + (_random.Next(CommandCount) * 16))) : (uint)Interesting();

        // mov edx or ebx, register; mov eax, value
        _ram[at++] = (byte)(isPort ? 0xBA : 0xBB);
        Put(at, register, 4);
        at += 4;
        _ram[at++] = 0xB8;
        Put(at, value, 4);
        at += 4;
        if (Chance(20))
            _ram[at++] = 0x66;
        var isRead = !isCommand && Chance(30);
        if (isPort)
        {
            // in al or eax, dx; out dx, al or eax
            _ram[at++] = (byte)((isRead ? 0xEC : 0xEE) + (isCommand || Chance(40) ? 1 : 0));
            return at;
        }

        // mov eax, [ebx]; mov [ebx], eax
        _ram[at++] = (byte)((isRead ? 0x8A : 0x88) + (Chance(80) ? 1 : 0));
        _ram[at++] = 0x03;
        return at;
    }

    // What fw_cfg is told to do by DMA: control, length, address, all big-endian. Lengths and addresses are anything.
    private void PutDeviceCommands()
    {
        for (var i = 0; i < CommandCount; i++)
        {
            var place = _ram.AsSpan(Commands + (i * 16));
            var control = (uint)(_random.Next(32) | (Chance(50) ? 2 : 16)) | ((uint)(Chance(70) ? _random.Next(0x30) : _random.Next(0x10000)) << 16);
            BinaryPrimitives.WriteUInt32BigEndian(place, control);
            BinaryPrimitives.WriteUInt32BigEndian(place[4..], Chance(60) ? (uint)_random.Next(0x2000) : Any32());
            BinaryPrimitives.WriteUInt64BigEndian(place[8..], Interesting());
        }
    }

    private int PutOperand(int at)
    {
        var modRm = (byte)_random.Next(256);
        _ram[at++] = modRm;
        if ((modRm & 0xC7) is 0x05 or 0x06 || (modRm & 0xC0) == 0x80)
        {
            Put(at, Interesting(), 4);
            at += 4;
        }
        else if ((modRm & 0xC0) == 0x40)
            at++;
        return at;
    }

    private void FillDescriptors(bool isLong)
    {
        for (var i = 1; i < Descriptors; i++)
        {
            PutDescriptor(Gdt + (i * 8), i);
            PutDescriptor(Ldt + (i * 8), i);
        }

        var size = isLong ? 16 : 8;
        for (var i = 0; i < Gates; i++)
        {
            if (Chance(2))
                continue;
            var gate = Idt + (i * size);
            if (gate + size > Ldt && !isLong)
                break;
            PutGate(gate, Chance(92) ? 0x8E + _random.Next(2) : 0x80 + _random.Next(16));
            if (isLong)
                Put(gate + 8, Chance(95) ? 0 : Any32(), 8);
        }

        // The task's stacks and selectors are mostly good ones in the format of the mode.
        for (var offset = 0; offset < 104; offset += 4)
            Put(Task + offset, Chance(80) ? (uint)_random.Next(RamEnd) : (uint)(_random.Next(Descriptors) * 8), 4);
        if (Chance(10))
            return;
        for (var ring = 0; ring < 3; ring++)
        {
            var stack = (ulong)_random.Next(0x20000, RamEnd);
            Put(Task + 4 + (ring * 8), stack, 8);
            if (!isLong)
                Put(Task + 8 + (ring * 8), 0x10, 4);
        }
    }

    private void PutDescriptor(int at, int index)
    {
        // A few good ones at the places that SetRegisters uses.
        var access = index switch
        {
            1 => 0x9B,
            2 => 0x93,
            3 => 0xFB,
            4 => 0xF3,
            5 => 0x89,
            _ => _random.Next(256) | (Chance(80) ? 0x80 : 0),
        };
        var flags = index switch { 1 or 3 => 0xC, 2 or 4 => 0xC, 5 => 0, _ => _random.Next(16) };
        var limit = index <= 4 ? 0xFFFFFu : index == 5 ? 0x67u : Chance(50) ? 0xFFFFFu : Any32() & 0xFFFFF;
        var start = index <= 4 ? 0 : index == 5 ? Task : Chance(60) ? 0u : (uint)Interesting();
        if (index > 5 && (access & 0x14) == 0x04)
        {
            PutGate(at, access);
            return;
        }

        Put(at, (limit & 0xFFFF) | ((ulong)(start & 0xFFFFFF) << 16) | ((ulong)(uint)access << 40) | ((ulong)(limit >> 16) << 48) | ((ulong)(uint)flags << 52)
            | ((ulong)(start >> 24) << 56), 8);
    }

    private void PutGate(int at, int access)
    {
        var target = Chance(90) ? (uint)_random.Next(Code, CodeEnd) : (uint)Interesting();
        var selector = Chance(95) ? 8u : (uint)(_random.Next(Descriptors) * 8);
        Put(at, (target & 0xFFFF) | ((ulong)selector << 16) | ((ulong)(uint)_random.Next(Chance(80) ? 1 : 32) << 32) | ((ulong)(uint)(access | (_random.Next(4) << 5)) << 40)
            | ((ulong)(target >> 16) << 48), 8);
    }

    // Most entries map RAM at its own addresses, for else nothing would run; the others lead anywhere.
    private void FillPageTables(Paging paging)
    {
        if (paging == Paging.None)
            return;
        var size = paging == Paging.Bits32 ? 4 : 8;
        for (var at = Tables; at < TablesEnd; at += size)
            Put(at, RandomEntry(size), size);
        switch (paging)
        {
            case Paging.Bits32:
                PutTable(Tables, Tables + 0x1000, 4);
                break;
            case Paging.Pae:
                for (var i = 0; i < 4; i++)
                    Put(Tables + (i * 8), (ulong)(Tables + 0x1001 + (Chance(30) ? i * 0x1000 : 0)), 8);
                PutTable(Tables + 0x1000, Tables + 0x5000, 8);
                break;
            default:
                Put(Tables, Tables + 0x1000 + 7, 8);
                Put(Tables + 0x1000, Tables + 0x2000 + 7, 8);
                PutTable(Tables + 0x2000, Tables + 0x3000, 8);
                break;
        }
    }

    private void PutTable(int directory, int table, int size)
    {
        Put(directory, (ulong)(table + 7), size);
        for (var page = 0; page < RamEnd / 0x1000; page++)
            Put(table + (page * size), Chance(96) ? (ulong)((page * 0x1000) + 7 + (_random.Next(2) << 8)) : RandomEntry(size), size);
    }

    private ulong RandomEntry(int size)
    {
        var frame = Chance(80) ? (ulong)_random.Next(RamEnd / 0x1000) << 12 : Interesting() & ~0xFFFUL;
        var entry = frame | (uint)(_random.Next(512) | (Chance(70) ? 7 : 0));
        if (size == 8 && Chance(20))
            entry |= 1UL << _random.Next(64);
        return entry;
    }

    private void SetRegisters(CpuState* s, Start start, Paging paging, int level)
    {
        s->Execution.ExceptionVector = -1;
        CpuReset.Apply(s);
        for (var i = 0; i < 16; i++)
            s->Slots[i] = Interesting();
        var isLong = paging == Paging.FourLevel;
        if (!isLong)
            for (var i = 0; i < 16; i++)
                s->Slots[i] = i < 8 ? (uint)s->Slots[i] : 0;
        if (Chance(90))
            s->Slots[Slot.Rcx] = (ulong)_random.Next(32);
        if (Chance(80))
            s->Slots[Slot.Rsp] = (ulong)_random.Next(0x20000, RamEnd);
        s->Gdtr = new TableRegister { Base = Gdt, Limit = (ushort)((Descriptors * 8) - 1) };
        s->System.Idtr = start == Start.Real
            ? new TableRegister { Base = 0, Limit = 0x3FF }
            : new TableRegister { Base = Idt, Limit = (ushort)(isLong ? 0xFFF : 0x7FF) };
        s->LdtBase = Ldt;
        s->Ldtr = new SegmentRegister { Selector = 0x30, Attributes = 0x82, Limit = (Descriptors * 8) - 1 };
        s->System.TrBase = Task;
        s->System.Tr = new SegmentRegister { Selector = 0x28, Attributes = 0x8B, Limit = 0x67 };
        s->System.Star = ((ulong)Any32() << 32) | Any32();
        s->System.LongStar = (ulong)_random.Next(Code, CodeEnd);
        s->System.CompatibilityStar = (ulong)_random.Next(Code, CodeEnd);
        s->System.SysenterCs = Chance(80) ? 8u : Any32() & 0xFFFF;
        s->System.SysenterEip = (ulong)_random.Next(Code, CodeEnd);
        s->System.SysenterEsp = (ulong)_random.Next(0x20000, RamEnd);
        s->System.Cr0 = (start == Start.Real ? 0x10u : 0x11u) | (paging == Paging.None ? 0 : 0x80000000u)
            | (Chance(50) ? 0x10000u : 0) | (Chance(20) ? 0x40000u : 0) | (Chance(15) ? 8u : 0) | (Chance(50) ? 0x20u : 0);
        s->System.Cr3 = Tables;
        s->System.Cr4 = (paging >= Paging.Pae ? 0x20u : 0) | (Chance(50) ? 0x10u : 0) | (Chance(70) ? 0x600u : 0) | (Chance(50) ? 0x80u : 0)
            | (Chance(10) ? 1u << 20 : 0) | (Chance(10) ? 1u << 21 : 0);
        s->System.Efer = isLong ? 0x500u | (Chance(70) ? 0x801u : 0) : Chance(50) ? 0x801u : 0;
        s->IsLongMode = isLong;
        if (paging == Paging.Pae)
            for (var i = 0; i < 4; i++)
                s->System.PageDirectoryPointers[i] = BinaryPrimitives.ReadUInt64LittleEndian(_ram.AsSpan(Tables + (i * 8)));
        SetSegments(s, start, level);
        var flags = (Any32() & 0x244CD5) | 2;
        if (start == Start.Virtual8086)
            flags |= Chance(50) ? 0x23000u : 0x20000u;
        else
            flags |= (uint)(_random.Next(4) << 12);
        if (Chance(10))
            flags |= 0x100;
        CpuAccess.SetEflags(s, flags);
        s->Slots[Slot.Rip] = (ulong)_random.Next(Code, CodeEnd);
        if (start is Start.Real or Start.Virtual8086)
            s->Slots[Slot.Rip] &= 0xFFFF;
        TranslationControl.Changed(s);
        ControlRegisters.FollowCr0(s);
        CodeModes.Update(s);
    }

    private static void SetSegments(CpuState* s, Start start, int level)
    {
        var isReal = start is Start.Real or Start.Virtual8086;
        for (var i = 0; i < 6; i++)
        {
            // ES CS SS DS FS GS
            var isCode = i == 1;
            var segment = CpuAccess.Segment(s, i);
            if (isReal)
            {
                var value = (ushort)(isCode ? Code >> 4 : i == 2 ? 0x2000 : 0x100 * i);
                *segment = new SegmentRegister
                {
                    Selector = value, Limit = ushort.MaxValue, Attributes = (ushort)(start == Start.Virtual8086 ? 0xF3 : 0x93),
                };
                s->Slots[Slot.EsBase + i] = (ulong)value << 4;
                continue;
            }

            var selector = (isCode ? 0x08 : 0x10) + (level == 3 ? 0x10 : 0) + level;
            var attributes = (isCode ? 0x9B : 0x93) | (level << 5) | 0x8000;
            if (start != Start.Protected16)
                attributes |= isCode && start == Start.Long ? 0x2000 : 0x4000;
            *segment = new SegmentRegister { Selector = (ushort)selector, Limit = uint.MaxValue, Attributes = (ushort)attributes };
            s->Slots[Slot.EsBase + i] = 0;
        }
    }
}
