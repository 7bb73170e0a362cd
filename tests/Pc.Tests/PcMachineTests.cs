using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Pc.Consoles;
using DynaTrans.Pc.Tests.Boot;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Pc.Tests;

/// <summary>Small kernels and ROMs, by interpreter and translator.</summary>
public sealed class PcMachineTests : IDisposable
{
    private const string Message = "Hello from the guest";
    private const uint Code = KernelBuilder.LoadAddress + 32;

    // mov al, 21h; mov dx, 501h; out dx, al; hlt; jmp $-1
    private static readonly byte[] s_exit = [0xB0, 0x21, 0x66, 0xBA, 0x01, 0x05, 0xEE, 0xF4, 0xEB, 0xFD];

    private readonly string _folder = Directory.CreateTempSubdirectory("machine").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AMultibootKernelPrintsAndExits(bool translated)
    {
        var channel = new MemoryChannel();
        Assert.Equal(new MachineEnd(EndCause.DebugExit, 0x43), Run(Printing(), translated, channel));
        Assert.Equal(Message, channel.Text);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ARomStartsAtTheResetVector(bool translated)
    {
        const int Start = 0xF000;
        var rom = new byte[0x10000];
        byte[] code =
        [
            0x8C, 0xC8,             // mov ax, cs
            0x8E, 0xD8,             // mov ds, ax
            0xBE, 0x20, 0xF0,       // mov si, message
            0xBA, 0xF8, 0x03,       // mov dx, 3F8h
            0xAC, 0x84, 0xC0,       // next: lodsb; test al, al
            0x74, 0x03, 0xEE,       // jz end; out dx, al
            0xEB, 0xF8,             // jmp next
            0xB0, 0x21,             // end: mov al, 21h
            0xBA, 0x01, 0x05, 0xEE, // mov dx, 501h; out dx, al
            0xF4, 0xEB, 0xFD,       // hlt; jmp $-1
        ];
        code.CopyTo(rom, Start);
        System.Text.Encoding.ASCII.GetBytes(Message + "\0").CopyTo(rom, Start + 0x20);
        new byte[] { 0xEA, 0x00, 0xF0, 0x00, 0xF0 }.CopyTo(rom, 0xFFF0);
        var channel = new MemoryChannel();
        var end = Run(new PcOptions { Rom = Write("rom", rom) }, translated, channel);
        Assert.Equal(new MachineEnd(EndCause.DebugExit, 0x43), end);
        Assert.Equal(Message, channel.Text);
    }

    public static TheoryData<string, byte[], EndCause> Ends() => new()
    {
        { "cli; hlt", [0xFA, 0xF4], EndCause.Halted },

        // lidt of six zero bytes (the page at 0), int3
        { "triple fault", [0x0F, 0x01, 0x1D, 0x00, 0x00, 0x00, 0x00, 0xCC], EndCause.TripleFault },

        // mov al, 6; mov dx, CF9h; out dx, al
        { "reset", [0xB0, 0x06, 0x66, 0xBA, 0xF9, 0x0C, 0xEE, 0xEB, 0xFE], EndCause.Reset },

        // mov al, FEh; out 64h, al
        { "keyboard controller", [0xB0, 0xFE, 0xE6, 0x64, 0xEB, 0xFE], EndCause.Reset },

        // mov ax, 2000h; mov dx, 604h; out dx, ax
        { "power-off", [0x66, 0xB8, 0x00, 0x20, 0x66, 0xBA, 0x04, 0x06, 0x66, 0xEF, 0xEB, 0xFE], EndCause.PowerOff },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public void TheEndHasItsCause(string name, byte[] code, EndCause cause)
    {
        foreach (var translated in new[] { false, true })
            Assert.True(cause == Run(Kernel(code), translated, new MemoryChannel()).Cause, name);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WhatIsTypedArrives(bool translated)
    {
        byte[] code =
        [
            0x66, 0xBA, 0xFD, 0x03, // next: mov dx, 3FDh
            0xEC, 0xA8, 0x01,       // in al, dx; test al, 1
            0x74, 0xF7,             // jz next
            0x66, 0xBA, 0xF8, 0x03, // mov dx, 3F8h
            0xEC, 0xEE,             // in al, dx; out dx, al
            0x3C, 0x71,             // cmp al, 'q'
            0x75, 0xED,             // jne next
            .. s_exit,
        ];
        var input = new byte[3000];
        Array.Fill(input, (byte)'x');
        input[^1] = (byte)'q';
        var channel = new MemoryChannel { Input = input };
        Assert.Equal(EndCause.DebugExit, Run(Kernel(code), translated, channel).Cause);
        Assert.Equal(input, channel.Output);
    }

    // Interrupts of the timer are counted until there are 20; each time the low bytes of the time stamp are sent.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WithCountedInstructionsTwoRunsAreTheSame(bool translated)
    {
        var runs = Enumerable.Range(0, 2).Select(_ =>
        {
            var channel = new MemoryChannel();
            var end = Run(Ticking() with { CountsInstructions = true }, translated, channel, out var instructions);
            Assert.Equal(EndCause.DebugExit, end.Cause);
            return (Convert.ToHexString(channel.Output), instructions);
        }).ToArray();
        Assert.Equal(runs[0], runs[1]);
        Assert.Equal(40, runs[0].Item1.Length);
    }

    [Fact]
    public void TimerInterruptsWakeAHaltedProcessor()
    {
        var channel = new MemoryChannel();
        Assert.Equal(EndCause.DebugExit, Run(Ticking(), translated: true, channel).Cause);

        // On a busy host several may come at once.
        Assert.True(channel.Output.Length >= 20);
    }

    // The machine stands still again and again while it counts ticks: each access to the debug port takes some milliseconds of the host's time.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TicksAreNotLostWhileTheHostIsBusy(bool translated)
    {
        byte[] wait =
        [
            0x0F, 0x31, 0x89, 0xC3,                               // rdtsc; mov ebx, eax
            0xE6, 0xE9, 0x0F, 0x31, 0x29, 0xD8,                   // next: out E9h, al; rdtsc; sub eax, ebx
            0x3D, .. BitConverter.GetBytes(50_000_000), 0x72, 0xF3, // cmp eax, 50000000; jb next
            0xFA,                                                 // cli
        ];
        var channel = new MemoryChannel();
        var options = Ticking(wait) with { Devices = [new DebugConsoleDevice(0xE9, new SlowChannel())] };
        Assert.Equal(EndCause.DebugExit, Run(options, translated, channel).Cause);

        // One that comes while the one before it waits is lost, as on any PC: the host compiles, too.
        Assert.True(channel.Output.Length >= 35);
    }

    [Fact]
    public void InputAfterTheEndIsLost()
    {
        var channel = new MemoryChannel();
        Run(Printing(), translated: false, channel);
        channel.Send([1, 2, 3]);
    }

    [Fact]
    public void TwoMachinesRunAtTheSameTime()
    {
        var channels = new[] { new MemoryChannel(), new MemoryChannel() };
        var ends = new MachineEnd[2];
        var threads = Enumerable.Range(0, 2).Select(i => new Thread(() => ends[i] = Run(Printing(), translated: i == 0, channels[i]))).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.All(ends, end => Assert.Equal(EndCause.DebugExit, end.Cause));
        Assert.All(channels, channel => Assert.Equal(Message, channel.Text));
    }

    // Each sees the same instruction counts and times as one that is alone: nothing is shared.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void MachinesAtTheSameTimeDoNotDisturbEachOther(bool translated)
    {
        (string, ulong) Count()
        {
            var channel = new MemoryChannel();
            Run(Ticking() with { CountsInstructions = true }, translated, channel, out var instructions);
            return (Convert.ToHexString(channel.Output), instructions);
        }

        var alone = Count();
        Assert.Equal(40, alone.Item1.Length);
        var runs = new (string, ulong)[4];
        var threads = runs.Select((_, i) => new Thread(() => runs[i] = Count())).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.All(runs, run => Assert.Equal(alone, run));
    }

    [Fact]
    public void TheUserEndsAMachineThatIsIdle()
    {
        // sti; hlt; jmp $-1: all interrupts are masked
        using var machine = new PcMachine(Kernel([0xFB, 0xF4, 0xEB, 0xFD]));
        new Thread(() =>
        {
            Thread.Sleep(50);
            machine.Quit();
        }).Start();
        Assert.Equal(EndCause.Quit, machine.Run().Cause);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SetupCodeInRealModeHasItsBiosCalls(bool translated)
    {
        const int EntryTarget = 0x26C, Text = 0x400;
        var image = KernelBuilder.BzImage([]);
        byte[] code =
        [
            0x66, 0xB8, 0x20, 0xE8, 0x00, 0x00, 0x66, 0x31, 0xDB,             // mov eax, E820h; xor ebx, ebx
            0x66, 0xB9, 0x14, 0x00, 0x00, 0x00,                               // mov ecx, 20
            0x66, 0xBA, 0x50, 0x41, 0x4D, 0x53, 0xBF, 0x00, 0x20, 0xCD, 0x15, // mov edx, 'SMAP'; mov di, 2000h; int 15h
            0x73, 0x02, 0xFA, 0xF4,                                           // jnc $+4; cli; hlt
            0xB4, 0x41, 0xCD, 0x13, 0x72, 0x02, 0xFA, 0xF4,                   // mov ah, 41h; int 13h; jc $+4; cli; hlt
            0xBE, 0x00, 0x04,                                                 // mov si, message
            0xAC, 0x84, 0xC0, 0x74, 0x06,                                     // next: lodsb; test al, al; jz end
            0xB4, 0x0E, 0xCD, 0x10, 0xEB, 0xF5,                               // mov ah, 0Eh; int 10h; jmp next
            0xB0, 0x21, 0xBA, 0x01, 0x05, 0xEE, 0xF4,                         // end: mov al, 21h; mov dx, 501h; out dx, al; hlt
        ];
        code.CopyTo(image, EntryTarget);
        System.Text.Encoding.ASCII.GetBytes(Message + "\0").CopyTo(image, Text);
        var channel = new MemoryChannel();
        var options = new PcOptions { Kernel = new KernelOptions(Write("image", image)) { Unpacking = KernelUnpacking.RealMode } };
        Assert.Equal(new MachineEnd(EndCause.DebugExit, 0x43), Run(options, translated, channel));
        Assert.Equal(Message, channel.Text);
    }

    // With the gate closed by both of its owners the second mebibyte is the first: what is written at 100005h goes to 5.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheA20GateHidesTheSecondMebibyte(bool translated)
    {
        byte[] code =
        [
            0xB0, 0xD1, 0xE6, 0x64, 0xB0, 0xDD, 0xE6, 0x60,             // mov al, D1h; out 64h, al; mov al, DDh; out 60h, al
            0x30, 0xC0, 0xE6, 0x92,                                     // xor al, al; out 92h, al
            0xC6, 0x05, 0x05, 0x00, 0x10, 0x00, 0x41,                   // mov byte [100005h], 'A'
            0xA0, 0x05, 0x00, 0x00, 0x00,                               // mov al, [5]
            0x66, 0xBA, 0xF8, 0x03, 0xEE,                               // mov dx, 3F8h; out dx, al
            0xB0, 0x02, 0xE6, 0x92,                                     // mov al, 2; out 92h, al
            0xC6, 0x05, 0x05, 0x00, 0x10, 0x00, 0x42,                   // mov byte [100005h], 'B'
            0xA0, 0x05, 0x00, 0x00, 0x00, 0xEE,                         // mov al, [5]; out dx, al
            0xA0, 0x05, 0x00, 0x10, 0x00, 0xEE,                         // mov al, [100005h]; out dx, al
            .. s_exit,
        ];
        var channel = new MemoryChannel();
        Assert.Equal(EndCause.DebugExit, Run(Kernel(code), translated, channel).Cause);
        Assert.Equal("AAB", channel.Text);
    }

    [Fact]
    public void DebugConsoleAndPostCodes()
    {
        var console = new MemoryChannel();
        var codes = new List<byte>();

        // mov al, 'A'; out E9h, al; mov dx, 190h; out dx, al
        var options = Kernel([0xB0, 0x41, 0xE6, 0xE9, 0x66, 0xBA, 0x90, 0x01, 0xEE, .. s_exit]);
        Run(options with { Devices = [new DebugConsoleDevice(0xE9, console), new PostCodeDevice(0x190, codes.Add)] }, false, new MemoryChannel());
        Assert.Equal("A", console.Text);
        Assert.Equal([0x41], codes);
    }

    private PcOptions Printing()
    {
        byte[] code =
        [
            0x66, 0xBA, 0xF8, 0x03, // mov dx, 3F8h
            0xBE, .. BitConverter.GetBytes(Code + 17 + (uint)s_exit.Length),
            0xAC, 0x84, 0xC0,       // next: lodsb; test al, al
            0x74, 0x03, 0xEE,       // jz end; out dx, al
            0xEB, 0xF8,             // jmp next
            .. s_exit,
            .. System.Text.Encoding.ASCII.GetBytes(Message + "\0"),
        ];
        return Kernel(code);
    }

    // Waits for 20 ticks.
    private PcOptions Ticking() => Ticking([0xF4, 0x83, 0xF9, 0x14, 0x72, 0xFA, 0xFA]); // wait: hlt; cmp ecx, 20; jb wait; cli

    private PcOptions Ticking(byte[] wait)
    {
        // An interrupt descriptor table of one gate, for vector 20h, built in front of the code's end; counter 0 at 1 kHz.
        const uint Table = 0x30_0000;
        byte[] setUp =
        [
            0xBC, .. BitConverter.GetBytes(0x31_0000u),                                  // mov esp, 310000h
            0xC7, 0x05, .. BitConverter.GetBytes(Table + 0x100), 0, 0, 0x10, 0,           // mov dword [table + 100h], 10h << 16 | handler (low half below)
            0x66, 0xC7, 0x05, .. BitConverter.GetBytes(Table + 0x100), 0, 0,              // mov word [table + 100h], handler
            0xC7, 0x05, .. BitConverter.GetBytes(Table + 0x104), 0, 0x8E, 0x20, 0,        // mov dword [table + 104h], 00208E00h
            0x66, 0xC7, 0x05, .. BitConverter.GetBytes(Table - 8), 0x07, 0x01,            // mov word [table - 8], 107h
            0xC7, 0x05, .. BitConverter.GetBytes(Table - 6), .. BitConverter.GetBytes(Table),
            0x0F, 0x01, 0x1D, .. BitConverter.GetBytes(Table - 8),                        // lidt [table - 8]
            0xB0, 0x11, 0xE6, 0x20, 0xB0, 0x20, 0xE6, 0x21, 0xB0, 0x04, 0xE6, 0x21, 0xB0, 0x01, 0xE6, 0x21, 0xB0, 0xFE, 0xE6, 0x21,
            0xB0, 0x34, 0xE6, 0x43, 0xB0, 0xA9, 0xE6, 0x40, 0xB0, 0x04, 0xE6, 0x40,
            0x31, 0xC9, 0xFB,                                                             // xor ecx, ecx; sti
            .. wait,
            .. s_exit,
        ];
        byte[] handler =
        [
            0x50, 0x52, 0x41, 0x0F, 0x31,                                                 // push eax; push edx; inc ecx; rdtsc
            0x66, 0xBA, 0xF8, 0x03, 0xEE, 0xB0, 0x20, 0xE6, 0x20,                         // mov dx, 3F8h; out dx, al; mov al, 20h; out 20h, al
            0x5A, 0x58, 0xCF,                                                             // pop edx; pop eax; iret
        ];
        var at = Code + (uint)setUp.Length;
        BitConverter.GetBytes((ushort)at).CopyTo(setUp, 5 + 10 + 7);
        setUp[5 + 10 + 9 + 8] = (byte)(at >> 16);
        return Kernel([.. setUp, .. handler]);
    }

    private PcOptions Kernel(byte[] code) => new() { Kernel = new KernelOptions(Write($"kernel{Guid.NewGuid():n}", KernelBuilder.Multiboot(code))) };

    private static MachineEnd Run(PcOptions options, bool translated, MemoryChannel channel) => Run(options, translated, channel, out _);

    private static unsafe MachineEnd Run(PcOptions options, bool translated, MemoryChannel channel, out ulong instructions)
    {
        using var machine = new PcMachine(options with
        {
            Memory = 32 << 20,
            Serial = [channel],
            Devices = [.. options.Devices, new DebugExitDevice(0x501, 2)],
            TranslatorFactory = translated ? Translator : null,
        });
        var end = machine.Run();
        instructions = machine.Processor.State->Execution.InstructionCount;
        return end;
    }

    private static ITranslator Translator() =>
        new Translator(new TranslatorOptions(Threshold: 0, Background: false, CountInstructions: true, Access: AccessForm.Lookaside));

    private string Write(string name, byte[] bytes)
    {
        var path = Path.Join(_folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>Takes its time.</summary>
    private sealed class SlowChannel : Channel
    {
        public override void Write(ReadOnlySpan<byte> bytes) => Thread.Sleep(5);
    }
}
