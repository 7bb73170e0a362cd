using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Pc.Boot;

/// <summary>
/// How a kernel is entered by the 32-bit boot protocols (Linux, PVH, Multiboot): protected mode without paging, flat segments, interrupts off,
/// registers that say where its parameters are.
/// </summary>
internal sealed record ProtectedModeEntry : IBootEntry
{
    /// <summary>Selectors of the table that the boot loader leaves.</summary>
    public const ushort CodeSelector = 0x10, DataSelector = 0x18, TaskSelector = 0x20;

    /// <summary>What they select: flat code, flat data, a busy 32-bit task state segment at 0.</summary>
    public static readonly SegmentDescriptor Code = new(0x00CF_9B00_0000_FFFF), Data = new(0x00CF_9300_0000_FFFF), Task = new(0x0000_8B00_0000_0067);

    private const ulong ProtectionEnabled = 1, ExtensionType = 0x10;

    /// <summary>Physical address of the first instruction.</summary>
    public required uint Address { get; init; }

    /// <summary>Physical address of the descriptor table.</summary>
    public required uint Gdt { get; init; }

    /// <summary>EAX.</summary>
    public uint Eax { get; init; }

    /// <summary>EBX.</summary>
    public uint Ebx { get; init; }

    /// <summary>ESI.</summary>
    public uint Esi { get; init; }

    /// <inheritdoc/>
    public unsafe void Apply(CpuState* s)
    {
        s->System.Cr0 = ProtectionEnabled | ExtensionType;
        s->Gdtr.Base = Gdt;
        s->Gdtr.Limit = BootMemory.GdtLimit;
        for (var i = 0; i < 6; i++)
        {
            var segment = CpuAccess.Segment(s, i);
            segment->Selector = i == 1 ? CodeSelector : DataSelector;
            segment->Attributes = (i == 1 ? Code : Data).Attributes;
            segment->Limit = uint.MaxValue;
            s->Slots[Slot.EsBase + i] = 0;
        }

        s->System.Tr.Selector = TaskSelector;
        s->System.Tr.Attributes = Task.Attributes;
        s->System.Tr.Limit = Task.Limit;
        s->System.TrBase = 0;
        s->Slots[Slot.Eflags] = 2;
        s->Slots[Slot.Rip] = Address;
        s->Slots[Slot.Rax] = Eax;
        s->Slots[Slot.Rbx] = Ebx;
        s->Slots[Slot.Rsi] = Esi;
        s->Slots[Slot.Rcx] = s->Slots[Slot.Rdx] = s->Slots[Slot.Rdi] = s->Slots[Slot.Rbp] = s->Slots[Slot.Rsp] = 0;
        CodeModes.Update(s);
    }
}
