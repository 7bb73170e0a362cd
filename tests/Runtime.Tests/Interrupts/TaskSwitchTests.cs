using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.Tests.Interrupts.SystemMachine;

namespace DynaTrans.Runtime.Tests.Interrupts;

/// <summary>The hardware task switch (SDM Vol. 3, chapter 7).</summary>
public sealed unsafe class TaskSwitchTests
{
    private const uint Flags = Eflags.IF | 2;
    private const ushort Other = Free, TaskGateSelector = 0x90;
    private const int Ring3 = 0x60;
    private const uint Available32 = 0x89, Busy32 = 0x8B, Available16 = 0x81;

    // jmp and call far 88:0 (the new task's TSS) or 90:0 (a task gate to it).
    private const string JumpTask = "EA 00 00 00 00 88 00", CallTask = "9A 00 00 00 00 88 00", JumpGate = "EA 00 00 00 00 90 00", CallGateCode = "9A 00 00 00 00 90 00";

    [Theory]
    [InlineData(JumpTask, false)]
    [InlineData(JumpGate, false)]
    [InlineData(CallTask, true)]
    [InlineData(CallGateCode, true)]
    public void JumpAndCallSwitchAllOfTheState(string code, bool nests)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = WithTask(translated);
            m.Write("B8 11 00 00 00 90" + code);
            m[Slot.Rdi] = 0x77;
            Assert.Equal(ExitCause.Halt, m.Run());
            var s = m.State;
            Assert.Equal((UserCode + 1, 0x2001UL, 0x2008UL, (ulong)Stack1), (m[Slot.Rip], m[Slot.Rax], m[Slot.Rdi], m[Slot.Rsp]));
            Assert.Equal((Code0, Data0, Data0, 0), (s->Cs.Selector, s->Ss.Selector, s->Ds.Selector, s->Gs.Selector));
            Assert.Equal(0, s->Gs.Attributes);
            Assert.Equal(0x402u | (nests ? Eflags.NT : 0), CpuAccess.GetEflags(s));
            Assert.Equal((Other, (int)Busy32, Tss2), (s->System.Tr.Selector, s->System.Tr.Attributes & 0xFF, s->System.TrBase));
            Assert.Equal(8UL, s->System.Cr0 & 8);

            // The old task: EIP behind the instruction, registers, selectors. Its descriptor stays busy when it is to be returned to.
            Assert.Equal([Code + 13, Flags, 0x11], m.Frame(Tss + 0x20, 4, 3));
            Assert.Equal([Stack0, 0, 0, 0x77, Data0, Code0, Data0, Data0, Data0, Data0], m.Frame(Tss + 0x38, 4, 10));
            Assert.Equal(nests ? Busy32 : Available32, m.Read(Gdt + Task1 + 5, 1));
            Assert.Equal(Busy32, m.Read(Gdt + Other + 5, 1));
            Assert.Equal(nests ? Task1 : 0xBEEFUL, m.Read(Tss2, 2));
        }
    }

    // Call, and back by iret: the called task's descriptor is available again, its saved flags have no NT.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ReturnFromANestedTask(bool translated)
    {
        using var m = WithTask(translated);
        m.Write("40 CF 40 EB FC", UserCode);
        m.Write("B8 11 00 00 00" + CallTask + "40 40" + CallTask + "F4");
        Assert.Equal(ExitCause.Halt, m.Run());
        Assert.Equal((Code + 22, 0x13UL, Task1), (m[Slot.Rip], m[Slot.Rax], m.State->System.Tr.Selector));
        Assert.Equal([Available32, 0x8BUL], [m.Read(Gdt + Other + 5, 1), m.Read(Gdt + Task1 + 5, 1)]);

        // The second call continued behind iret.
        Assert.Equal([UserCode + 2, 0x406, 0x2003], m.Frame(Tss2 + 0x20, 4, 3));
        Assert.Equal(Flags, CpuAccess.GetEflags(m.State));
    }

    // Sixteen-bit tasks in both directions.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TaskOf16Bits(bool translated)
    {
        using var m = WithTask(translated);
        m.SetDescriptor(Other, Descriptor(Tss2, 0x2B, Available16));
        ReadOnlySpan<ushort> image = [0x9000, 0x202, 0xA1, 0xA2, 0xA3, 0xA4, 0x8000, 0xA6, 0xA7, 0xA8, Data0, Code16, Stack16, Data0, 0];
        for (var i = 0; i < image.Length; i++)
            m.Write16(Tss2 + 0xE + ((ulong)i * 2), image[i]);
        m.Write("40 CF", 0x9000);
        m.Write(CallTask + "F4");
        m[Slot.Rcx] = 0x12345678;
        Assert.Equal(ExitCause.Halt, m.Run());
        Assert.Equal((Code + 8, 0x12345678UL), (m[Slot.Rip], m[Slot.Rcx]));
        Assert.Equal([0x9002, 0x202, 0xA2, 0xA2], m.Frame(Tss2 + 0xE, 2, 4));
        Assert.Equal(Task1, m.Read(Tss2, 2));
    }

    // A task gate in the IDT: the error code is on the new task's stack.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void InterruptThroughATaskGate(bool translated)
    {
        using var m = WithTask(translated);
        m.SetGate(ExceptionVector.GeneralProtection, TaskGate, Other, 0);
        m.Write("90 F4", 0xA000);
        m.EnterLevel(3, 0xA000);
        Assert.Equal(ExitCause.Halt, m.Run());
        Assert.Equal((UserCode + 1, Stack1 - 4), (m[Slot.Rip], m[Slot.Rsp]));
        Assert.Equal(0UL, m.Read(m[Slot.Rsp], 4));
        Assert.Equal([0xA001, Flags | Eflags.RF], m.Frame(Tss + 0x20, 4, 2));
        Assert.Equal(Code3 | 3UL, m.Read(Tss + 0x4C, 2));
        Assert.Equal(0x402u | Eflags.NT, CpuAccess.GetEflags(m.State));
    }

    // What is checked before the switch: the exception is one of the old task, which has not changed.
    [Theory]
    [InlineData(JumpTask, Busy32, 0x67, ExceptionVector.GeneralProtection, Other)]
    [InlineData(CallTask, Busy32, 0x67, ExceptionVector.GeneralProtection, Other)]
    [InlineData(JumpTask, 0x09u, 0x67, ExceptionVector.SegmentNotPresent, Other)]
    [InlineData(JumpTask, Available32, 0x66, ExceptionVector.InvalidTask, Other)]
    [InlineData(JumpTask, Available16, 0x2A, ExceptionVector.InvalidTask, Other)]
    [InlineData(JumpTask, 0x82u, 0x67, ExceptionVector.GeneralProtection, Other)]
    [InlineData(JumpGate, Busy32, 0x67, ExceptionVector.GeneralProtection, Other)]
    [InlineData("CF", Available32, 0x67, ExceptionVector.InvalidTask, Other)]
    [InlineData("CF", 0x0Bu, 0x67, ExceptionVector.SegmentNotPresent, Other)]
    public void BadTasksAreRefused(string code, uint type, uint limit, int vector, uint error)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = WithTask(translated);
            m.SetDescriptor(Other, Descriptor(Tss2, limit, type));
            m.Write(code);
            m.Write16(Tss, Other);
            if (code == "CF")
                CpuAccess.SetEflags(m.State, Flags | Eflags.NT);
            m.RunToHandler(vector);
            Assert.Equal([error, Code, Code0], m.Frame(m[Slot.Rsp], 4, 3));
            Assert.Equal((Task1, 0UL), (m.State->System.Tr.Selector, m.State->System.Cr0 & 8));
            Assert.Equal(type, m.Read(Gdt + Other + 5, 1));
            Assert.Equal(Busy32, m.Read(Gdt + Task1 + 5, 1));
        }
    }

    // What is checked after it: the exception is one of the new task, before its first instruction.
    [Theory]
    [InlineData(0x4C, Data0, ExceptionVector.InvalidTask, Data0)]
    [InlineData(0x4C, 0, ExceptionVector.InvalidTask, 0)]
    [InlineData(0x4C, 0xA0, ExceptionVector.SegmentNotPresent, 0xA0)]
    [InlineData(0x50, 0, ExceptionVector.InvalidTask, 0)]
    [InlineData(0x50, Data1, ExceptionVector.InvalidTask, Data1)]
    [InlineData(0x50, Absent, ExceptionVector.StackFault, Absent)]
    [InlineData(0x54, 0x1008, ExceptionVector.InvalidTask, 0x1008)]
    [InlineData(0x58, Absent, ExceptionVector.SegmentNotPresent, Absent)]
    [InlineData(0x60, Data0, ExceptionVector.InvalidTask, Data0)]
    [InlineData(0x60, 0x14, ExceptionVector.InvalidTask, 0x14)]
    public void BadSegmentsOfTheNewTask(int at, ushort selector, int vector, uint error)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = WithTask(translated);
            m.SetDescriptor(0xA0, 0x00CF1B000000FFFF);

            // The handler is a task of its own: the new one may have no stack.
            SetTask(m, 0xA8, 0x3C00, Handlers);
            m.SetGate(vector, TaskGate, 0xA8, 0);
            m.Write16(Tss2 + (ulong)at, selector);
            m.Write(JumpTask);
            Assert.Equal(ExitCause.Halt, m.Run());
            Assert.Equal((Handlers + 1, (ushort)0xA8), (m[Slot.Rip], m.State->System.Tr.Selector));
            Assert.Equal(error, m.Read(m[Slot.Rsp], 4));
            Assert.Equal([UserCode, 0x402 | Eflags.RF, 0x2001], m.Frame(Tss2 + 0x20, 4, 3));
            Assert.Equal((ulong)Other, m.Read(0x3C00, 2));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void DebugTrapOfATask(bool translated)
    {
        using var m = WithTask(translated);
        m.Write32(Tss2 + 0x64, 1);
        m.Write(JumpTask);
        m.State->System.Dr7 = 0x7FF;
        m.RunToHandler(ExceptionVector.Debug);
        Assert.Equal([UserCode, Code0, 0x402], m.Frame(m[Slot.Rsp], 4, 3));
        Assert.Equal((0xFFFF8FF0UL, 0x6AAUL), (m.State->System.Dr6, m.State->System.Dr7));
    }

    // A local table, and segments in it.
    [Fact]
    public void LocalTableOfTheTask()
    {
        using var m = WithTask(false);
        m.SetDescriptor(0x98, Descriptor(Ldt, 0xF, 0x82));
        m.Write64(Ldt + 8, 0x00CFF3000000FFFF);
        m.Write16(Tss2 + 0x60, 0x98);
        m.Write16(Tss2 + 0x5C, 0xF);
        m.Write(JumpTask);
        Assert.Equal(ExitCause.Halt, m.Run());
        Assert.Equal((0x98, Ldt, 0xFu, 0xF), (m.State->Ldtr.Selector, m.State->LdtBase, m.State->Ldtr.Limit, m.State->Gs.Selector));
    }

    // A TSS of ring 0 is not for ring 3, nor by a selector with RPL 3; a gate of ring 3 is.
    [Theory]
    [InlineData(JumpTask, ExceptionVector.GeneralProtection)]
    [InlineData(JumpGate, -1)]
    public void PrivilegeOfGatesAndTasks(string code, int vector)
    {
        using var m = WithTask(false);
        m.Write(code, 0xA000);
        m.EnterLevel(3, 0xA000);
        Assert.Equal(ExitCause.Halt, m.Run());
        if (vector < 0)
            Assert.Equal(UserCode + 1, m[Slot.Rip]);
        else
            Assert.Equal(Other, m.Read(m[Slot.Rsp], 4));
    }

    // The new task at ring 0, EIP at UserCode where it halts, registers 2001 to 2008, and a task gate of ring 3 to it.
    private static SystemMachine WithTask(bool translated)
    {
        var m = new SystemMachine(translated, SystemMode.Protected);
        m.Write32(Tss + 0x1C, (uint)PageTables);
        SetTask(m, Other, Tss2, UserCode);
        m.SetDescriptor(Task1, Descriptor(Tss, 0x67, Busy32));
        m.SetDescriptor(TaskGateSelector, GateBits(TaskGate | Ring3, Other, 0).Low);
        m.Write("F4", UserCode);
        return m;
    }

    private static void SetTask(SystemMachine m, ushort selector, ulong at, ulong rip)
    {
        m.SetDescriptor(selector, Descriptor(at, 0x67, Available32));
        for (var i = 0u; i < 8; i++)
            m.Write32(at + 0x28 + (i * 4), 0x2001 + i);
        m.Write16(at, 0xBEEF);
        m.Write32(at + 0x1C, (uint)PageTables);
        m.Write32(at + 0x20, (uint)rip);
        m.Write32(at + 0x24, 0x402);
        m.Write32(at + 0x38, (uint)Stack1);
        ReadOnlySpan<uint> selectors = [Data0, Code0, Data0, Data0, 0, 0, 0];
        for (var i = 0; i < 7; i++)
            m.Write32(at + 0x48 + ((ulong)i * 4), selectors[i]);
    }

    private static ulong Descriptor(ulong address, uint limit, uint type) => limit | (address << 16) | ((ulong)type << 40);
}
