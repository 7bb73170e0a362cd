using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.Tests.Interrupts.SystemMachine;

namespace DynaTrans.Runtime.Tests.Interrupts;

/// <summary>Virtual-8086 mode: entry by iret and by a task switch, what it may do by IOPL, and the ways out of it (SDM Vol. 3, 20.2 and 20.3).</summary>
public sealed unsafe class VirtualModeTests
{
    private const uint Flags = Eflags.IF | Eflags.VM | 2;

    // Where the 8086 program is, and its stack's top.
    private const ulong Program = 0x9000, Top = 0xB000;
    private static readonly ulong[] s_selectors = [Data >> 4, 0x111, 0x222, 0x333];

    // iret puts all segments and flags; an exception brings them to ring 0 in a frame of 36 bytes.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EntryByIretAndExitByAnException(bool translated)
    {
        using var m = Make(translated, "A1 02 00 0F 0B", Eflags.IopL);
        m.Write16(Data + 2, 0x1234);
        m.RunToHandler(ExceptionVector.InvalidOpcode);
        Assert.Equal(0x1234UL, m[Slot.Rax]);
        Assert.Equal(Stack0 - 36, m[Slot.Rsp]);
        Assert.Equal(
            [0x13, (Program >> 4) - 1, Flags | Eflags.IopL | Eflags.RF, 0x1000, (Top >> 4) - 0x100, s_selectors[1], s_selectors[0], s_selectors[2], s_selectors[3]],
            m.Frame(m[Slot.Rsp], 4, 9));
        var s = m.State;
        Assert.Equal((0, 0, 0, 0), (s->Es.Attributes, s->Ds.Attributes, s->Fs.Attributes, s->Gs.Attributes));
        Assert.Equal(0u, CpuAccess.GetEflags(s) & (Eflags.VM | Eflags.IF));
        Assert.Equal(0, (int)CpuAccess.Mode(s) & (int)(GuestMode.Real | GuestMode.User));
    }

    // What asks IOPL: #GP(0) at the instruction below 3, else done.
    [Theory]
    [InlineData("CD 21", 0x21)]
    [InlineData("FA 0F 0B", ExceptionVector.InvalidOpcode)]
    [InlineData("FB 0F 0B", ExceptionVector.InvalidOpcode)]
    [InlineData("9C 0F 0B", ExceptionVector.InvalidOpcode)]
    [InlineData("9D 0F 0B", ExceptionVector.InvalidOpcode)]
    [InlineData("CF", ExceptionVector.InvalidOpcode)]
    public void SensitiveInstructionsAskIopl(string code, int vector)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            // What iret finds: 0900:0100.
            using var allowed = Make(translated, code, Eflags.IopL);
            foreach (var m in (SystemMachine[])[allowed, Make(translated, code, 0x2000)])
            {
                m.SetGate(0x21, InterruptGate | 0x60, Code0, Handler(0x21));
                m.Write("00 01 00 09 02 02", Top);
                m.Write("0F 0B", 0x9100);
                m.RunToHandler(m == allowed ? vector : ExceptionVector.GeneralProtection);
                if (m != allowed)
                    Assert.Equal([0, 0x10, (Program >> 4) - 1], m.Frame(m[Slot.Rsp], 4, 3));
                else if (vector == 0x21)
                    Assert.Equal([0x12, (Program >> 4) - 1, Flags | Eflags.IopL], m.Frame(m[Slot.Rsp], 4, 3));
            }
        }
    }

    // int3 does not ask IOPL, but the gate must be of ring 3; hlt is for ring 0.
    [Theory]
    [InlineData("CC", 0x60, ExceptionVector.Breakpoint, 0)]
    [InlineData("CC", 0, ExceptionVector.GeneralProtection, (3 * 8) + 2)]
    [InlineData("F4", 0x60, ExceptionVector.GeneralProtection, 0)]
    public void OtherInstructions(string code, int dpl, int vector, uint error)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = Make(translated, code, 0);
            m.SetGate(3, InterruptGate | dpl, Code0, Handler(3));
            m.RunToHandler(vector);
            Assert.Equal(vector == 3 ? [0x11, (Program >> 4) - 1] : new ulong[] { error, 0x10, (Program >> 4) - 1 }, m.Frame(m[Slot.Rsp], 4, vector == 3 ? 2 : 3));
        }
    }

    // Handlers are at ring 0 and in code that does not conform: else #GP with the selector.
    [Theory]
    [InlineData(Conforming0)]
    [InlineData(Code1)]
    [InlineData(Code3)]
    public void HandlersOfOtherLevels(ushort code)
    {
        using var m = Make(false, "CC", 0);
        m.SetGate(3, InterruptGate | 0x60, code, Handler(3));
        m.RunToHandler(ExceptionVector.GeneralProtection);
        Assert.Equal([code, 0x10, (Program >> 4) - 1], m.Frame(m[Slot.Rsp], 4, 3));
    }

    // Far transfers and segment loads are those of real mode. mov ax,444; mov ds,ax; call 0910:0000.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SegmentsAreThoseOfRealMode(bool translated)
    {
        using var m = Make(translated, "B8 44 04 8E D8 9A 00 00 10 09 0F 0B", 0);
        m.Write("A1 00 00 CB", 0x9100);
        m.Write16(0x4440, 0x5678);
        m.RunToHandler(ExceptionVector.InvalidOpcode);
        Assert.Equal(0x5678UL, m[Slot.Rax]);
        Assert.Equal([0x1A, (Program >> 4) - 1], m.Frame(m[Slot.Rsp], 4, 2));
        Assert.Equal(0x444UL, m.Read(m[Slot.Rsp] + 24, 4));
    }

    // A hardware interrupt, and the return from it.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void InterruptAndReturn(bool translated)
    {
        using var m = Make(translated, "40 0F 0B", 0);
        m.SetGate(0x30, InterruptGate, Code0, Data);
        m.Write("43 CF", Data);
        m.Polled = () =>
        {
            if (m.Polls == 1)
                m.Requested.Enqueue(0x30);
        };
        m.State->System.InterruptShadow = 1;
        m.Cpu.RequestExit();
        m.RunToHandler(ExceptionVector.InvalidOpcode);
        Assert.Equal((1UL, 1UL), (m[Slot.Rax], m[Slot.Rbx]));
        Assert.Equal([0x11, (Program >> 4) - 1, Flags | Eflags.RF], m.Frame(m[Slot.Rsp], 4, 3));
    }

    // A task with VM in its flags.
    [Fact]
    public void EntryByATaskSwitch()
    {
        using var m = new SystemMachine(false, SystemMode.Protected);
        m.SetDescriptor(Task1, 0x00008B0030000067);
        m.SetDescriptor(Free, 0x67 | (Tss2 << 16) | (0x89UL << 40));
        m.Write32(Tss2 + 0x1C, (uint)PageTables);
        m.Write32(Tss2 + 4, (uint)Stack0);
        m.Write32(Tss2 + 8, Data0);
        m.Write32(Tss2 + 0x20, 0x10);
        m.Write32(Tss2 + 0x24, Flags);
        m.Write32(Tss2 + 0x38, 0x1000);
        ReadOnlySpan<uint> selectors = [0x111, (uint)(Program >> 4) - 1, (uint)(Top >> 4) - 0x100, (uint)Data >> 4, 0, 0, 0];
        for (var i = 0; i < 7; i++)
            m.Write32(Tss2 + 0x48 + ((ulong)i * 4), selectors[i]);
        m.Write("40 0F 0B", Program);
        m.Write("EA 00 00 00 00 88 00");
        m.RunToHandler(ExceptionVector.InvalidOpcode);
        Assert.Equal(1UL, m[Slot.Rax]);
        Assert.Equal([0x11, (Program >> 4) - 1, Flags | Eflags.RF, 0x1000, (Top >> 4) - 0x100, 0x111, Data >> 4], m.Frame(m[Slot.Rsp], 4, 7));
    }

    // Ring 0 returns to a program, with a stack of 4 KiB, DS in the data.
    private static SystemMachine Make(bool translated, string code, uint iopl)
    {
        var m = new SystemMachine(translated, SystemMode.Protected);
        m.Write("CF");
        m.Write(code, Program);
        ulong[] frame =
        [
            0x10, (Program >> 4) - 1, Flags | iopl, 0x1000, (Top >> 4) - 0x100, s_selectors[1], s_selectors[0], s_selectors[2], s_selectors[3],
        ];
        for (var i = 0; i < frame.Length; i++)
            m.Write32(Stack0 - 36 + ((ulong)i * 4), (uint)frame[i]);
        m[Slot.Rsp] = Stack0 - 36;
        return m;
    }
}
