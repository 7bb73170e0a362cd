using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.Tests.Interrupts.SystemMachine;

namespace DynaTrans.Runtime.Tests.Interrupts;

/// <summary>Far calls and jumps through call gates, and far returns to an outer level (SDM Vol. 3, 5.8.3 to 5.8.6).</summary>
public sealed unsafe class CallGateTests
{
    private const uint Flags = Eflags.IF | 2;
    private const int Ring3 = 0x60;
    private const ushort Gate = Free;

    // call far 88:0; jmp far 88:0.
    private const string Call = "9A 00 00 00 00 8B 00", Jump = "EA 00 00 00 00 8B 00";

    // Two parameters are copied; the return removes them on both stacks.
    [Theory]
    [InlineData(CallGate, 4, "CA 08 00")]
    [InlineData(CallGate16, 2, "66 CA 04 00")]
    public void CallToAnInnerLevelCopiesParameters(int type, int size, string ret)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Protected);
            SetGate(m, type | Ring3, Code0, 0x9000, 2);
            m.Write("90 " + ret, 0x9000);
            m.Write("68 44 33 22 11 68 88 77 66 55" + Call + "0F 0B", 0xA000);
            m.EnterLevel(3, 0xA000);
            m.RunToHandler(ExceptionVector.InvalidOpcode);
            var top = Stack3 - 8;
            var parameters = size == 4 ? new ulong[] { 0x55667788, 0x11223344 } : [0x7788, 0x5566];
            Assert.Equal(
                [0xA011, Code3 | 3, .. parameters, top & (size == 4 ? uint.MaxValue : 0xFFFF), Data3 | 3],
                CalleeFrame(translated, type, size));
            Assert.Equal([0xA011, Code3 | 3, Flags | Eflags.RF], m.Frame(m[Slot.Rsp], 4, 3));
            Assert.Equal(size == 4 ? Stack3 : (Stack3 & 0xFFFF) - 4, m.Read(m[Slot.Rsp] + 12, 4) & (size == 4 ? uint.MaxValue : 0xFFFFu));
        }
    }

    // The frame as the callee finds it.
    private static ulong[] CalleeFrame(bool translated, int type, int size)
    {
        using var m = new SystemMachine(translated, SystemMode.Protected);
        SetGate(m, type | Ring3, Code0, 0x9000, 2);
        m.Write("F4", 0x9000);
        m.Write("68 44 33 22 11 68 88 77 66 55" + Call, 0xA000);
        m.EnterLevel(3, 0xA000);
        Assert.Equal(ExitCause.Halt, m.Run());
        Assert.Equal((0x9001UL, Stack0 - (ulong)(6 * size), Code0, Data0), (m[Slot.Rip], m[Slot.Rsp], m.State->Cs.Selector, m.State->Ss.Selector));
        return m.Frame(m[Slot.Rsp], size, 6);
    }

    // At the same level, and into conforming code, the gate gives only the target.
    [Theory]
    [InlineData(Code3, 3)]
    [InlineData(Conforming0, 3)]
    public void GateToTheSameLevel(ushort code, int level)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Protected);
            SetGate(m, CallGate | Ring3, code, UserCode + 0x100, 3);
            m.Write("0F 0B", UserCode + 0x100);
            m.Write(Call, UserCode);
            m.EnterLevel(3);
            m.RunToHandler(ExceptionVector.InvalidOpcode);
            Assert.Equal([UserCode + 0x100, (ulong)(uint)(code | level), Flags | Eflags.RF, Stack3 - 8], m.Frame(m[Slot.Rsp], 4, 4));
            Assert.Equal([UserCode + 7, Code3 | 3], m.Frame(Stack3 - 8, 4, 2));
        }
    }

    // A jump keeps the level: to other code of it only.
    [Theory]
    [InlineData(Code3, -1, 0)]
    [InlineData(Conforming0, -1, 0)]
    [InlineData(Code0, ExceptionVector.GeneralProtection, Code0)]
    public void JumpThroughAGate(ushort code, int vector, uint error)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Protected);
            SetGate(m, CallGate | Ring3, code, UserCode + 0x100);
            m.Write("0F 0B", UserCode + 0x100);
            m.Write(Jump, UserCode);
            m.EnterLevel(3);
            m.RunToHandler(vector < 0 ? ExceptionVector.InvalidOpcode : vector);
            if (vector < 0)
                Assert.Equal([UserCode + 0x100, code | 3u], m.Frame(m[Slot.Rsp], 4, 2));
            else
                Assert.Equal([error, UserCode, Code3 | 3], m.Frame(m[Slot.Rsp], 4, 3));
        }
    }

    // The checks of the gate and of the code behind it, from ring 3; the selector of the instruction has RPL 3.
    [Theory]
    [InlineData(CallGate, Code0, ExceptionVector.GeneralProtection, Gate)]
    [InlineData(0x0C | Ring3, Code0, ExceptionVector.SegmentNotPresent, Gate)]
    [InlineData(0x80 | Ring3, Code0, ExceptionVector.GeneralProtection, Gate)]
    [InlineData(InterruptGate | Ring3, Code0, ExceptionVector.GeneralProtection, Gate)]
    [InlineData(0x82 | Ring3, Code0, ExceptionVector.GeneralProtection, Gate)]
    [InlineData(CallGate | Ring3, 0, ExceptionVector.GeneralProtection, 0)]
    [InlineData(CallGate | Ring3, 0x1008, ExceptionVector.GeneralProtection, 0x1008)]
    [InlineData(CallGate | Ring3, Data0, ExceptionVector.GeneralProtection, Data0)]
    [InlineData(CallGate | Ring3, 0x90, ExceptionVector.SegmentNotPresent, 0x90)]
    [InlineData(CallGate | Ring3, 0x98, ExceptionVector.GeneralProtection, 0)]
    public void BadGatesRaiseTheirException(int type, ushort code, int vector, uint error)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Protected);
            m.SetDescriptor(0x90, 0x00CF1B000000FFFF);
            m.SetDescriptor(0x98, 0x00409B0000000FFF);
            SetGate(m, type, code, UserCode + 0x100);
            m.Write(Call, UserCode);
            m.EnterLevel(3);
            m.RunToHandler(vector);
            Assert.Equal([error, UserCode, Code3 | 3, Flags | Eflags.RF, Stack3], m.Frame(m[Slot.Rsp], 4, 5));
        }
    }

    // 64-bit gates: 16 bytes, SS null, nothing copied, no alignment. call far [rip + 0].
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void LongModeGate(bool translated)
    {
        using var m = new SystemMachine(translated, SystemMode.Long);
        SetGate(m, CallGate | Ring3, Code64, Data);
        m.Write("48 8B 04 24 48 FF C1 48 CB", Data);
        m.Write("FF 1D 0A 00 00 00 0F 0B", UserCode);
        m.Write("00 00 00 00 8B 00", UserCode + 16);
        m.Write64(Tss + 4, Stack0 - 5);
        m.SetGate(ExceptionVector.InvalidOpcode, InterruptGate, Code64, Handler(ExceptionVector.InvalidOpcode), stackIndex: 1);
        m.EnterLevel(3);
        m.RunToHandler(ExceptionVector.InvalidOpcode);
        Assert.Equal((UserCode + 6, 1UL), (m[Slot.Rax], m[Slot.Rcx]));
        Assert.Equal([UserCode + 6, UserCode64 | 3, Flags | Eflags.RF, Stack3, Data3 | 3], m.Frame(m[Slot.Rsp], 8, 5));
        Assert.Equal([UserCode + 6, UserCode64 | 3, Stack3, Data3 | 3], m.Frame(Stack0 - 5 - 32, 8, 4));
    }

    [Theory]
    [InlineData(CallGate16 | Ring3, Code64, 0UL, ExceptionVector.GeneralProtection, Gate)]
    [InlineData(TaskGate | Ring3, Code64, 0UL, ExceptionVector.GeneralProtection, Gate)]
    [InlineData(0x89 | Ring3, Code64, 0UL, ExceptionVector.GeneralProtection, Gate)]
    [InlineData(CallGate | Ring3, Code64, 0x100UL << 32, ExceptionVector.GeneralProtection, Gate)]
    [InlineData(CallGate | Ring3, Code0, 0UL, ExceptionVector.GeneralProtection, Code0)]
    [InlineData(CallGate | Ring3, Code64, 0x8000UL, ExceptionVector.GeneralProtection, 0)]
    public void BadLongModeGates(int type, ushort code, ulong upper, int vector, uint error)
    {
        foreach (var translated in (ReadOnlySpan<bool>)[false, true])
        {
            using var m = new SystemMachine(translated, SystemMode.Long);
            SetGate(m, type, code, Data);
            m.Write64(Gdt + Gate + 8, upper);
            m.Write("FF 1D 0A 00 00 00 0F 0B", UserCode);
            m.Write("00 00 00 00 8B 00", UserCode + 16);
            m.EnterLevel(3);
            m.RunToHandler(vector);
            Assert.Equal([error, UserCode, UserCode64 | 3, Flags | Eflags.RF, Stack3], m.Frame(m[Slot.Rsp], 8, 5));
        }
    }

    private static void SetGate(SystemMachine m, int type, ushort code, ulong offset, int parameters = 0)
    {
        m.SetDescriptor(Gate, GateBits(type, code, offset, parameters).Low);
        if (m.Mode == SystemMode.Long)
            m.Write64(Gdt + Gate + 8, offset >> 32);
    }
}
