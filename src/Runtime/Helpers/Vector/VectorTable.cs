using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Host;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace DynaTrans.Runtime.Helpers.Vector;

/// <summary>Signature of a vector operation's method; V is <c>Vector128&lt;byte&gt;</c>.</summary>
public enum VecKind : byte
{
    /// <summary>Not an operation.</summary>
    None,

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

/// <summary>
/// Every vector operation by its <see cref="VecOp"/>: kind, function pointer and method. A family is registered when one of its operations
/// is first asked for, so a guest without vector code pays nothing.
/// </summary>
public static unsafe class VectorTable
{
    private static readonly Lock Gate = new();
    private static readonly nint* Pointers = (nint*)NativeMemory.AllocZeroed((nuint)VecOp.Count, (nuint)sizeof(nint));
    private static readonly VecKind* Kinds = (VecKind*)NativeMemory.AllocZeroed((nuint)VecOp.Count, sizeof(VecKind));
    private static readonly bool[] IsReady = new bool[(int)VecOp.Count];

    // Being registered.
    private static VecOp s_family;

    /// <summary>True when the host CPU executes the base set, up to SSE4.2: the methods are made of the host's own instructions.</summary>
    public static bool IsHostSupported => Sse42.IsSupported && Sse42.X64.IsSupported;

    /// <summary>
    /// The kind of an operation. The first call for an operation also prepares its method (<see cref="Preparation"/>): ask for the kind when a
    /// block is lifted.
    /// </summary>
    /// <exception cref="InvalidOperationException">There is no such operation.</exception>
    public static VecKind Kind(VecOp op)
    {
        if (op >= VecOp.Count || !Volatile.Read(ref IsReady[(int)op]))
            MakeReady(op);
        return Kinds[(int)op];
    }

    /// <summary>The function pointer of an operation whose <see cref="Kind"/> was asked for before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Pointer(VecOp op) => Pointers[(int)op];

    /// <summary>True for operations that may raise flags in MXCSR (and a few that do not).</summary>
    public static bool MayRaise(VecOp op) =>
        op is (>= VecOp.CvtPi2Ps and <= VecOp.CvttPs2Pi) or (>= VecOp.AddPs and <= VecOp.CvttSd2Si64);

    /// <summary>The method of an operation, for a call that RyuJIT inlines.</summary>
    /// <exception cref="InvalidOperationException">There is no such operation.</exception>
    public static MethodInfo Method(VecOp op) => MethodOf(op)
        ?? throw new InvalidOperationException($"vector operation {op} has no method");

    private static MethodInfo? MethodOf(VecOp op)
    {
        if (op is VecOp.AddPs or VecOp.MulPs or VecOp.AddPd or VecOp.MulPd && !PackedArithmetic.IsExactInTranslatedCode)
            return typeof(PackedArithmetic).GetMethod(op.ToString(), [typeof(V), typeof(V)]);
        return typeof(VectorMethods).GetMethod(op.ToString(), BindingFlags.Static | BindingFlags.Public);
    }

    /// <summary>Adds one operation; called by the families' registration methods.</summary>
    internal static void Add(VecOp op, VecKind kind, nint pointer)
    {
        Debug.Assert(FamilyOf(op) == s_family, $"{op} stands in VecOp among operations of another family");
        Pointers[(int)op] = pointer;
        Kinds[(int)op] = kind;
    }

    private static void MakeReady(VecOp op)
    {
        if (!IsHostSupported)
            throw new PlatformNotSupportedException("guest vector code needs a host with an x86-64 processor with SSE4.2");
        if (op is VecOp.None or >= VecOp.Count)
            throw new InvalidOperationException($"no vector operation {op}");
        lock (Gate)
        {
            if (Pointers[(int)op] == 0)
                Register(s_family = FamilyOf(op));
            if (Pointers[(int)op] == 0)
                throw new InvalidOperationException($"the family of {op} does not register it");
            Preparation.Prepare(Method(op));
            Volatile.Write(ref IsReady[(int)op], true);
        }
    }

    /// <summary>The family of an operation, named by the last operation of it in the order of <see cref="VecOp"/>.</summary>
    internal static VecOp FamilyOf(VecOp op)
    {
        foreach (var last in (ReadOnlySpan<VecOp>)[
            VecOp.AndSignQ, VecOp.PHSubSw, VecOp.PSrlDq, VecOp.PMovZxDq, VecOp.CvttPs2Pi, VecOp.RsqrtPs, VecOp.RsqrtSs, VecOp.CvttSd2Si64])
            if (op <= last)
                return last;
        return VecOp.Count - 1;
    }

    private static void Register(VecOp family)
    {
        switch (family)
        {
            case VecOp.AndSignQ: VectorMethods.RegisterMoves(); break;
            case VecOp.PHSubSw: VectorMethods.RegisterPackedInteger(); break;
            case VecOp.PSrlDq: VectorMethods.RegisterShifts(); break;
            case VecOp.PMovZxDq: VectorMethods.RegisterShuffles(); break;
            case VecOp.CvttPs2Pi: VectorMethods.RegisterMmx(); break;
            case VecOp.RsqrtPs: VectorMethods.RegisterPackedFloat(); break;
            case VecOp.RsqrtSs: VectorMethods.RegisterScalarFloat(); break;
            case VecOp.CvttSd2Si64: VectorMethods.RegisterConversions(); break;
            default: VectorMethods.RegisterCrypto(); break;
        }
    }
}

/// <summary>
/// The methods of the vector operations, one per <see cref="VecOp"/> and of its name. They consist of the host's own instructions, so
/// results, NaN payloads, MXCSR rounding and sticky flags are those of the host CPU. An immediate is a constant where the IL back end
/// calls, and any value where the interpreter does.
/// </summary>
public static unsafe partial class VectorMethods
{
    private static void Set(VecOp op, VecKind kind, void* pointer) => VectorTable.Add(op, kind, (nint)pointer);
}
