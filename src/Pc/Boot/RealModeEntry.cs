using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Pc.Boot;

/// <summary>How the setup code of a Linux kernel is entered (boot.rst, "Running the Kernel"): in real mode, all data segments its own, interrupts off.</summary>
/// <param name="Segment">The segment that the setup code was loaded at; it is entered 20h paragraphs further.</param>
/// <param name="StackPointer">SP.</param>
internal sealed record RealModeEntry(ushort Segment, ushort StackPointer) : IBootEntry
{
    private const ushort EntryParagraphs = 0x20;

    /// <inheritdoc/>
    public unsafe void Apply(CpuState* s)
    {
        for (var i = 0; i < 6; i++)
        {
            var selector = i == 1 ? Segment + EntryParagraphs : Segment;
            var segment = CpuAccess.Segment(s, i);
            segment->Selector = (ushort)selector;
            segment->Limit = ushort.MaxValue;
            s->Slots[Slot.EsBase + i] = (ulong)selector * 16;
        }

        s->Slots[Slot.Rip] = 0;
        s->Slots[Slot.Rsp] = StackPointer;
    }
}
