using System.Buffers.Binary;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.IlBackend.Tests;

/// <summary>A 64-bit CPU that translates linear addresses: four megabytes of memory, tables at 10000.</summary>
internal sealed unsafe class PagedMachine : IDisposable
{
    public const ulong Tables = 0x10000, Code = 0x40000000, Data = 0x50200000;

    private const ulong Present = 1, Writable = 2;

    private readonly Machine _machine;

    public PagedMachine(bool translated)
        : this(translated ? new Translator(new TranslatorOptions(Threshold: 20, Background: false, Access: AccessForm.Lookaside)) : null)
    {
    }

    public PagedMachine(Translator? translator)
    {
        _machine = Machine.CreateSystem(translator, null, null);
        _machine.Memory.Map(0, 0x400000, PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        Vcpu = _machine.AddSystemVcpu();
        var s = Vcpu.State;
        s->System.Cr0 = 0x80000001;
        s->System.Cr3 = Tables;
        s->System.Cr4 = 0x20;
        s->System.Efer = 0x500;
        CodeModes.Start(s, GuestMode.Code64 | GuestMode.Stack32 | GuestMode.Flat);
        CodeModes.Update(s);
        Vcpu.Mmu!.FlushAll();
        Put(Tables, (Tables + 0x1000) | Present | Writable);
        Put(Tables + 0x1000 + 8, (Tables + 0x2000) | Present | Writable);
    }

    public Machine Machine => _machine;

    public Vcpu Vcpu { get; }

    public void Map(ulong linear, ulong physical, ulong rights)
    {
        var table = Tables + 0x3000 + ((linear >> 21 & 511) * 0x1000 % 0x8000);
        Put(Tables + 0x2000 + ((linear >> 21 & 511) * 8), table | Present | Writable);
        Put(table + ((linear >> 12 & 511) * 8), physical | rights);
    }

    public ulong Entry(ulong linear) => Word(Tables + 0x3000 + ((linear >> 21 & 511) * 0x1000 % 0x8000) + ((linear >> 12 & 511) * 8));

    public ulong Word(ulong physical)
    {
        Span<byte> bytes = stackalloc byte[8];
        _machine.Memory.Read(physical, bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    public void Write(ulong physical, ReadOnlySpan<byte> bytes) => _machine.Memory.Write(physical, bytes);

    public (ExitCause Cause, ulong Rax) RunAt(ulong rip)
    {
        Vcpu.State->Slots[Slot.Rip] = rip;
        Vcpu.State->Slots[Slot.Rax] = 0;
        Vcpu.State->Slots[Slot.Rbx] = Data;
        var cause = Vcpu.Run();
        return (cause, Vcpu.State->Slots[Slot.Rax]);
    }

    public void Dispose() => _machine.Dispose();

    private void Put(ulong physical, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _machine.Memory.Write(physical, bytes);
    }
}
