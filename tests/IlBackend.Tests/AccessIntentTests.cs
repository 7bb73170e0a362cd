using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Memory;
using ExitCause = DynaTrans.Frontend.Ir.ExitCause;

namespace DynaTrans.IlBackend.Tests;

/// <summary>
/// What a fault reports beyond its address, by every executor: W of a read that is written back, U, #SS of what is relative to SS, and the
/// trap #OF. The values are those of a CPU.
/// </summary>
public sealed unsafe class AccessIntentTests
{
    private const int Rounds = 200;
    private const ulong ReadOnly = BareMachine.Data + 0x7000, NotMapped = BareMachine.Data + 0x8000, NotCanonical = 0x8000_0000_0000;
    private const uint Present = 1, Write = 2, User = 4;

    private static readonly Engine[] s_engines = [Engine.Interpreter, Engine.Jit, Engine.Warm];

    // Operands at rbx.
    public static TheoryData<Engine, string, ulong, uint, ulong> PageFaults => Each(
        ("488B03", ReadOnly + 0xFFC, User, NotMapped), // mov rax, [rbx]
        ("488903", ReadOnly + 0xFFC, User | Write | Present, ReadOnly + 0xFFC), // mov [rbx], rax
        ("48FF03", ReadOnly, User | Write | Present, ReadOnly), // inc qword [rbx]
        ("480103", ReadOnly + 0xFFC, User | Write | Present, ReadOnly + 0xFFC), // add [rbx], rax
        ("480103", ReadOnly - 4, User | Write | Present, ReadOnly),
        ("480103", NotMapped, User | Write, NotMapped),
        ("48D323", ReadOnly + 0xFFC, User | Write | Present, ReadOnly + 0xFFC), // shl qword [rbx], cl
        ("48D303", NotMapped, User | Write, NotMapped), // rol qword [rbx], cl
        ("D113", NotMapped, User | Write, NotMapped), // rcl dword [rbx], 1
        ("0FA50B", NotMapped, User | Write, NotMapped), // shld [rbx], ecx, cl
        ("F713", NotMapped, User | Write, NotMapped), // not dword [rbx]
        ("F71B", NotMapped, User | Write, NotMapped), // neg dword [rbx]
        ("0FC103", NotMapped, User | Write, NotMapped), // xadd [rbx], eax
        ("0FB10B", ReadOnly, User | Write | Present, ReadOnly), // cmpxchg [rbx], ecx
        ("0FA303", NotMapped - 0x2000, User, NotMapped), // bt [rbx], eax (eax = 0x10000)
        ("0FAB03", NotMapped - 0x2000, User | Write, NotMapped), // bts [rbx], eax
        ("0FB303", ReadOnly - 0x2000, User | Write | Present, ReadOnly), // btr [rbx], eax
        ("F0480103", ReadOnly + 0xFFC, User | Write | Present, ReadOnly + 0xFFC), // lock add [rbx], rax
        ("488703", NotMapped, User | Write, NotMapped), // xchg [rbx], rax
        ("480FC70B", ReadOnly, User | Write | Present, ReadOnly), // cmpxchg16b [rbx]
        ("833B00", NotMapped, User, NotMapped), // cmp dword [rbx], 0
        ("DD03", NotMapped, User, NotMapped), // fld qword [rbx]
        ("DD1B", ReadOnly, User | Write | Present, ReadOnly)); // fstp qword [rbx]

    // Operands at rbp.
    public static TheoryData<Engine, string, ulong, int> NotCanonicalAddresses => Each(
        ("488B4500", NotCanonical, ExceptionVector.StackFault), // mov rax, [rbp]
        ("3E488B4500", NotCanonical, ExceptionVector.StackFault), // the same with a prefix of DS, which 64-bit mode ignores
        ("64488B4500", NotCanonical, ExceptionVector.GeneralProtection), // mov rax, fs:[rbp]
        ("0FBE4500", NotCanonical, ExceptionVector.StackFault), // movsx eax, byte [rbp]
        ("488B042F", NotCanonical, ExceptionVector.GeneralProtection), // mov rax, [rdi+rbp]
        ("66884500", NotCanonical, ExceptionVector.StackFault), // mov [rbp], al
        ("48FF4500", NotCanonical, ExceptionVector.StackFault), // inc qword [rbp]
        ("F048014500", NotCanonical, ExceptionVector.StackFault), // lock add [rbp], rax
        ("488745F8", NotCanonical, ExceptionVector.PageFault), // xchg [rbp-8], rax: the last canonical bytes
        ("48874500", NotCanonical, ExceptionVector.StackFault), // xchg [rbp], rax
        ("0FAB4500", NotCanonical, ExceptionVector.StackFault), // bts [rbp], eax
        ("0FC74D00", NotCanonical, ExceptionVector.StackFault), // cmpxchg8b [rbp]
        ("480FC74D00", NotCanonical + 1, ExceptionVector.GeneralProtection), // cmpxchg16b [rbp], not aligned
        ("480FC74D00", NotCanonical, ExceptionVector.StackFault), // cmpxchg16b [rbp]
        ("0F284500", NotCanonical, ExceptionVector.StackFault), // movaps xmm0, [rbp]
        ("0F284500", NotCanonical + 1, ExceptionVector.GeneralProtection), // movaps xmm0, [rbp], not aligned
        ("0F104500", NotCanonical + 1, ExceptionVector.StackFault), // movups xmm0, [rbp]
        ("0F294500", NotCanonical, ExceptionVector.StackFault), // movaps [rbp], xmm0
        ("F30F584500", NotCanonical, ExceptionVector.StackFault), // addss xmm0, [rbp]
        ("660F3A63450000", NotCanonical, ExceptionVector.StackFault), // pcmpistri xmm0, [rbp], 0
        ("DD4500", NotCanonical, ExceptionVector.StackFault), // fld qword [rbp]
        ("DB6D00", NotCanonical, ExceptionVector.StackFault), // fld tbyte [rbp]
        ("DC4500", NotCanonical, ExceptionVector.StackFault), // fadd qword [rbp]
        ("DD5D00", NotCanonical, ExceptionVector.StackFault), // fstp qword [rbp]
        ("64DD4500", NotCanonical, ExceptionVector.GeneralProtection), // fld qword fs:[rbp]
        ("D96D00", NotCanonical, ExceptionVector.StackFault), // fldcw [rbp]
        ("D97500", NotCanonical, ExceptionVector.StackFault), // fnstenv [rbp]
        ("0FAE4500", NotCanonical, ExceptionVector.StackFault), // fxsave [rbp]
        ("0FAE5500", NotCanonical, ExceptionVector.StackFault), // ldmxcsr [rbp]
        ("8F4500", NotCanonical, ExceptionVector.StackFault), // pop qword [rbp]
        ("FF7500", NotCanonical, ExceptionVector.StackFault)); // push qword [rbp]

    [Theory]
    [MemberData(nameof(PageFaults))]
    public void PageFaultsTellWhatTheAccessWasFor(Engine engine, string code, ulong address, uint error, ulong fault)
    {
        using var m = new BareMachine(engine);
        Run(m, code, 0xDC, address); // cmove rbx, r12
        Assert.Equal(
            (ExceptionVector.PageFault, error, fault),
            (m.State->Execution.ExceptionVector, m.State->Execution.ExceptionError, m.State->Execution.FaultAddress));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    [InlineData(Engine.Warm)]
    public void TheSupervisorsAccessesAreNotTheUsers(Engine engine)
    {
        using var m = new BareMachine(engine);
        m.State->Mode = (ushort)(GuestMode.Linux64 & ~GuestMode.User);
        Run(m, "48FF03", 0xDC, ReadOnly);
        Assert.Equal(Write | Present, m.State->Execution.ExceptionError);
    }

    [Theory]
    [MemberData(nameof(NotCanonicalAddresses))]
    public void WhatIsRelativeToSsRaisesStackFaults(Engine engine, string code, ulong address, int vector)
    {
        using var m = new BareMachine(engine);
        Run(m, code, 0xEC, address); // cmove rbp, r12
        var error = vector == ExceptionVector.PageFault ? User | Write : 0;
        Assert.Equal((vector, error), (m.State->Execution.ExceptionVector, m.State->Execution.ExceptionError));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    [InlineData(Engine.Warm)]
    public void ArplReadsFirst(Engine engine)
    {
        foreach (var (address, error) in new[] { (NotMapped, User), (ReadOnly, User | Write | Present) })
        {
            using var m = new BareMachine(engine, is64: false);
            m.Space.Protect(ReadOnly, AddressSpace.PageSize, PagePermission.Read);
            m.State->Slots[Slot.Rax] = 3;
            m.State->Slots[Slot.Rbx] = address;
            m.Space.Write(BareMachine.Code, Convert.FromHexString("6303CC")); // arpl [ebx], ax
            Assert.Equal(ExitCause.Exception, m.Cpu.Run());
            Assert.Equal((error, address), (m.State->Execution.ExceptionError, m.State->Execution.FaultAddress));
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    [InlineData(Engine.Warm)]
    public void IntoIsATrap(Engine engine)
    {
        using var m = new BareMachine(engine, is64: false, countInstructions: true);

        // mov ecx, 200; l: xor edx, edx; cmp ecx, 1; sete dl; mov eax, 0x7fffffff; add eax, edx; into; dec ecx; jne l
        var code = "B9C8000000" + "31D2" + "83F901" + "0F94C2" + "B8FFFFFF7F" + "01D0" + "CE" + "49" + "75ED" + "CC";
        m.Space.Write(BareMachine.Code, Convert.FromHexString(code));
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal(ExceptionVector.Overflow, m.State->Execution.ExceptionVector);
        Assert.Equal((BareMachine.Code + 21, 1UL, 0x80000000UL), (m.State->Slots[Slot.Rip], m.State->Slots[Slot.Rcx], m.State->Slots[Slot.Rax]));
        Assert.Equal(1 + (8UL * (Rounds - 1)) + 6, m.State->Execution.InstructionCount);
    }

    // The instruction in a loop, whose address register becomes the bad address for the last round.
    private static void Run(BareMachine m, string code, byte modRm, ulong address)
    {
        m.Space.Protect(ReadOnly, AddressSpace.PageSize, PagePermission.Read);
        var length = code.Length / 2;
        byte[] loop =
        [
            0xB8, 0, 0, 1, 0, // mov eax, 0x10000
            0x83, 0xFE, 1, // cmp esi, 1
            0x49, 0x0F, 0x44, modRm, // cmove
            .. Convert.FromHexString(code),
            0xDB, 0xE3, // fninit
            0xFF, 0xCE, // dec esi
            0x75, (byte)-(18 + length), // jne
            0xCC,
        ];
        m.Space.Write(BareMachine.Code, loop);
        m.State->Slots[Slot.Rsi] = Rounds;
        m.State->Slots[Slot.Rcx] = 3;
        m.State->Slots[Slot.Rbx] = m.State->Slots[Slot.Rbp] = BareMachine.Data + 0x1000;
        m.State->Slots[Slot.R8 + 4] = address;
        m.State->Slots[Slot.Rsp] = BareMachine.Stack - 0x1000;
        Assert.Equal(ExitCause.Exception, m.Cpu.Run());
        Assert.Equal((BareMachine.Code + 12, 1UL), (m.State->Slots[Slot.Rip], (uint)m.State->Slots[Slot.Rsi]));
    }

    private static TheoryData<Engine, T1, T2, T3, T4> Each<T1, T2, T3, T4>(params (T1, T2, T3, T4)[] cases)
    {
        var data = new TheoryData<Engine, T1, T2, T3, T4>();
        foreach (var engine in s_engines)
            foreach (var (a, b, c, d) in cases)
                data.Add(engine, a, b, c, d);
        return data;
    }

    private static TheoryData<Engine, T1, T2, T3> Each<T1, T2, T3>(params (T1, T2, T3)[] cases)
    {
        var data = new TheoryData<Engine, T1, T2, T3>();
        foreach (var engine in s_engines)
            foreach (var (a, b, c) in cases)
                data.Add(engine, a, b, c);
        return data;
    }
}
