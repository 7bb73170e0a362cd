using DynaTrans.Frontend.Lifting;
using DynaTrans.Linux.Memory;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Processes;

/// <summary>
/// The descriptor tables as user code finds them under a 64-bit kernel (Linux arch/x86/include/asm/segment.h): a GDT per thread, and the
/// LDT of the process. The kernel's own segments are left empty: at ring 3 they cannot be told from that.
/// </summary>
public static unsafe class ThreadDescriptors
{
    /// <summary>__USER32_CS.</summary>
    public const ushort Code32 = 0x23;

    /// <summary>__USER_DS.</summary>
    public const ushort Data = 0x2B;

    /// <summary>__USER_CS.</summary>
    public const ushort Code64 = 0x33;

    /// <summary>Index of the first descriptor that set_thread_area writes.</summary>
    public const int FirstThreadEntry = 12;

    /// <summary>How many there are.</summary>
    public const int ThreadEntries = 3;

    private const int Entries = 16;

    // A segment whose limit is the processor's number, which getcpu asks for; processor 0 of node 0.
    private const int ProcessorNumberEntry = 15;
    private const ulong ProcessorNumber = 0x0040F50000000000;

    /// <summary>A GDT for one vCPU, without entries of set_thread_area. <see cref="DescriptorTable.Free"/> gives it back.</summary>
    public static DescriptorTable* CreateTable()
    {
        var table = DescriptorTable.Allocate(Entries);
        table->Entries[Code32 >> 3] = SegmentDescriptor.FlatCode32.Bits;
        table->Entries[Data >> 3] = SegmentDescriptor.FlatData.Bits;
        table->Entries[Code64 >> 3] = SegmentDescriptor.FlatCode64.Bits;
        table->Entries[ProcessorNumberEntry] = ProcessorNumber;
        return table;
    }

    /// <summary>Gives a new vCPU its tables.</summary>
    internal static void Attach(Vcpu vcpu, ProcessMemory memory)
    {
        vcpu.State->Execution.Gdt = CreateTable();
        vcpu.State->Execution.Ldt = memory.LocalDescriptors.Table;
        vcpu.State->IsLongMode = true;
    }

    /// <summary>Frees what <see cref="Attach"/> made. The vCPU does not run any more.</summary>
    internal static void Detach(Vcpu vcpu)
    {
        var table = vcpu.State->Execution.Gdt;
        vcpu.State->Execution.Gdt = DescriptorTable.Flat;
        DescriptorTable.Free(table);
    }

    /// <summary>The descriptors of set_thread_area.</summary>
    internal static Span<ulong> OfThread(CpuState* s) => new(s->Execution.Gdt->Entries + FirstThreadEntry, ThreadEntries);

    /// <summary>The segment registers as a new program finds them.</summary>
    internal static void Start(CpuState* s, bool is32)
    {
        for (var i = 0; i < 6; i++)
            if (i != 1)
                SegmentLoads.ReloadUser(s, i, is32 && i < 4 ? Data : (ushort)0);
        Enter(s, is32);
    }

    /// <summary>
    /// Loads CS and SS and checks RIP as the return to user code does. With a local stack segment the kernel returns from a stack of its own
    /// (espfix), where the cause of a fault gets lost.
    /// </summary>
    /// <returns>Vector and error code of the exception, or null.</returns>
    internal static (int Vector, uint Error)? Return(CpuState* s, ushort code, ushort stack)
    {
        var fault = CodeTransfers.TryReturnToUser(s, code) ?? SegmentLoads.TryLoadUserStack(s, stack) ?? CodeTransfers.CheckUserOffset(s);
        return fault != null && IsLocal(stack) ? (ExceptionVector.GeneralProtection, 0) : fault;
    }

    /// <summary>True when a selector names an entry of the local table.</summary>
    internal static bool IsLocal(ushort selector) => (selector & 4) != 0;

    /// <summary>CS and SS of the program's own code: what a signal handler begins with.</summary>
    internal static void Enter(CpuState* s, bool is32)
    {
        SegmentLoads.ReloadUser(s, 2, Data);
        CodeTransfers.SetUserCode(s, is32 ? Code32 : Code64);
    }
}
