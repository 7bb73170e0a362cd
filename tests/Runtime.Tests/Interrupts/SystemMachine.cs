using System.Buffers.Binary;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Interrupts;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Tests.Interrupts;

/// <summary>The CPU modes that a <see cref="SystemMachine"/> starts in.</summary>
public enum SystemMode
{
    /// <summary>Real-address mode.</summary>
    Real,

    /// <summary>32-bit protected mode, ring 0.</summary>
    Protected,

    /// <summary>Long mode, 64-bit code at ring 0.</summary>
    Long,
}

/// <summary>
/// A machine whose guest has its own tables: GDT, IDT, TSS, code and stacks at fixed places below <see cref="End"/>, where memory ends. Outside real mode
/// paging is on, and linear addresses are physical ones.
/// Each vector has a handler that halts: RIP tells which one was entered. It is its own host and interrupt controller.
/// </summary>
internal sealed unsafe class SystemMachine : IDisposable, ISystemHost, IInterruptController
{
    public const ulong Gdt = 0x1000, Idt = 0x2000, Tss = 0x3000, Tss2 = 0x3800, Ldt = 0x4000, Code = 0x10000, UserCode = 0x11000, Handlers = 0x12000;
    public const ulong Stack0 = 0x20000, Stack1 = 0x21000, Stack2 = 0x22000, Stack3 = 0x24000, Ist1 = 0x26000, Data = 0x30000, End = 0x80000;

    // Selectors of the GDT that every machine begins with.
    public const ushort Code0 = 0x08, Data0 = 0x10, Code1 = 0x18, Data1 = 0x20, Code2 = 0x28, Data2 = 0x30, Code3 = 0x38, Data3 = 0x40;
    public const ushort Conforming0 = 0x48, Code64 = 0x50, UserCode64 = 0x58, Code16 = 0x60, Stack16 = 0x68, Absent = 0x70, Task1 = 0x78, Free = 0x88;

    /// <summary>Types of gates and system segments: present, ring 0.</summary>
    public const int CallGate16 = 0x84, TaskGate = 0x85, InterruptGate16 = 0x86, TrapGate16 = 0x87, CallGate = 0x8C, InterruptGate = 0x8E, TrapGate = 0x8F;

    /// <summary>CR3: the page tables are at the end of memory.</summary>
    public const ulong PageTables = End - 0x4000;

    private const ulong Entry = 7, PageCount = End / 0x1000;
    private const PagePermission All = PagePermission.Read | PagePermission.Write | PagePermission.Execute;

    private readonly Machine _machine;
    private readonly Translator? _translator;

    public SystemMachine(bool translated, SystemMode mode)
    {
        Mode = mode;
        _translator = translated ? new Translator(new TranslatorOptions(0, false, Access: AccessForm.Lookaside)) : null;
        _machine = Machine.CreateSystem(_translator, null, null);
        Space.Map(0, End, All);
        Cpu = _machine.AddSystemVcpu();
        Traps = new SystemTraps(this);
        var s = State;
        s->System.Cr0 = mode == SystemMode.Real ? 0x10u : 0x80010031;
        s->System.Dr6 = 0xFFFF0FF0;
        s->Slots[Slot.Rsp] = Stack0;
        s->Slots[Slot.Rip] = Code;
        if (mode == SystemMode.Real)
            StartReal();
        else
            StartProtected();
        for (var i = 0; i < 256; i++)
            Space.Write(Handler(i), [0xF4]);
        CodeModes.Update(s);
    }

    public SystemMode Mode { get; }

    public AddressSpace Space => _machine.Memory;

    public Vcpu Cpu { get; }

    public CpuState* State => Cpu.State;

    public SystemTraps Traps { get; }

    public IInterruptController Interrupts => this;

    public bool IsOver { get; set; }

    /// <summary>Triple faults.</summary>
    public int Shutdowns { get; private set; }

    /// <summary>What the machine does after a triple fault; without it the run ends.</summary>
    public Action? Reset { get; set; }

    /// <summary>Calls of <see cref="Poll"/>.</summary>
    public int Polls { get; private set; }

    /// <summary>What the machine does each time it is polled.</summary>
    public Action? Polled { get; set; }

    /// <summary>What the machine does while the vCPU sleeps; without it the run ends.</summary>
    public Func<bool>? Waited { get; set; }

    /// <summary>Calls of <see cref="FloatingPointError"/>.</summary>
    public List<bool> FloatingPointErrors { get; } = [];

    public bool IsInterruptRequested => Requested.Count > 0;

    /// <summary>Vectors that wait for INTR.</summary>
    public Queue<byte> Requested { get; } = [];

    public bool IsNmiRequested => NmiCount > 0;

    /// <summary>NMIs that wait.</summary>
    public int NmiCount { get; set; }

    public byte TaskPriority { get; set; }

    public ref ulong this[ushort slot] => ref State->Slots[slot];

    /// <summary>Where the handler of a vector is.</summary>
    public static ulong Handler(int vector) => Handlers + ((ulong)vector * 16);

    /// <summary>The vector whose handler the vCPU has halted in.</summary>
    public int EnteredVector => (int)((LinearRip - 1 - Handlers) / 16);

    private ulong LinearRip => State->Slots[Slot.Rip] + State->Slots[Slot.CsBase];

    public byte AcknowledgeInterrupt() => Requested.Dequeue();

    public void AcknowledgeNmi() => NmiCount--;

    public void Poll(Vcpu vcpu)
    {
        Polls++;
        Polled?.Invoke();
    }

    public bool Wait(Vcpu vcpu) => Waited?.Invoke() ?? false;

    public void Shutdown(Vcpu vcpu)
    {
        Shutdowns++;
        IsOver = Reset == null;
        Reset?.Invoke();
    }

    void ISystemHost.FloatingPointError(bool asserted) => FloatingPointErrors.Add(asserted);

    /// <summary>Puts machine code, in hex, at an address.</summary>
    public void Write(string hex, ulong at = Code) => Space.Write(at, Convert.FromHexString(hex.Replace(" ", "")));

    public void Write64(ulong at, ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Space.Write(at, bytes);
    }

    public void Write32(ulong at, uint value) => Space.Write(at, BitConverter.GetBytes(value));

    public void Write16(ulong at, ushort value) => Space.Write(at, BitConverter.GetBytes(value));

    public ulong Read(ulong at, int size)
    {
        var bytes = new byte[8];
        Assert.Equal(size, Space.Read(at, bytes.AsSpan(0, size)));
        return BitConverter.ToUInt64(bytes);
    }

    /// <summary>Values of some bytes each, from an address up.</summary>
    public ulong[] Frame(ulong at, int size, int count) => [.. Enumerable.Range(0, count).Select(i => Read(at + (ulong)(i * size), size))];

    /// <summary>Enters a gate in the interrupt descriptor table.</summary>
    public void SetGate(int vector, int type, ushort selector, ulong offset, int stackIndex = 0)
    {
        var (low, high) = GateBits(type, selector, offset, stackIndex);
        if (Mode == SystemMode.Long)
        {
            Write64(Idt + ((ulong)vector * 16), low);
            Write64(Idt + ((ulong)vector * 16) + 8, high);
        }
        else
            Write64(Idt + ((ulong)vector * 8), low);
    }

    /// <summary>The two words of a gate; bits 36:32 are the stack index or the parameter count.</summary>
    public static (ulong Low, ulong High) GateBits(int type, ushort selector, ulong offset, int count = 0) =>
        ((offset & 0xFFFF) | ((ulong)selector << 16) | ((ulong)count << 32) | ((ulong)type << 40) | ((offset >> 16 & 0xFFFF) << 48), offset >> 32);

    /// <summary>Enters a descriptor in the GDT.</summary>
    public void SetDescriptor(ushort selector, ulong bits) => Write64(Gdt + (selector & ~7u), bits);

    /// <summary>Loads a segment register with what the GDT has, without checks.</summary>
    public void Load(int index, ushort selector) =>
        SegmentLoads.Set(State, index, selector, new SegmentDescriptor(selector < 4 ? 0 : Read(Gdt + (selector & ~7u), 8)));

    /// <summary>Continues at ring 3 (32-bit code outside long mode), or at ring 1 or 2.</summary>
    public void EnterLevel(int level, ulong rip = UserCode)
    {
        var (code, data) = level switch { 1 => (Code1, Data1), 2 => (Code2, Data2), _ => (Mode == SystemMode.Long ? UserCode64 : Code3, Data3) };
        Load(1, (ushort)(code | level));
        Load(2, (ushort)(data | level));
        foreach (var i in (ReadOnlySpan<int>)[0, 3, 4, 5])
            Load(i, (ushort)(data | level));
        this[Slot.Rsp] = level switch { 1 => Stack1, 2 => Stack2, _ => Stack3 };
        this[Slot.Rip] = rip;
        CodeModes.Update(State);
    }

    /// <summary>Runs until the vCPU halts and nothing wakes it, or shuts down.</summary>
    public ExitCause Run(ulong budget = 100_000)
    {
        var cause = Cpu.Run(Traps, budget);
        Assert.Null(_translator?.Statistics.FirstFailure);
        return cause;
    }

    /// <summary>Runs until a handler halts, which must be that of a vector.</summary>
    public void RunToHandler(int vector)
    {
        Assert.Equal(ExitCause.Halt, Run());
        Assert.Equal(vector, EnteredVector);
    }

    public void Dispose() => _machine.Dispose();

    private void StartReal()
    {
        State->System.Idtr = new TableRegister { Base = 0, Limit = 0x3FF };
        for (var i = 0; i < 256; i++)
            Write32((ulong)(i * 4), ((uint)(Handlers >> 4) << 16) | (uint)(i * 16));
        SegmentLoads.LoadReal(State, 1, (ushort)(Code >> 4));
        SegmentLoads.LoadReal(State, 2, (ushort)((Stack0 >> 4) - 0x800));
        this[Slot.Rip] = 0;
        this[Slot.Rsp] = 0x8000;
    }

    // One page table for all of memory.
    private void StartPaging()
    {
        var size = Mode == SystemMode.Long ? 8 : 4;
        var levels = Mode == SystemMode.Long ? 3u : 1;
        for (var i = 0u; i < levels; i++)
            Write64(PageTables + (i * 0x1000), (PageTables + ((i + 1) * 0x1000)) | Entry);
        for (var i = 0u; i < PageCount; i++)
            Space.Write(PageTables + (levels * 0x1000) + (i * (uint)size), BitConverter.GetBytes((i << 12) | Entry)[..size]);
        State->System.Cr3 = PageTables;
        State->System.Cr4 = Mode == SystemMode.Long ? 0x20u : 0;
        State->System.Efer = Mode == SystemMode.Long ? 0x500u : 0;
        Cpu.Mmu!.FlushAll();
    }

    private void StartProtected()
    {
        var s = State;
        s->IsLongMode = Mode == SystemMode.Long;
        StartPaging();
        ulong[] table =
        [
            0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00CFBB000000FFFF, 0x00CFB3000000FFFF, 0x00CFDB000000FFFF, 0x00CFD3000000FFFF,
            0x00CFFB000000FFFF, 0x00CFF3000000FFFF, 0x00CF9F000000FFFF, 0x00AF9B000000FFFF, 0x00AFFB000000FFFF, 0x008F9B000000FFFF, 0x000093000000FFFF,
            0x00CF13000000FFFF, 0x00008B0030000067, 0,
        ];
        for (var i = 0; i < table.Length; i++)
            Write64(Gdt + ((ulong)i * 8), table[i]);
        s->Gdtr = new TableRegister { Base = Gdt, Limit = 0xFFF };
        s->System.Idtr = new TableRegister { Base = Idt, Limit = (ushort)(Mode == SystemMode.Long ? 0xFFF : 0x7FF) };
        s->System.Tr = new SegmentRegister { Selector = Task1, Attributes = 0x8B, Limit = 0x67 };
        s->System.TrBase = Tss;
        for (var i = 0; i < 256; i++)
            SetGate(i, InterruptGate, Mode == SystemMode.Long ? Code64 : Code0, Handler(i));
        ReadOnlySpan<ulong> stacks = [Stack0, Stack1, Stack2];
        for (var i = 0; i < 3; i++)
        {
            if (Mode == SystemMode.Long)
                Write64(Tss + 4 + ((ulong)i * 8), stacks[i]);
            else
            {
                Write32(Tss + 4 + ((ulong)i * 8), (uint)stacks[i]);
                Write32(Tss + 8 + ((ulong)i * 8), (uint)(i switch { 0 => Data0, 1 => Data1 | 1, _ => Data2 | 2 }));
            }
        }

        Write64(Tss + 0x24, Mode == SystemMode.Long ? Ist1 : 0);
        Load(1, Mode == SystemMode.Long ? Code64 : Code0);
        Load(2, Data0);
        foreach (var i in (ReadOnlySpan<int>)[0, 3, 4, 5])
            Load(i, Data0);
    }
}
