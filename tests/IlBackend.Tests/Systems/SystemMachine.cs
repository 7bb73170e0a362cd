using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using Iced.Intel;

namespace DynaTrans.IlBackend.Tests.Systems;

/// <summary>What a <see cref="SystemMachine"/> begins in.</summary>
public enum SystemMode
{
    /// <summary>Real mode.</summary>
    Real,

    /// <summary>32-bit protected mode.</summary>
    Protected,

    /// <summary>64-bit mode.</summary>
    Long,
}

/// <summary>
/// A CPU with tables of its own, without paging (in long mode CR0.PG is set all the same): a megabyte of memory, code at 1000, a GDT at 8000,
/// a TSS at A000 whose permission bitmap allows nothing, the stack below 30000.
/// </summary>
internal sealed unsafe class SystemMachine : IDisposable
{
    public const ulong Code = 0x1000, Gdt = 0x8000, Tss = 0xA000, Data = 0x20000, Stack = 0x30000;

    public const ushort Code32 = 8, DataSegment = 0x10, Code64 = 0x18, UserCode32 = 0x23, UserData = 0x2B, UserCode64 = 0x33, Task = 0x38, LocalTable = 0x48,
        AbsentTask = 0x58, Task16 = 0x68;

    private static readonly ulong[] s_descriptors =
    [
        0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00AF9B000000FFFF, 0x00CFFB000000FFFF, 0x00CFF3000000FFFF, 0x00AFFB000000FFFF,
        0x00008900A0000067, 0, 0x000082012300000F, 0, 0x00000900A0000067, 0, 0x00008100A000002B, 0,
    ];

    private readonly Translator? _translator;
    private readonly int _bitness;

    public SystemMachine(Engine engine, SystemMode mode, Action<Assembler> code, int level = 0, CpuModel? model = null)
    {
        _translator = engine == Engine.Interpreter ? null : new Translator(new TranslatorOptions(0, false));
        Machine = new Machine(new AddressSpace(mode == SystemMode.Long ? 39 : 32), _translator) { Model = model ?? CpuModel.Max };
        Space.Map(0, 1 << 20, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        for (var i = 0; i < s_descriptors.Length; i++)
            Space.Write(Gdt + ((ulong)i * 8), BitConverter.GetBytes(s_descriptors[i]));
        Cpu = Machine.AddVcpu(GuestMode.Real);
        CpuReset.Apply(State);
        _bitness = mode switch { SystemMode.Real => 16, SystemMode.Protected => 32, _ => 64 };
        Start(mode, level);
        State->Slots[Slot.Rip] = Code;
        State->Slots[Slot.Rsp] = mode == SystemMode.Real ? 0xFFF0 : Stack;
        Assemble(code);
    }

    public Machine Machine { get; }

    public Vcpu Cpu { get; }

    public AddressSpace Space => Machine.Memory;

    public CpuState* State => Cpu.State;

    public ref SystemRegisters System => ref State->System;

    public ref ulong this[ushort slot] => ref State->Slots[slot];

    public void Assemble(Action<Assembler> code, ulong at = Code, int bitness = 0)
    {
        var a = new Assembler(bitness == 0 ? _bitness : bitness);
        code(a);
        using var stream = new MemoryStream();
        a.Assemble(new StreamCodeWriter(stream), at);
        Space.Write(at, stream.ToArray());
    }

    public void Write(ulong address, ReadOnlySpan<byte> bytes) => Assert.Equal(bytes.Length, Space.Write(address, bytes));

    public byte[] Read(ulong address, int count)
    {
        var bytes = new byte[count];
        Assert.Equal(count, Space.Read(address, bytes));
        return bytes;
    }

    /// <summary>Runs to a hlt.</summary>
    public void RunToHalt()
    {
        var cause = Cpu.Run();
        Assert.True(cause == ExitCause.Halt, $"{cause} {State->Execution.ExceptionVector}({State->Execution.ExceptionError:x}) at {this[Slot.Rip]:x}");
    }

    /// <summary>Runs to an exception at an address.</summary>
    public void RunToException(int vector, uint error = 0, ulong rip = Code)
    {
        var cause = Cpu.Run();
        Assert.Equal(
            (ExitCause.Exception, vector, error, rip), (cause, State->Execution.ExceptionVector, State->Execution.ExceptionError, this[Slot.Rip]));
    }

    public void Dispose()
    {
        Machine.Dispose();
        Assert.Null(_translator?.Statistics.FirstFailure);
    }

    private void Start(SystemMode mode, int level)
    {
        var s = State;
        if (mode == SystemMode.Real)
        {
            SegmentLoads.LoadReal(s, 1, 0);
            CodeModes.Update(s);
            return;
        }

        s->Gdtr = new TableRegister { Base = Gdt, Limit = (ushort)((s_descriptors.Length * 8) - 1) };
        System.Cr0 = Cr0.ProtectionEnable | Cr0.ExtensionType | Cr0.NumericError | Cr0.WriteProtect;
        System.Cr4 = Cr4.OsFxsr | Cr4.OsXmmExceptions;
        System.Tr = new SegmentRegister { Selector = Task, Attributes = 0x8B, Limit = 0x67 };
        System.TrBase = Tss;
        Write(Tss + 102, [0x68, 0]);
        if (mode == SystemMode.Long)
        {
            System.Cr0 |= Cr0.Paging;
            System.Cr4 |= Cr4.PhysicalAddressExtension;
            System.Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.SyscallEnable;
            s->IsLongMode = true;
        }

        var dpl = (ulong)level << 45;
        for (var i = 0; i < 6; i++)
            Set(i, (ushort)(DataSegment | level), s_descriptors[2] | dpl);
        Set(1, (ushort)((mode == SystemMode.Long ? Code64 : Code32) | level), s_descriptors[mode == SystemMode.Long ? 3 : 1] | dpl);
        ControlRegisters.FollowCr0(s);
    }

    private void Set(int index, ushort selector, ulong descriptor)
    {
        var parts = new SegmentDescriptor(descriptor);
        *CpuAccess.Segment(State, index) = new SegmentRegister { Selector = selector, Attributes = parts.Attributes, Limit = parts.Limit };
        State->Slots[Slot.EsBase + index] = parts.Base;
    }
}
