using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Processes;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Helpers.X87;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Cli.Bare;

/// <summary>Moves registers between a case and the processor's state.</summary>
internal static unsafe class StateTransfer
{
    private const int Fs = 4;
    private const int Gs = 5;
    private const int TagEmpty = 3;

    private static readonly DescriptorTable* s_linuxTable = ThreadDescriptors.CreateTable();

    /// <summary>Puts the processor into the state that a case starts with; nothing of an earlier case is left.</summary>
    public static void Load(CpuState* s, ExecCase c)
    {
        var from = c.Registers;
        var isReal = c.Mode == BareMode.Real;
        CodeModes.Start(s, Mode(c.Mode, c.Ring));
        s->IsLongMode |= c.HasLinuxSelectors;
        s->Execution.Gdt = c.HasLinuxSelectors ? s_linuxTable : DescriptorTable.Flat;
        for (var i = 0; i < 16; i++)
            s->Slots[i] = from.Gpr[i];
        s->Slots[Slot.Rip] = from.Rip;
        CpuAccess.SetEflags(s, from.Rflags);
        for (var i = 0; i < 6; i++)
        {
            CpuAccess.Segment(s, i)->Selector = from.Selectors[i];
            s->Slots[Slot.EsBase + i] = isReal ? (ulong)from.Selectors[i] << 4 : 0;
        }

        if (c.HasLinuxSelectors && SegmentLoads.IsNull(s->Cs.Selector))
            s->Cs.Selector = c.Mode == BareMode.Long64 ? ThreadDescriptors.Code64 : ThreadDescriptors.Code32;
        s->Slots[Slot.EsBase + Fs] = from.FsBase ?? s->Slots[Slot.EsBase + Fs];
        s->Slots[Slot.EsBase + Gs] = from.GsBase ?? s->Slots[Slot.EsBase + Gs];
        LoadX87(s, from);
        for (var i = 0; i < 16; i++)
            *(UInt128*)CpuAccess.Vector(s, VSlot.Xmm0 + i) = from.Xmm[i];
        HostMxcsr.Set(s, from.Mxcsr);
    }

    /// <summary>Copies the state out.</summary>
    public static void Save(CpuState* s, RegisterFile to)
    {
        for (var i = 0; i < 16; i++)
            to.Gpr[i] = s->Slots[i];
        to.Rip = s->Slots[Slot.Rip];
        to.Rflags = CpuAccess.GetEflags(s);
        for (var i = 0; i < 6; i++)
            to.Selectors[i] = CpuAccess.Segment(s, i)->Selector;
        to.FsBase = s->Slots[Slot.EsBase + Fs];
        to.GsBase = s->Slots[Slot.EsBase + Gs];
        var x87 = X87(s);
        for (var i = 0; i < 8; i++)
            to.St[i] = *(UInt128*)X87State.St(x87, (uint)i) & (UInt128.One << 80) - 1;
        to.Fcw = s->Fcw;
        to.Fsw = s->Fsw;
        to.Ftw = X87Environment.TagWord(x87);
        for (var i = 0; i < 16; i++)
            to.Xmm[i] = *(UInt128*)CpuAccess.Vector(s, VSlot.Xmm0 + i);
        to.Mxcsr = s->Mxcsr;
    }

    /// <summary>The mode that code of a case runs in.</summary>
    public static GuestMode Mode(BareMode mode, int ring)
    {
        var bits = mode switch
        {
            BareMode.Real => GuestMode.Code16 | GuestMode.Real,
            BareMode.Protected16 => GuestMode.Code16 | GuestMode.Flat,
            BareMode.Protected32 => GuestMode.Code32 | GuestMode.Stack32 | GuestMode.Flat,
            _ => GuestMode.Code64 | GuestMode.Stack32 | GuestMode.Flat,
        };
        return ring == 3 ? bits | GuestMode.User : bits;
    }

    private static void LoadX87(CpuState* s, RegisterFile from)
    {
        var x87 = X87(s);
        X87Environment.Initialise(x87);
        s->Fsw = from.Fsw;
        for (var i = 0; i < 8; i++)
            *(UInt128*)X87State.St(x87, (uint)i) = from.St[i];

        // Without a tag word the registers that the case names are the ones in use.
        if (from.Ftw is { } tags)
            for (var i = 0; i < 8; i++)
                x87->Valid |= (byte)((tags >> (2 * i) & 3) != TagEmpty ? 1 << i : 0);
        else
            for (var i = 0; i < 8; i++)
                x87->Valid |= (byte)((from.StGiven >> i & 1) << (((from.Fsw >> 11) + i) & 7));

        // Last: it finds out whether an exception of the status word is pending.
        X87Environment.LoadControl(x87, from.Fcw);
    }

    private static X87State* X87(CpuState* s) => (X87State*)CpuAccess.Vector(s, VSlot.Mm0);
}
