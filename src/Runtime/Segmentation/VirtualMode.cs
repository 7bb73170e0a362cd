using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Segmentation;

/// <summary>Virtual-8086 mode (SDM Vol. 3, 20.2): segments as in real mode, at ring 3.</summary>
internal static unsafe class VirtualMode
{
    // Data that can be read and written, ring 3, present, accessed.
    private const ushort Attributes = 0xF3;

    /// <summary>Loads the segment registers, in encoding order, of code with EFLAGS.VM, which is set already; the mode follows.</summary>
    public static void Enter(CpuState* s, ReadOnlySpan<ushort> selectors)
    {
        for (var i = 0; i < 6; i++)
        {
            var segment = CpuAccess.Segment(s, i);
            segment->Selector = selectors[i];
            segment->Attributes = Attributes;
            segment->Limit = ushort.MaxValue;
            s->Slots[Slot.EsBase + i] = (ulong)selectors[i] << 4;
        }

        CodeModes.Update(s);
    }
}
