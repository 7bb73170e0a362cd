using System.Reflection;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Runtime.Helpers.Vector;

/// <summary>Signatures of vector operations; V is Vector128 of byte.</summary>
public enum VecKind : byte
{
    /// <summary>V M(V a, V b).</summary>
    Binary,

    /// <summary>V M(V a, V b, byte imm).</summary>
    BinaryImm,

    /// <summary>V M(V b).</summary>
    Unary,

    /// <summary>V M(V b, byte imm).</summary>
    UnaryImm,

    /// <summary>ulong M(V b).</summary>
    ToInt,

    /// <summary>ulong M(V b, byte imm).</summary>
    ToIntImm,

    /// <summary>ulong M(V a, V b).</summary>
    BinaryToInt,

    /// <summary>V M(V a, ulong b).</summary>
    FromInt,

    /// <summary>V M(V a, ulong b, byte imm).</summary>
    FromIntImm,
}

/// <summary>Every vector operation: its signature, its function pointer for the interpreter, its method for the IL back end.</summary>
public static class VectorTable
{
    /// <summary>The signature.</summary>
    public static VecKind Kind(VecOp op) => throw new NotSupportedException($"vector operation {op}");

    /// <summary>The function pointer.</summary>
    public static nint Pointer(VecOp op) => 0;

    /// <summary>The method.</summary>
    public static MethodInfo Method(VecOp op) => throw new NotSupportedException($"vector operation {op}");
}
