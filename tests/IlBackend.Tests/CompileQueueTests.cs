using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests;

/// <summary>The order of requests, and several threads that compile for one translator.</summary>
public sealed unsafe class CompileQueueTests
{
    private const ulong Code = 0x10_0000;
    private const int Functions = 400;
    private const int Rounds = 3000;

    [Fact]
    public void TheHottestComeFirstAndWhatHasCodeLast()
    {
        int[] heats = [700, 100_000, 1, 3000, int.MaxValue / 4, 20];
        var blocks = (Block*)NativeMemory.AllocZeroed((nuint)heats.Length, (nuint)(sizeof(Block) + sizeof(ThreadedBlock)));
        var threaded = (ThreadedBlock*)(blocks + heats.Length);
        try
        {
            var queue = new RequestQueue();
            for (var i = 0; i < heats.Length; i++)
            {
                blocks[i].Threaded = threaded + i;
                blocks[i].Heat = heats[i];
                queue.Add(&blocks[i], grow: heats[i] == 100_000);
            }

            var order = new List<int>();
            while (queue.TryTake(out var block, out var grow))
            {
                Assert.Equal(block->Heat == 100_000, grow);
                order.Add(block->Heat);
            }

            // The two coldest are in one bucket: the latest first.
            Assert.Equal([int.MaxValue / 4, 3000, 700, 20, 1, 100_000], order);
            Assert.Equal(0, queue.Count);
        }
        finally
        {
            NativeMemory.Free(blocks);
        }
    }

    // Chains of calls that get hot together: their regions overlap. Some of them are rewritten while they are compiled.
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void ThreadsOfOneTranslatorDoNotDisturbEachOther(int threads)
    {
        var translator = new Translator(new TranslatorOptions(20, CountInstructions: true))
        {
            Threads = new CompileThreads { MaxThreads = threads },
        };
        using var machine = Machine.Create(GuestMode.Linux64, translator);
        var program = Program(out var patches);
        machine.Memory.Map(Code, (ulong)(program.Length + AddressSpace.PageSize) & ~(AddressSpace.PageSize - 1UL), PagePermission.Read | PagePermission.Write | PagePermission.Execute);
        machine.Memory.Map(BareMachine.Stack - AddressSpace.PageSize, AddressSpace.PageSize, PagePermission.Read | PagePermission.Write);
        machine.Memory.Write(Code, program);
        var cpu = machine.AddVcpu(GuestMode.Linux64);
        var slots = cpu.State->Slots;
        ulong expected = 0;
        for (var step = 1; step <= 4; step++)
        {
            slots[Slot.Rip] = Code;
            slots[Slot.Rsp] = BareMachine.Stack;
            slots[Slot.Rcx] = Rounds / Functions * 8;
            Assert.Equal(ExitCause.SoftwareInterrupt, cpu.Run());
            expected += Total(step);
            Assert.Equal(expected, slots[Slot.Rbx]);

            // add rbx, imm8 of every third function.
            lock (machine.Memory.Lock)
                foreach (var at in patches)
                {
                    machine.Memory.Write(at, [(byte)(step + 1)]);
                    machine.Cache.Invalidate(at, 1);
                }
        }

        Assert.Equal(0, translator.Statistics.Failed);
    }

    private static ulong Total(int step)
    {
        ulong sum = 0;
        for (var i = 0; i < Functions; i++)
            sum += (ulong)(i % 3 == 0 ? step : 1);
        return sum * (Rounds / Functions * 8);
    }

    // A loop that calls the first of a chain of functions, each of which calls the next.
    private static byte[] Program(out List<ulong> patches)
    {
        var a = new Assembler(64);
        var loop = a.CreateLabel();
        var functions = new Label[Functions];
        for (var i = 0; i < Functions; i++)
            functions[i] = a.CreateLabel();
        a.Label(ref loop);
        for (var i = 0; i < Functions; i += 20)
            a.call(functions[i]);
        a.dec(ecx);
        a.jne(loop);
        a.int3();
        for (var i = 0; i < Functions; i++)
        {
            a.Label(ref functions[i]);
            a.add(rbx, 1);
            if (i % 20 != 19)
                a.call(functions[i + 1]);
            a.ret();
        }

        using var stream = new MemoryStream();
        var result = a.Assemble(new StreamCodeWriter(stream), Code, BlockEncoderOptions.ReturnNewInstructionOffsets);
        patches = [];
        for (var i = 0; i < Functions; i += 3)
            patches.Add(result.GetLabelRIP(functions[i]) + 3);
        return stream.ToArray();
    }
}
