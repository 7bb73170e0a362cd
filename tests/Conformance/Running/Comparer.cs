using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;
using Iced.Intel;

namespace DynaTrans.Conformance.Running;

/// <summary>Compares the ends of a case in everything that the architecture defines.</summary>
public static unsafe class Comparer
{
    private const int PageFault = 14;
    private const int StackPointer = 4;

    private const ushort PrecisionAndRounding = 0x220;

    private static readonly string[] s_names = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    /// <summary>The first difference of <paramref name="actual"/> from <paramref name="expected"/>, or null when they agree.</summary>
    public static string? FirstDifference(Encoding encoding, CaseData start, CaseData expected, CaseData actual)
    {
        ref var e = ref expected.State;
        ref var a = ref actual.State;
        if (AmdHost.IsHost && e.Vector != a.Vector && AmdHost.TakesAnotherFault(encoding, start, expected, actual)) return null;
        if (e.Vector != a.Vector) return $"vector: host {e.Vector}, here {a.Vector} (host error {e.ErrorCode:x}, address {e.FaultAddress:x})";
        if (e.Rip != a.Rip) return Hex("rip", e.Rip, a.Rip);
        // In the half of the address space that belongs to the host's kernel pages may be present: bit 0 of a page fault's error code.
        var present = e.Vector == PageFault && e.FaultAddress > long.MaxValue ? 1u : 0;
        if (e.Vector >= 0 && ((e.ErrorCode ^ a.ErrorCode) & ~present) != 0) return Hex("error code", e.ErrorCode, a.ErrorCode);
        if (e.Vector == PageFault && !DefinedState.IsMaskedStore(encoding.Instruction.Mnemonic) && e.FaultAddress != a.FaultAddress) return Hex("fault address", e.FaultAddress, a.FaultAddress);
        var undefined = DefinedState.UndefinedRegister(encoding, expected);
        for (var i = 0; i < (encoding.Is32 ? 8 : 16); i++)
            if (((e.Gpr[i] ^ a.Gpr[i]) & DefinedState.RegisterMask(encoding, start, expected, i)) != 0 && i != undefined && !(e.Vector >= 0 && i != StackPointer && DefinedState.IsPopAll(encoding.Instruction.Mnemonic)))
                return Hex(s_names[i], e.Gpr[i], a.Gpr[i]);
        var flags = DefinedState.Flags(encoding, start);
        if (((e.Rflags ^ a.Rflags) & flags) != 0) return Hex("flags", e.Rflags & flags, a.Rflags & flags);
        return Memory(encoding, start, expected, actual) ?? Vectors(encoding, ref e, ref a) ?? FloatingPoint(encoding, ref e, ref a);
    }

    private static string Hex(string what, ulong expected, ulong actual) => $"{what}: host {expected:x}, here {actual:x}";

    private static string? Memory(Encoding encoding, CaseData start, CaseData expected, CaseData actual)
    {
        if (expected.Data.AsSpan().SequenceEqual(actual.Data) && expected.Stack.AsSpan().SequenceEqual(actual.Stack)) return null;
        if (AmdHost.IsHost && AmdHost.MayHaveStored(encoding, start, expected) is > 0 and var stored)
        {
            var operand = encoding.Memory!.Address(ref start.State);
            expected.At(operand, stored).CopyTo(actual.At(operand, stored));
        }
        var (address, ranges) = DefinedState.ModelSpecificBytes(encoding, start);
        foreach (var (from, to) in ranges)
        {
            var source = expected.At(address + (ulong)from, to - from);
            if (!source.IsEmpty) source.CopyTo(actual.At(address + (ulong)from, to - from));
        }
        return Bytes(TestMemory.Data, expected.Data, actual.Data) ?? Bytes(TestMemory.Stack, expected.Stack, actual.Stack);
    }

    private static string? Bytes(uint address, byte[] expected, byte[] actual)
    {
        var at = expected.AsSpan().CommonPrefixLength(actual);
        if (at == expected.Length) return null;
        var length = Math.Min(16, expected.Length - at);
        return $"memory at {address + at:x}: host {Convert.ToHexString(expected, at, length)}, here {Convert.ToHexString(actual, at, length)}";
    }

    private static string? Vectors(Encoding encoding, ref MachineState e, ref MachineState a)
    {
        var approximate = DefinedState.IsApproximation(encoding.Instruction.Mnemonic);
        for (var i = 0; i < (encoding.Is32 ? 8 : 16); i++)
        {
            for (var half = 0; half < 2; half++)
            {
                if (e.Xmm(i, half) == a.Xmm(i, half)) continue;
                if (approximate && Near((uint)e.Xmm(i, half), (uint)a.Xmm(i, half)) && Near((uint)(e.Xmm(i, half) >> 32), (uint)(a.Xmm(i, half) >> 32))) continue;
                return $"xmm{i}: host {e.Xmm(i, 1):x16}{e.Xmm(i, 0):x16}, here {a.Xmm(i, 1):x16}{a.Xmm(i, 0):x16}";
            }
        }
        if (e.Mxcsr == a.Mxcsr) return null;
        return Hex("mxcsr", e.Mxcsr, a.Mxcsr);
    }

    private static bool Near(uint expected, uint actual)
    {
        var (x, y) = (BitConverter.UInt32BitsToSingle(expected), BitConverter.UInt32BitsToSingle(actual));
        return expected == actual || Math.Abs(x - y) <= 3.0 / 4096 * Math.Abs(x);
    }

    private static string? FloatingPoint(Encoding encoding, ref MachineState e, ref MachineState a)
    {
        var transcendental = DefinedState.IsTranscendental(encoding.Instruction.Mnemonic);
        // When an MMX instruction faults, the host may have switched the x87 state to MMX already.
        if (e.Vector >= 0 && DefinedState.IsMmx(encoding)) return null;
        if (e.Fcw != a.Fcw) return Hex("fcw", e.Fcw, a.Fcw);
        var status = DefinedState.StatusWord(encoding);
        if (transcendental) status &= unchecked((ushort)~PrecisionAndRounding);
        if (((e.Fsw ^ a.Fsw) & status) != 0) return Hex("fsw", (uint)(e.Fsw & status), (uint)(a.Fsw & status));
        if (e.Ftw != a.Ftw) return Hex("ftw", e.Ftw, a.Ftw);
        for (var i = 0; i < 8; i++)
        {
            if (e.StExponent(i) == a.StExponent(i) && e.StSignificand(i) == a.StSignificand(i)) continue;
            if (transcendental && UnitsApart(e.StExponent(i), e.StSignificand(i), a.StExponent(i), a.StSignificand(i)) <= 1) continue;
            return $"st{i}: host {e.StExponent(i):x4}:{e.StSignificand(i):x16}, here {a.StExponent(i):x4}:{a.StSignificand(i):x16}";
        }
        return null;
    }

    private static Int128 UnitsApart(ushort exponent1, ulong significand1, ushort exponent2, ulong significand2)
    {
        if ((exponent1 & 0x8000) != (exponent2 & 0x8000)) return Int128.MaxValue;
        return Int128.Abs(Place(exponent1, significand1) - Place(exponent2, significand2));

        // The patterns of a sign in order of magnitude; significands below 2^63 belong to exponent 0.
        static Int128 Place(ushort exponent, ulong significand) =>
            (exponent & 0x7FFF) == 0 ? (Int128)significand : ((Int128)(exponent & 0x7FFF) << 63) + (Int128)(significand & long.MaxValue);
    }
}
