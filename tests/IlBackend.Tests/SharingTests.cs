using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests;

/// <summary>Code that address spaces have from each other: it is used where the same bytes lie, and nowhere else.</summary>
public sealed unsafe class SharingTests : IDisposable
{
    private const ulong Code = 0x4_0000;
    private const int Rounds = 2000;
    private const PagePermission Executable = PagePermission.Read | PagePermission.Write | PagePermission.Execute;

    private readonly SharedRegions _shared = new();
    private readonly List<Machine> _machines = [];

    // A function that is called from a loop: a region with several entries.
    private static byte[] Program(int step)
    {
        var a = new Assembler(64);
        var (loop, function, skip) = (a.CreateLabel(), a.CreateLabel(), a.CreateLabel());
        a.Label(ref loop);
        a.call(function);
        a.dec(ecx);
        a.jne(loop);
        a.int3();
        a.Label(ref function);
        a.test(ecx, 1);
        a.je(skip);
        a.add(rbx, step);
        a.Label(ref skip);
        a.add(rbx, 2);
        a.ret();
        using var stream = new MemoryStream();
        a.Assemble(new StreamCodeWriter(stream), Code);
        return stream.ToArray();
    }

    private static ulong Expected(int step) => (ulong)((Rounds * 2) + (Rounds / 2 * step));

    private (Machine Machine, Vcpu Cpu, Translator Translator) Make(byte[] program)
    {
        var translator = new Translator(new TranslatorOptions(10, false, CountInstructions: true, Shared: _shared));
        var machine = Machine.Create(GuestMode.Linux64, translator);
        _machines.Add(machine);
        machine.Memory.Map(Code, AddressSpace.PageSize, Executable);
        machine.Memory.Map(BareMachine.Stack - AddressSpace.PageSize, AddressSpace.PageSize, PagePermission.Read | PagePermission.Write);
        machine.Memory.Write(Code, program);
        return (machine, machine.AddVcpu(GuestMode.Linux64), translator);
    }

    private static ulong Run(Vcpu cpu)
    {
        var slots = cpu.State->Slots;
        slots[Slot.Rip] = Code;
        slots[Slot.Rsp] = BareMachine.Stack;
        slots[Slot.Rbx] = 0;
        slots[Slot.Rcx] = Rounds;
        var before = cpu.State->Execution.InstructionCount;
        Assert.Equal(ExitCause.SoftwareInterrupt, cpu.Run());
        Assert.Equal((ulong)((7 * Rounds) + (Rounds / 2) + 1), cpu.State->Execution.InstructionCount - before);
        return slots[Slot.Rbx];
    }

    [Fact]
    public void TheSameCodeIsCompiledOnce()
    {
        var first = Make(Program(5));
        var second = Make(Program(5));
        Assert.Equal(Expected(5), Run(first.Cpu));
        Assert.NotEqual(0, first.Translator.Statistics.Regions);
        Assert.Equal(Expected(5), Run(second.Cpu));
        Assert.Equal(0, second.Translator.Statistics.Regions);
        Assert.NotEqual(0, second.Translator.Statistics.Adopted);
    }

    // Who made the code may end.
    [Fact]
    public void CodeOutlivesItsAddressSpace()
    {
        var first = Make(Program(5));
        var second = Make(Program(5));
        Make(Program(5));
        Run(first.Cpu);
        first.Cpu.Dispose();
        first.Machine.Dispose();
        _machines.Remove(first.Machine);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(Expected(5), Run(second.Cpu));
        Assert.Equal(0, second.Translator.Statistics.Regions);
    }

    [Fact]
    public void OtherBytesAreOtherCode()
    {
        var first = Make(Program(5));
        var second = Make(Program(6));
        Assert.Equal(Expected(5), Run(first.Cpu));
        Assert.Equal(Expected(6), Run(second.Cpu));
        Assert.Equal(Expected(5), Run(first.Cpu));
    }

    // Within the region, and behind what has been executed when it is adopted.
    [Fact]
    public void CodeThatIsWrittenToIsDropped()
    {
        var first = Make(Program(5));
        var second = Make(Program(5));
        Run(first.Cpu);
        Run(second.Cpu);
        lock (second.Machine.Memory.Lock)
        {
            second.Machine.Memory.Write(Code, Program(9));
            second.Machine.Cache.Invalidate(Code, AddressSpace.PageSize);
        }

        Assert.Equal(Expected(9), Run(second.Cpu));
        Assert.Equal(Expected(5), Run(first.Cpu));
    }

    [Fact]
    public void CodeThatCannotBeExecutedFaults()
    {
        var first = Make(Program(5));
        var second = Make(Program(5));
        Run(first.Cpu);
        second.Machine.Memory.Protect(Code, AddressSpace.PageSize, PagePermission.Read);
        second.Cpu.State->Slots[Slot.Rip] = Code;
        Assert.Equal(ExitCause.Exception, second.Cpu.Run());
        Assert.Equal(0, second.Translator.Statistics.Adopted);
    }

    // Found by its bytes only, however many there have been at an address; full, it begins anew.
    [Fact]
    public void LiftedBlocksAreFoundByTheirBytes()
    {
        var blocks = new LiftedBlocks { SizeLimit = 4000 };
        var (lifter, ir) = (new Lifter(), new IrBlock());
        for (byte i = 0; i < 100; i++)
        {
            byte[] code = [0xB0, i, 0xC3];
            fixed (byte* p = code)
                Assert.True(lifter.Lift(ir, p, code.Length, Code, GuestMode.Linux64));
            blocks.Add(LiftedBlock.Of(ir, code), CpuModel.Process);
            var found = blocks.Find(Code, GuestMode.Linux64, CpuModel.Process, (ReadOnlySpan<byte>)[0xB0, i, 0xC3, 0x90]);
            Assert.NotNull(found);
            var copy = new IrBlock();
            copy.Assign(found);
            Assert.Equal(ir.Ops.ToArray(), copy.Ops.ToArray());
            Assert.Equal((ir.Start, ir.Next, ir.Taken, ir.InstructionCount, ir.Mode), (copy.Start, copy.Next, copy.Taken, copy.InstructionCount, copy.Mode));
            Assert.Equal(ir.Instructions[1].IP, copy.Instructions[1].IP);
            Assert.Null(blocks.Find(Code, GuestMode.Linux64, CpuModel.Process, code.AsSpan(0, 2)));
            Assert.Null(blocks.Find(Code, GuestMode.Linux32, CpuModel.Process, code));
            Assert.Null(blocks.Find(Code, GuestMode.Linux64, CpuModel.I486, code));
            Assert.Null(blocks.Find(Code + 1, GuestMode.Linux64, CpuModel.Process, code));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var machine in _machines)
            machine.Dispose();
    }
}
