using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.Tests.Interrupts.SystemMachine;

namespace DynaTrans.Runtime.Tests.Interrupts;

/// <summary>An exception in the delivery of another (SDM Vol. 3, 6.15, interrupt 8, table 6-5).</summary>
public sealed unsafe class DoubleFaultTests
{
    private const ulong Missing = End + 0x5000;
    private const int Absent32 = 0x0E;

    /// <summary>The first event: code that raises it, and its vector.</summary>
    public enum First
    {
        /// <summary>int 21: benign.</summary>
        Interrupt,

        /// <summary>#UD: benign.</summary>
        Benign,

        /// <summary>#DE: contributory.</summary>
        Contributory,

        /// <summary>#PF.</summary>
        PageFault,
    }

    // The first event's gate is not present (#NP), or its handler's stack or code is in a page that is not (#PF).
    [Theory]
    [InlineData(First.Interrupt, false, ExceptionVector.SegmentNotPresent)]
    [InlineData(First.Benign, false, ExceptionVector.SegmentNotPresent)]
    [InlineData(First.Contributory, false, ExceptionVector.DoubleFault)]
    [InlineData(First.PageFault, false, ExceptionVector.DoubleFault)]
    [InlineData(First.Interrupt, true, ExceptionVector.PageFault)]
    [InlineData(First.Benign, true, ExceptionVector.PageFault)]
    [InlineData(First.Contributory, true, ExceptionVector.PageFault)]
    [InlineData(First.PageFault, true, ExceptionVector.DoubleFault)]
    public void PairsOfEvents(First first, bool pageFault, int expected)
    {
        using var m = new SystemMachine(false, SystemMode.Long);
        var (code, vector) = first switch
        {
            First.Interrupt => ("CD 21", 0x21),
            First.Benign => ("0F 0B", ExceptionVector.InvalidOpcode),
            First.Contributory => ("F7 F1", ExceptionVector.DivideError),
            _ => ("8B 03", ExceptionVector.PageFault),
        };
        m.Write(code);
        m[Slot.Rbx] = Missing;
        m.Write64(Tss + 0x2C, End + 0x2000);
        m.SetGate(vector, pageFault ? InterruptGate : Absent32, Code64, Handler(vector), stackIndex: pageFault ? 2 : 0);
        m.RunToHandler(expected);
        var error = expected switch
        {
            ExceptionVector.SegmentNotPresent => ((ulong)vector * 8) + 2 + (first == First.Interrupt ? 0UL : 1),
            ExceptionVector.PageFault => 2UL,
            _ => 0UL,
        };
        Assert.Equal([error, Code, Code64], m.Frame(m[Slot.Rsp], 8, 3));
        var address = pageFault ? End + 0x2000 - (first is First.PageFault ? 48UL : 40) : first == First.PageFault ? Missing : 0;
        Assert.Equal(address, m.State->System.Cr2);
    }

    // The classic use of a task gate: the state when the stack had run out is in the old task's segment.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void DoubleFaultThroughATaskGate(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Protected);
        m.SetDescriptor(Task1, 0x00008B0030000067);
        m.SetDescriptor(Free, 0x67 | (Tss2 << 16) | (0x89UL << 40));
        m.Write32(Tss2 + 0x1C, (uint)PageTables);
        m.Write32(Tss2 + 0x20, (uint)Handler(ExceptionVector.DoubleFault));
        m.Write32(Tss2 + 0x24, 2);
        m.Write32(Tss2 + 0x38, (uint)Stack1);
        ReadOnlySpan<uint> selectors = [Data0, Code0, Data0, Data0, 0, 0, 0];
        for (var i = 0; i < 7; i++)
            m.Write32(Tss2 + 0x48 + ((ulong)i * 4), selectors[i]);
        m.SetGate(ExceptionVector.DoubleFault, TaskGate, Free, 0);
        m.Write("50 EB FD");
        m[Slot.Rsp] = End + 0x2000;
        m.RunToHandler(ExceptionVector.DoubleFault);
        Assert.Equal((Stack1 - 4, 0UL), (m[Slot.Rsp], m.Read(Stack1 - 4, 4)));
        Assert.Equal([Code, Eflags.IF | 2u], m.Frame(Tss + 0x20, 4, 2));
        Assert.Equal([End + 0x2000], m.Frame(Tss + 0x38, 4, 1));
    }

    // Three faults: the processor stops, and a host that resets it goes on.
    [Fact]
    public void HostMayResetAfterATripleFault()
    {
        using var m = new SystemMachine(false, SystemMode.Protected);
        m.State->System.Idtr.Limit = 0;
        m.Write("0F 0B");
        m.Reset = () =>
        {
            m[Slot.Rip] = Handler(0x77);
            m.State->System.Idtr.Limit = 0x7FF;
        };
        m.RunToHandler(0x77);
        Assert.Equal(1, m.Shutdowns);
    }

    // A reset ends a halt.
    [Fact]
    public void HostMayResetAHaltedProcessor()
    {
        using var m = new SystemMachine(false, SystemMode.Protected);
        m.Write("F4");
        CpuAccess.SetEflags(m.State, 2);
        m.Waited = () =>
        {
            m.Waited = null;
            m[Slot.Rip] = Handler(0x77);
            m.State->System.IsHalted = false;
            CodeModes.Update(m.State);
            return true;
        };
        m.RunToHandler(0x77);
    }
}
