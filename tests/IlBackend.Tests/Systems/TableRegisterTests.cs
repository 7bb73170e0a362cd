using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests.Systems;

/// <summary>lgdt, lidt, lldt, ltr and the stores of these registers (SDM Vol. 2).</summary>
public sealed unsafe class TableRegisterTests
{
    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void TablesAreLoadedAndStored(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.lidt(__[0x20000]);
            a.sidt(__[0x20010]);
            a.db(0x66);
            a.lidt(__[0x20000]);
            a.hlt();
        });
        byte[] table = [0xFF, 0x07, 0x78, 0x56, 0x34, 0x12];
        machine.Write(0x20000, table);
        machine.RunToHalt();
        Assert.Equal(table, machine.Read(0x20010, 6));
        Assert.Equal((0x345678UL, 0x7FF), (machine.System.Idtr.Base, machine.System.Idtr.Limit));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void BasesOfLongModeMustBeCanonical(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a =>
        {
            a.lgdt(__[0x20000]);
            a.sgdt(__[0x20010]);
            a.lgdt(__[0x20020]);
        });
        byte[] table = [0xFF, 0x07, 0x78, 0x56, 0x34, 0x12, 0x00, 0x80, 0xFF, 0xFF];
        machine.Write(0x20000, table);
        machine.Write(0x20028, [0x00, 0x80]);
        machine.RunToException(ExceptionVector.GeneralProtection, 0, SystemMachine.Code + 16);
        Assert.Equal(table, machine.Read(0x20010, 10));
    }

    [Theory]
    [InlineData(Engine.Interpreter, SystemMode.Protected)]
    [InlineData(Engine.Jit, SystemMode.Protected)]
    [InlineData(Engine.Interpreter, SystemMode.Long)]
    [InlineData(Engine.Jit, SystemMode.Long)]
    public void TaskRegisterMarksItsTaskBusy(Engine engine, SystemMode mode)
    {
        using var machine = new SystemMachine(engine, mode, a =>
        {
            a.ltr(ax);
            a.str(ebx);
            a.ltr(ax);
        });
        if (mode == SystemMode.Long)
            machine.Write(SystemMachine.Gdt + SystemMachine.Task + 8, [0x00, 0x80, 0xFF, 0xFF]);
        machine[Slot.Rax] = SystemMachine.Task;
        machine.RunToException(ExceptionVector.GeneralProtection, SystemMachine.Task, SystemMachine.Code + 7);
        Assert.Equal(((ulong)SystemMachine.Task, 0x8B), (machine[Slot.Rbx], machine.Read(SystemMachine.Gdt + SystemMachine.Task + 5, 1)[0]));
        Assert.Equal(mode == SystemMode.Long ? 0xFFFF8000_0000A000 : SystemMachine.Tss, machine.System.TrBase);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void BadSelectorsRaiseTheirException(Engine engine)
    {
        foreach (var (load, selector, mode, vector, error) in ((Action<Assembler>, ushort, SystemMode, int, uint)[])[
            (a => a.ltr(ax), 0, SystemMode.Protected, ExceptionVector.GeneralProtection, 0),
            (a => a.ltr(ax), 0x3C, SystemMode.Protected, ExceptionVector.GeneralProtection, 0x3C),
            (a => a.ltr(ax), 0x7FF8, SystemMode.Protected, ExceptionVector.GeneralProtection, 0x7FF8),
            (a => a.ltr(ax), SystemMachine.LocalTable, SystemMode.Protected, ExceptionVector.GeneralProtection, SystemMachine.LocalTable),
            (a => a.ltr(ax), SystemMachine.DataSegment, SystemMode.Protected, ExceptionVector.GeneralProtection, SystemMachine.DataSegment),
            (a => a.ltr(ax), SystemMachine.AbsentTask, SystemMode.Protected, ExceptionVector.SegmentNotPresent, SystemMachine.AbsentTask),
            (a => a.ltr(ax), SystemMachine.Task16, SystemMode.Long, ExceptionVector.GeneralProtection, SystemMachine.Task16),
            (a => a.lldt(ax), SystemMachine.Task, SystemMode.Protected, ExceptionVector.GeneralProtection, SystemMachine.Task),
            (a => a.lldt(ax), 0x4C, SystemMode.Protected, ExceptionVector.GeneralProtection, 0x4C)])
        {
            using var machine = new SystemMachine(engine, mode, load);
            machine[Slot.Rax] = selector;
            machine.RunToException(vector, error);
            Assert.Equal(SystemMachine.Task, machine.System.Tr.Selector);
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void LocalTableIsLoadedAndTakenAway(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.lldt(ax);
            a.sldt(ebx);
            a.mov(ds, cx);
            a.xor(eax, eax);
            a.lldt(ax);
            a.mov(ds, cx);
        });
        machine.Write(0x12300, BitConverter.GetBytes(0x00CF93000000FFFFUL));
        (machine[Slot.Rax], machine[Slot.Rcx]) = (SystemMachine.LocalTable, 4);
        machine.RunToException(ExceptionVector.GeneralProtection, 4, SystemMachine.Code + 16);
        Assert.Equal((SystemMachine.LocalTable, 0), ((ushort)machine[Slot.Rbx], (int)machine.State->Ldtr.Attributes));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void DebugRegistersHaveTheirFixedBitsAndAliases(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.mov(eax, 0xFFFFFFFF);
            a.mov(dr6, eax);
            a.mov(ebx, dr6);
            a.xor(eax, eax);
            a.db(0x0F, 0x23, 0xE0);
            a.mov(ecx, dr6);
            a.mov(dr7, eax);
            a.mov(esi, dr7);
            a.mov(eax, 0x12345678);
            a.mov(dr3, eax);
            a.mov(edi, dr3);
            a.hlt();
        });
        machine.RunToHalt();
        Assert.Equal(
            (0xFFFFEFFFUL, 0xFFFF0FF0UL, 0x400UL, 0x12345678UL), (machine[Slot.Rbx], machine[Slot.Rcx], machine[Slot.Rsi], machine[Slot.Rdi]));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void DebugRegistersAreChecked(Engine engine)
    {
        using var alias = new SystemMachine(engine, SystemMode.Protected, a => a.db(0x0F, 0x23, 0xE8));
        alias.System.Cr4 |= Cr4.DebuggingExtensions;
        alias.RunToException(ExceptionVector.InvalidOpcode);
        using var upper = new SystemMachine(engine, SystemMode.Long, a => a.mov(dr7, rax));
        upper[Slot.Rax] = 1UL << 32;
        upper.RunToException(ExceptionVector.GeneralProtection);
        using var detected = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.mov(eax, 0x2000);
            a.mov(dr7, eax);
            a.mov(ebx, dr0);
        });
        detected.RunToException(ExceptionVector.Debug, 0, SystemMachine.Code + 8);
        Assert.Equal((0xFFFF2FF0UL, 0x400UL), (detected.System.Dr6, detected.System.Dr7));
    }
}
