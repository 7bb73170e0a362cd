using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Pc.Tests.Boot;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Pc.Tests;

/// <summary>
/// Where interrupts that the chips of a PC request are taken, and where not: the shadows of sti and loads of SS, the blocking of NMI, FERR#. Time is counted in
/// instructions, so the same instruction is interrupted in every run.
/// </summary>
public sealed class InterruptWindowTests : IDisposable
{
    private const uint Code = KernelBuilder.LoadAddress + 32, Table = 0x30_0000, Results = 0x30_1000, StackTop = 0x31_0000;
    private const int TimerVector = 0x20, SlaveVector = 0x28, NonMaskable = 2, FloatingPointLine = 5;
    private const int ResultCount = 16;
    private const uint CommandLow = 0xFEE00300, CommandHigh = 0xFEE00310, NonMaskableCommand = 0x4400;
    private const int Ticks = 300;

    private readonly List<Func<Label>> _asked = [];
    private readonly List<uint> _known = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("windows").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // SDM Vol. 2, STI: not before the next instruction has been executed. The interrupt waits already.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void StiHoldsInterruptsBackForOneInstruction(bool translated) =>
        Assert.Equal(1, FirstInterrupted(translated, a => a.sti()));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void PopfDoesNot(bool translated) =>
        Assert.Equal(0, FirstInterrupted(translated, a =>
        {
            a.pushfd();
            a.or(__dword_ptr[esp], 0x200);
            a.popfd();
        }));

    // SDM Vol. 3, 6.8.3: nothing comes between a load of SS and the instruction behind it.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ALoadOfSsIsNotParted(bool translated)
    {
        var places = Run(translated, a =>
        {
            var handler = a.CreateLabel();
            var loop = a.CreateLabel();
            SetGate(a, TimerVector, () => handler);
            StartController(a, 0xFE, 0xFF);

            // Rate generator, every 7 of 838.1 ns: each time another instruction of the loop is met.
            StartCounter(a, 0x34, 7);
            a.xor(ecx, ecx);
            a.mov(ebx, ss);
            a.sti();
            a.Label(ref loop);
            a.mov(ss, bx);
            a.nop();
            a.nop();
            a.cmp(ecx, Ticks);
            a.jb(loop);
            a.cli();
            Finish(a);
            a.Label(ref handler);
            a.push(eax);
            a.push(edx);
            a.mov(eax, __dword_ptr[esp + 8]);
            a.mov(edx, AddressOf(() => loop));
            a.sub(eax, edx);
            a.inc(__byte_ptr[eax + Results]);
            a.inc(ecx);
            EndInterrupt(a);
            a.pop(edx);
            a.pop(eax);
            a.iretd();
        });
        Assert.Equal(0, places[2]);
        Assert.True(places.Count(p => p != 0) > (translated ? 0 : 2), string.Join(' ', places));
    }

    // SDM Vol. 3, 6.7.1: the second one waits for the iret of the first.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnNmiWaitsForTheIretOfTheOneBefore(bool translated)
    {
        var results = Run(translated, a =>
        {
            var handler = a.CreateLabel();
            var end = a.CreateLabel();
            SetGate(a, NonMaskable, () => handler);
            SendNmi();
            Finish(a);

            // How many had come when each handler begins and when it ends.
            a.Label(ref handler);
            a.pushad();
            a.inc(__byte_ptr[Results]);
            a.movzx(eax, __byte_ptr[Results]);
            a.cmp(eax, 1);
            a.jne(end);
            SendNmi();
            a.Label(ref end);
            a.mov(dl, __byte_ptr[Results]);
            a.mov(__byte_ptr[eax + Results], dl);
            a.popad();
            a.iretd();

            void SendNmi()
            {
                a.mov(__dword_ptr[CommandHigh], 0);
                a.mov(__dword_ptr[CommandLow], NonMaskableCommand);

                // It has time to come.
                var wait = a.CreateLabel();
                a.mov(ecx, 100);
                a.Label(ref wait);
                a.loop(wait);
            }
        });
        Assert.Equal([2, 1, 2], results[..3]);
    }

    // SDM Vol. 1, D.2.1: with CR0.NE clear the next waiting instruction asserts FERR# and stops; a PC makes interrupt 13 of it, and port F0h ends it.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AFloatingPointErrorIsInterrupt13(bool translated)
    {
        var results = Run(translated, a =>
        {
            var handler = a.CreateLabel();
            var waits = a.CreateLabel();
            SetGate(a, SlaveVector + FloatingPointLine, () => handler);
            StartController(a, 0xFB, 0xFF & ~(1 << FloatingPointLine));
            a.mov(eax, cr0);
            a.and(eax, ~0x2E);
            a.mov(cr0, eax);
            a.fninit();
            a.mov(__word_ptr[Results + 8], 0x37B);
            a.fldcw(__word_ptr[Results + 8]);
            a.sti();
            a.fld1();
            a.fldz();
            a.fdivp(st1, st0);
            a.nop();
            a.Label(ref waits);
            a.wait();
            a.inc(__byte_ptr[Results + 2]);
            a.cli();
            Finish(a);
            a.Label(ref handler);
            a.inc(__byte_ptr[Results]);
            a.mov(eax, __dword_ptr[esp]);
            a.mov(edx, AddressOf(() => waits));
            a.sub(eax, edx);
            a.mov(__byte_ptr[Results + 1], al);
            a.@out(0xF0, al);
            a.fnclex();
            a.mov(al, 0x20);
            a.@out(0xA0, al);
            EndInterrupt(a);
            a.iretd();
        });
        Assert.Equal([1, 0, 1], results[..3]);
    }

    // How many instructions of one byte are executed after what enables interrupts, with that of the timer requested.
    private int FirstInterrupted(bool translated, Action<Assembler> enable)
    {
        var results = Run(translated, a =>
        {
            var handler = a.CreateLabel();
            var poll = a.CreateLabel();
            SetGate(a, TimerVector, () => handler);
            StartController(a, 0xFE, 0xFF);
            StartCounter(a, 0x30, 10);

            // The request register of the first 8259A.
            a.Label(ref poll);
            a.mov(al, 0x0A);
            a.@out(0x20, al);
            a.@in(al, 0x20);
            a.test(al, 1);
            a.je(poll);
            a.xor(ecx, ecx);
            enable(a);
            for (var i = 0; i < 4; i++)
                a.inc(ecx);
            a.cli();
            Finish(a);
            a.Label(ref handler);
            a.mov(__byte_ptr[Results], cl);
            a.inc(__byte_ptr[Results + 1]);
            EndInterrupt(a);
            a.iretd();
        });
        Assert.Equal(1, results[1]);
        return results[0];
    }

    private byte[] Run(bool translated, Action<Assembler> program)
    {
        var path = Path.Combine(_folder, "kernel");
        File.WriteAllBytes(path, KernelBuilder.Multiboot(Assemble(program)));
        var channel = new MemoryChannel();
        using var machine = new PcMachine(new PcOptions
        {
            Kernel = new KernelOptions(path),
            CountsInstructions = true,
            Serial = [channel],
            Devices = [new DebugExitDevice(0x501, 1)],
            TranslatorFactory = () => translated ? new Translator(new TranslatorOptions(2, Background: false, CountInstructions: true, Access: AccessForm.Lookaside)) : null,
        });
        Assert.Equal(EndCause.DebugExit, machine.Run().Cause);
        Assert.Equal(ResultCount, channel.Output.Length);
        return channel.Output;
    }

    // Twice: the first time tells where the labels are whose addresses are operands.
    private byte[] Assemble(Action<Assembler> program)
    {
        _known.Clear();
        while (true)
        {
            var a = new Assembler(32);
            a.mov(esp, StackTop);
            a.mov(__word_ptr[Table - 8], 0x7FF);
            a.mov(__dword_ptr[Table - 6], Table);
            a.lidt(__[Table - 8]);
            _asked.Clear();
            program(a);
            using var stream = new MemoryStream();
            var result = a.Assemble(new StreamCodeWriter(stream), Code, BlockEncoderOptions.ReturnNewInstructionOffsets);
            if (_known.Count == _asked.Count)
                return stream.ToArray();
            foreach (var label in _asked)
                _known.Add((uint)result.GetLabelRIP(label()));
        }
    }

    // A label has its place when it has been put down, which may be later.
    private uint AddressOf(Func<Label> label)
    {
        _asked.Add(label);
        return _known.Count >= _asked.Count ? _known[_asked.Count - 1] : Code;
    }

    private void SetGate(Assembler a, int vector, Func<Label> handler)
    {
        var gate = Table + ((uint)vector * 8);
        a.mov(eax, AddressOf(handler));
        a.mov(__word_ptr[gate], ax);
        a.mov(__word_ptr[gate + 2], cs);
        a.and(eax, unchecked((int)0xFFFF0000));
        a.or(eax, 0x8E00);
        a.mov(__dword_ptr[gate + 4], eax);
    }

    // Both 8259A, with their masks.
    private static void StartController(Assembler a, int mask, int slaveMask)
    {
        foreach (var (port, value) in new (byte, int)[]
        {
            (0x20, 0x11), (0x21, TimerVector), (0x21, 0x04), (0x21, 0x01), (0x21, mask), (0xA0, 0x11), (0xA1, SlaveVector), (0xA1, 0x02), (0xA1, 0x01), (0xA1, slaveMask),
        })
            Out(a, port, value);
    }

    private static void StartCounter(Assembler a, int mode, int count)
    {
        Out(a, 0x43, mode);
        Out(a, 0x40, count & 0xFF);
        Out(a, 0x40, count >> 8);
    }

    private static void EndInterrupt(Assembler a) => Out(a, 0x20, 0x20);

    private static void Out(Assembler a, byte port, int value)
    {
        a.mov(al, (byte)value);
        a.@out(port, al);
    }

    // The results go over the serial line, and the machine ends.
    private static void Finish(Assembler a)
    {
        var next = a.CreateLabel();
        a.mov(esi, Results);
        a.mov(ecx, ResultCount);
        a.mov(edx, 0x3F8);
        a.Label(ref next);
        a.lodsb();
        a.@out(dx, al);
        a.loop(next);
        a.mov(edx, 0x501);
        a.@out(dx, al);
        a.hlt();
    }
}
