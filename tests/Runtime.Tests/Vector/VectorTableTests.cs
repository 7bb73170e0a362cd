using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers.Vector;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;
using Xunit;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace DynaTrans.Runtime.Tests.Vector;

/// <summary>
/// The table of vector operations: complete, and the same whether called by pointer or by method. What the operations compute is compared
/// with the host CPU by the Conformance suite.
/// </summary>
public unsafe class VectorTableTests
{
    public static TheoryData<VecOp> Operations()
    {
        var data = new TheoryData<VecOp>();
        for (var op = VecOp.None + 1; op < VecOp.Count; op++)
            data.Add(op);
        return data;
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public void MethodHasTheSignatureOfItsKind(VecOp op)
    {
        var method = VectorTable.Method(op);
        var parameters = method.GetParameters().Select(p => p.ParameterType).ToArray();
        var (expected, result) = VectorTable.Kind(op) switch
        {
            VecKind.Binary => (new[] { typeof(V), typeof(V) }, typeof(V)),
            VecKind.BinaryImm => ([typeof(V), typeof(V), typeof(byte)], typeof(V)),
            VecKind.Unary => ([typeof(V)], typeof(V)),
            VecKind.UnaryImm => ([typeof(V), typeof(byte)], typeof(V)),
            VecKind.ToInt => ([typeof(V)], typeof(ulong)),
            VecKind.ToIntImm => ([typeof(V), typeof(byte)], typeof(ulong)),
            VecKind.BinaryToInt => ([typeof(V), typeof(V)], typeof(ulong)),
            VecKind.FromInt => ([typeof(V), typeof(ulong)], typeof(V)),
            _ => ([typeof(V), typeof(ulong), typeof(byte)], typeof(V)),
        };
        Assert.Equal(expected, parameters);
        Assert.Equal(result, method.ReturnType);
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public void PointerAndMethodAgreeForEveryImmediate(VecOp op)
    {
        var kind = VectorTable.Kind(op);
        var method = VectorTable.Method(op);
        var pointer = VectorTable.Pointer(op);
        var random = new Random(0x5EED + (int)op);
        var immediates = kind is VecKind.BinaryImm or VecKind.UnaryImm or VecKind.ToIntImm or VecKind.FromIntImm ? 256 : 1;
        for (var i = 0; i < immediates; i++)
        {
            var a = Vector128.Create((ulong)random.NextInt64(), (ulong)random.NextInt64()).AsByte();
            var b = Vector128.Create((ulong)random.NextInt64(), (ulong)random.NextInt64()).AsByte();
            var n = (ulong)random.NextInt64();
            var imm = (byte)i;
            var (arguments, expected) = kind switch
            {
                VecKind.Binary => (new object[] { a, b }, (object)((delegate*<V, V, V>)pointer)(a, b)),
                VecKind.BinaryImm => ([a, b, imm], ((delegate*<V, V, byte, V>)pointer)(a, b, imm)),
                VecKind.Unary => ([b], ((delegate*<V, V>)pointer)(b)),
                VecKind.UnaryImm => ([b, imm], ((delegate*<V, byte, V>)pointer)(b, imm)),
                VecKind.ToInt => ([b], ((delegate*<V, ulong>)pointer)(b)),
                VecKind.ToIntImm => ([b, imm], ((delegate*<V, byte, ulong>)pointer)(b, imm)),
                VecKind.BinaryToInt => ([a, b], ((delegate*<V, V, ulong>)pointer)(a, b)),
                VecKind.FromInt => ([a, n], ((delegate*<V, ulong, V>)pointer)(a, n)),
                _ => ([a, n, imm], ((delegate*<V, ulong, byte, V>)pointer)(a, n, imm)),
            };
            Assert.Equal(expected, method.Invoke(null, arguments));
        }
    }

    [Fact]
    public void UnknownOperationIsRefused()
    {
        Assert.Throws<InvalidOperationException>(() => VectorTable.Kind(VecOp.None));
        Assert.Throws<InvalidOperationException>(() => VectorTable.Kind(VecOp.Count));
    }

    [Fact]
    public void OfTwoNansTheFirstWinsWhereverTheCompilerPutsTheOperands()
    {
        var memory = stackalloc V[3];
        memory[0] = Vector128.Create(0x7FC00001u).AsByte();
        memory[1] = Vector128.Create(0x7FC00002u).AsByte();
        FirstFromMemory(memory);
        Assert.Equal(Vector128.Create(0x7FC00001u).AsByte(), memory[2]);
    }

    // The second operand is in a register, the first could become the memory operand of the host's instruction.
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveOptimization)]
    private static void FirstFromMemory(V* memory)
    {
        var second = memory[1];
        memory[2] = second;
        var sum = VectorMethods.AddPs(memory[0], second);
        memory[2] = VectorMethods.MulPs(memory[0], second) == sum ? sum : V.Zero;
    }

    // Translated code moves and drops operations that raise nothing: none outside the ranges of MayRaise may set a flag, whatever it is given.
    [Theory]
    [MemberData(nameof(Operations))]
    public void WhatMayNotRaiseSetsNoFlag(VecOp op)
    {
        if (VectorTable.MayRaise(op))
            return;
        var kind = VectorTable.Kind(op);
        var pointer = VectorTable.Pointer(op);
        var random = new Random(0x5EED + (int)op);
        var s = (CpuState*)NativeMemory.AlignedAlloc(CpuState.SizeInBytes, 64);
        new Span<byte>(s, CpuState.SizeInBytes).Clear();
        for (var i = 0; i < 200; i++)
        {
            var (a, b) = (Nasty(random), Nasty(random));

            // RyuJIT, when it compiles one of the methods meanwhile, may leave the inexact flag behind: then once more.
            if (FlagsOf() != 0)
                Assert.Equal(0u, FlagsOf());

            uint FlagsOf()
            {
                s->Mxcsr = HostMxcsr.Default;
                HostMxcsr.Enter(s);
                Call(kind, pointer, a, b, (byte)i);
                HostMxcsr.Leave(s);
                return s->Mxcsr ^ HostMxcsr.Default;
            }
        }

        NativeMemory.AlignedFree(s);
    }

    // Signalling NaNs, denormals, infinities and zeros, as singles or doubles.
    private static V Nasty(Random random)
    {
        if (random.Next(2) == 0)
            return Vector128.Create(Double(random), Double(random)).AsByte();
        return Vector128.Create(Single(random), Single(random), Single(random), Single(random)).AsByte();
    }

    private static uint Single(Random random) => random.Next(5) switch
    {
        0 => 0x7F80_0001,
        1 => 0x0000_0001,
        2 => 0xFF80_0000,
        3 => 0,
        _ => (uint)random.NextInt64(),
    };

    private static ulong Double(Random random) => random.Next(5) switch
    {
        0 => 0x7FF0_0000_0000_0001,
        1 => 1,
        2 => 0xFFF0_0000_0000_0000,
        3 => 0,
        _ => (ulong)random.NextInt64(),
    };

    private static void Call(VecKind kind, nint pointer, V a, V b, byte imm)
    {
        switch (kind)
        {
            case VecKind.Binary: ((delegate*<V, V, V>)pointer)(a, b); break;
            case VecKind.BinaryImm: ((delegate*<V, V, byte, V>)pointer)(a, b, imm); break;
            case VecKind.Unary: ((delegate*<V, V>)pointer)(a); break;
            case VecKind.UnaryImm: ((delegate*<V, byte, V>)pointer)(a, imm); break;
            case VecKind.ToInt: ((delegate*<V, ulong>)pointer)(a); break;
            case VecKind.ToIntImm: ((delegate*<V, byte, ulong>)pointer)(a, imm); break;
            case VecKind.BinaryToInt: ((delegate*<V, V, ulong>)pointer)(a, b); break;
            case VecKind.FromInt: ((delegate*<V, ulong, V>)pointer)(a, b.AsUInt64()[0]); break;
            default: ((delegate*<V, ulong, byte, V>)pointer)(a, b.AsUInt64()[0], imm); break;
        }
    }
}
