using Iced.Intel;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Conformance.Native;

/// <summary>Checks the oracle itself on cases whose result is written down here by hand.</summary>
public unsafe class NativeCpuTests
{
    private const ulong Flags = 0x202;

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void AddSetsRegistersAndFlags(bool is32)
    {
        var cpu = Get();
        lock (cpu.Gate)
        {
            var s = Start(cpu, is32, [0x01, 0xD8]);
            s.Gpr[0] = 0x7FFFFFFF;
            s.Gpr[3] = 1;
            Run(cpu, s, is32, 2);
            Assert.Equal(-1, cpu.Output.Vector);
            Assert.Equal(0x80000000UL, cpu.Output.Gpr[0]);
            Assert.Equal(0x894UL, cpu.Output.Rflags & 0x8D5);
            Assert.Equal(TestMemory.CodeStart + 2UL, cpu.Output.Rip);
        }
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void AllRegistersSurviveANop(bool is32)
    {
        var cpu = Get();
        lock (cpu.Gate)
        {
            var s = Start(cpu, is32, [0x90]);
            for (var i = 0; i < 16; i++) s.Gpr[i] = i == 4 ? s.Gpr[4] : is32 ? (uint)(0x01020304u * (uint)i) : 0x0102030405060708UL * (ulong)i;
            for (var i = 0; i < 16; i++) (s.Xmm(i, 0), s.Xmm(i, 1)) = ((ulong)i * 3, ~(ulong)i);
            for (var i = 0; i < 8; i++) (s.StSignificand(i), s.StExponent(i)) = (0x8000000000000000 + (ulong)i, (ushort)(0x3FFF + i));
            s.Ftw = 0xFF;
            s.Fsw = 3 << 11;
            s.Rflags = Flags | 0x8D5;
            Run(cpu, s, is32, 1);
            for (var i = 0; i < (is32 ? 8 : 16); i++) Assert.Equal(s.Gpr[i], cpu.Output.Gpr[i]);
            for (var i = 0; i < (is32 ? 8 : 16); i++) Assert.Equal((s.Xmm(i, 0), s.Xmm(i, 1)), (cpu.Output.Xmm(i, 0), cpu.Output.Xmm(i, 1)));
            for (var i = 0; i < 8; i++) Assert.Equal((s.StSignificand(i), s.StExponent(i)), (cpu.Output.StSignificand(i), cpu.Output.StExponent(i)));
            Assert.Equal((s.Rflags, s.Fsw, s.Ftw, s.Fcw, s.Mxcsr), (cpu.Output.Rflags, cpu.Output.Fsw, cpu.Output.Ftw, cpu.Output.Fcw, cpu.Output.Mxcsr));
        }
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void ExceptionsComeBackWithRegistersAndAddress(bool is32)
    {
        var cpu = Get();
        lock (cpu.Gate)
        {
            Check([0xF7, 0xF1], 0, 0, 0);                                   // div ecx, by zero
            Check([0x0F, 0x0B], 6, 0, 0);                                   // ud2
            Check([0xF4], 13, 0, 0);                                        // hlt
            Check([0x8B, 0x03], 14, 4, TestMemory.DataEnd);                 // mov eax,[ebx], unmapped
            Check([0x89, 0x03], 14, 6, TestMemory.DataEnd);                 // mov [ebx],eax, unmapped
            Check([0x89, 0x06], 14, 7, TestMemory.ReadOnly);                // mov [esi],eax, read-only
            Check([0xCC], 3, 0, 0, 1);                                      // int3 reports the address after itself
            Check([0xFF, 0xE3], 14, 0x14, TestMemory.DataEnd, (long)TestMemory.DataEnd - TestMemory.CodeStart); // jmp ebx
            Check([0x0F, 0x28, 0x47, 0x01], 13, 0, 0);                      // movaps xmm0,[edi+1]
        }

        void Check(byte[] code, long vector, ulong error, ulong address, long ripDelta = 0)
        {
            var s = Start(cpu, is32, code);
            s.Gpr[3] = TestMemory.DataEnd;
            s.Gpr[6] = TestMemory.ReadOnly;
            s.Gpr[7] = TestMemory.Data;
            s.Gpr[5] = 0x12345678;
            Run(cpu, s, is32, code.Length);
            Assert.Equal(vector, cpu.Output.Vector);
            Assert.Equal(error, cpu.Output.ErrorCode);
            if (vector == 14) Assert.Equal(address, cpu.Output.FaultAddress);
            Assert.Equal((ulong)(TestMemory.CodeStart + ripDelta), cpu.Output.Rip);
            for (var i = 0; i < 8; i++) Assert.Equal(s.Gpr[i], cpu.Output.Gpr[i]);
        }
    }

    [SkippableFact]
    public void UnmaskedFloatingPointExceptionsComeBack()
    {
        var cpu = Get();
        lock (cpu.Gate)
        {
            var s = Start(cpu, false, [0xF3, 0x0F, 0x5E, 0xC1]);            // divss xmm0,xmm1
            s.Xmm(0, 0) = 0x3F800000;
            s.Mxcsr = 0x1F80 & ~0x200u;
            Run(cpu, s, false, 4);
            Assert.Equal(19, cpu.Output.Vector);
            Assert.Equal(0x1D84u, cpu.Output.Mxcsr);

            s = Start(cpu, false, [0xD9, 0xE8]);                            // fld1 with a pending invalid operation
            s.Fcw = 0x37E;
            s.Fsw = 0x8081;
            Run(cpu, s, false, 2);
            Assert.Equal(16, cpu.Output.Vector);
        }
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void SegmentBasesApply(bool is32)
    {
        var cpu = Get();
        Skip.If(is32 && !cpu.HasSegments32, "the kernel refuses LDT segments");
        lock (cpu.Gate)
        {
            NativeCpu.Memory(TestMemory.Data, 8).Fill(0x5A);
            NativeCpu.Memory(TestMemory.Data + 8, 8).Fill(0xA5);
            var s = Start(cpu, is32, [0x64, 0x8B, 0x01, 0x65, 0x8B, 0x12]); // mov eax,fs:[ecx]; mov edx,gs:[edx]
            s.FsBase = TestMemory.FsBase;
            s.GsBase = TestMemory.GsBase;
            s.Gpr[1] = TestMemory.Data - TestMemory.FsBase;
            s.Gpr[2] = TestMemory.Data + 8 - TestMemory.GsBase;
            Run(cpu, s, is32, 6);
            Assert.Equal((0x5A5A5A5AUL, 0xA5A5A5A5UL), (cpu.Output.Gpr[0], cpu.Output.Gpr[2]));
        }
    }

    [SkippableFact]
    public void FaultsOfTheRuntimeStillReachIt()
    {
        _ = Get();
        string? nothing = null;
        Assert.Throws<NullReferenceException>(() => nothing!.Length);
        var zero = 0;
        Assert.Throws<DivideByZeroException>(() => 1 / zero);
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void ArithmeticAgreesWithManagedCode(bool is32)
    {
        var cpu = Get();
        var random = new Random(7);
        lock (cpu.Gate)
        {
            for (var i = 0; i < 500; i++)
            {
                var (a, b) = ((uint)random.NextInt64(1L << 32), (uint)random.NextInt64(1L << 32));
                var asm = new Assembler(is32 ? 32 : 64);
                asm.mov(esi, eax);
                asm.imul(esi, ebx);
                asm.mov(edi, eax);
                asm.xor(edi, ebx);
                asm.rol(ebx, 7);
                asm.mov(__dword_ptr[TestMemory.Data + 16], ebx);
                var code = new MemoryStream();
                asm.Assemble(new StreamCodeWriter(code), TestMemory.CodeStart);
                var s = Start(cpu, is32, code.ToArray());
                (s.Gpr[0], s.Gpr[3]) = (a, b);
                Run(cpu, s, is32, (int)code.Length);
                Assert.Equal((-1L, (ulong)(a * b), (ulong)(a ^ b)), (cpu.Output.Vector, cpu.Output.Gpr[6], cpu.Output.Gpr[7]));
                Assert.Equal(uint.RotateLeft(b, 7), *(uint*)(TestMemory.Data + 16));
            }
        }
    }

    private static NativeCpu Get()
    {
        var cpu = NativeCpu.TryGet(out var reason);
        Skip.If(cpu is null, reason);
        return cpu!;
    }

    private static MachineState Start(NativeCpu cpu, bool is32, byte[] code)
    {
        cpu.WriteCode(TestMemory.CodeStart, code, is32);
        var s = new MachineState { Rip = TestMemory.CodeStart, Rflags = Flags, Fcw = 0x37F, Mxcsr = 0x1F80 };
        s.Gpr[4] = TestMemory.Stack + TestMemory.PageSize;
        return s;
    }

    private static void Run(NativeCpu cpu, MachineState s, bool is32, int length)
    {
        cpu.Input = s;
        cpu.Run(is32, TestMemory.CodeStart + (ulong)length);
    }
}
