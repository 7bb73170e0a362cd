using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Tests.Helpers;

/// <summary>
/// One address space with code at <see cref="Code"/> (one page, writable) and data at <see cref="Data"/> (four pages, the page behind them not
/// mapped), and a vCPU at the start of the code.
/// </summary>
internal sealed unsafe class TestMachine : IDisposable
{
    public const ulong Code = 0x10000;
    public const ulong Data = 0x20000;
    public const ulong DataSize = 4 * AddressSpace.PageSize;
    public const ulong DataEnd = Data + DataSize;
    private const PagePermission All = PagePermission.Read | PagePermission.Write | PagePermission.Execute;

    public TestMachine(string code, GuestMode mode)
    {
        Machine = Machine.Create(mode);
        Space.Map(Code, AddressSpace.PageSize, All);
        Space.Map(Data, DataSize, PagePermission.Read | PagePermission.Write);
        Space.Write(Code, Convert.FromHexString(code.Replace(" ", "")));
        Vcpu = Machine.AddVcpu(mode);
        State->Slots[Slot.Rip] = Code;
        State->Slots[Slot.Rsp] = DataEnd - 64;
    }

    /// <summary>The descriptor table of <see cref="UseLinuxTable"/>.</summary>
    public DescriptorTable* Table { get; private set; }

    public Machine Machine { get; }

    public AddressSpace Space => Machine.Memory;

    public BlockCache Cache => Machine.Cache;

    public Vcpu Vcpu { get; }

    public CpuState* State => Vcpu.State;

    public ref ulong this[ushort slot] => ref State->Slots[slot];

    public byte[] Bytes(ulong address, int count)
    {
        var bytes = new byte[count];
        Assert.Equal(count, Space.Read(address, bytes));
        return bytes;
    }

    /// <summary>Gives the machine a table with 64-bit, 32-bit and data segments at 33, 23 and 2B, as Linux has it, and their selectors.</summary>
    public void UseLinuxTable()
    {
        Table = DescriptorTable.Allocate(16);
        Table->Entries[4] = SegmentDescriptor.FlatCode32.Bits;
        Table->Entries[5] = SegmentDescriptor.FlatData.Bits;
        Table->Entries[6] = SegmentDescriptor.FlatCode64.Bits;
        State->Execution.Gdt = Table;
        State->Cs.Selector = (ushort)(CpuAccess.Mode(State).Is64() ? 0x33 : 0x23);
        State->Es.Selector = State->Ss.Selector = State->Ds.Selector = 0x2B;
        State->IsLongMode = true;
    }

    /// <summary>Runs until an exception, which must have the vector.</summary>
    public void RunToException(int vector)
    {
        Assert.Equal(ExitCause.Exception, Vcpu.Run(1_000_000));
        Assert.Equal(vector, State->Execution.ExceptionVector);
    }

    public void Dispose()
    {
        Machine.Dispose();
        DescriptorTable.Free(Table);
    }
}
