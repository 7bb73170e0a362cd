using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using DynaTrans.Runtime.Host;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>A handler without its choices; the order is that of <see cref="HandlerTable"/>'s list.</summary>
internal enum HandlerKind
{
    Wide, Integer, Move, MoveConstant, MoveUnsigned, MoveFromStart, SignExtend, Insert, ExtractHigh, Lea, Compare, Condition, Select,
    CheckCanonical, Rare, Vector, Helper,
    Load, LoadSigned, Store, StoreConstant, StoreByte, LoadVector, StoreVector, Push, Pop,
    Jump, Call, CompareAndJump, TestAndJump, JumpCondition, JumpIf, JumpIndirect, CallIndirect, Return,
}

/// <summary>
/// The handlers by their numbers, for one way to reach memory. A handler is made ready (<see cref="Preparation"/>) when the first block that
/// needs it is lifted.
/// </summary>
internal sealed unsafe class HandlerTable
{
    // The choices that handlers have; a number selects one.
    public static readonly Type[] Operations =
    [
        typeof(AddOp), typeof(AddFOp), typeof(SubOp), typeof(SubFOp), typeof(AndOp), typeof(AndFOp), typeof(OrOp), typeof(OrFOp), typeof(XorOp),
        typeof(XorFOp), typeof(IncFOp), typeof(DecFOp), typeof(ShlOp), typeof(ShlFOp), typeof(ShrOp), typeof(ShrFOp), typeof(SarOp), typeof(SarFOp),
        typeof(MulOp),
    ];

    public static readonly Type[] Relations = [typeof(IfEqual), typeof(IfBelow), typeof(IfBelowEqual), typeof(IfLess), typeof(IfLessEqual)];

    private static readonly Type[] Tests = [typeof(IfNoBits), typeof(IfSignBit)];
    private static readonly Type[] Senses = [typeof(WhenTrue), typeof(WhenFalse)];
    private static readonly Type[] Sizes = [typeof(byte), typeof(ushort), typeof(uint), typeof(ulong)];
    private static readonly Type[] VectorSizes = [typeof(uint), typeof(ulong), typeof(Vector128<byte>)];
    private static readonly Type[] Alignments = [typeof(AnyAlignment), typeof(FullAlignment)];
    private static readonly Type[] Operands = [typeof(BySlot), typeof(ByConstant), typeof(ByStart)];
    private static readonly Type[] Forms = [typeof(Flat32), typeof(Flat64)];
    private static readonly Type[] Addresses = [typeof(BaseAddress), typeof(IndexAddress), typeof(FourfoldAddress), typeof(EightfoldAddress)];

    // For each kind: how many IR ops it stands for (0: the op's Imm says it), whether it is made for a way to reach memory, and its choices.
    private static readonly (int IrOps, bool ReachesMemory, Type[][] Choices)[] Kinds =
    [
        (0, false, []),
        (1, false, [Operations, Sizes, Operands]),
        (1, false, [Sizes]),
        (1, false, []),
        (1, false, []),
        (1, false, []),
        (1, false, [Sizes, Sizes]),
        (1, false, [Sizes]),
        (1, false, []),
        (1, false, [Sizes, Addresses]),
        (1, false, [Relations, Senses, Sizes, Operands]),
        (1, false, []),
        (1, false, [Sizes]),
        (1, false, []),
        (1, false, []),
        (1, false, []),
        (1, false, []),
        (1, true, [Sizes, Forms, Addresses]),
        (1, true, [Sizes, Sizes, Forms, Addresses]),
        (1, true, [Sizes, Forms, Addresses]),
        (1, true, [Sizes, Forms]),
        (1, true, [Sizes, Forms, Addresses]),
        (1, true, [VectorSizes, Alignments, Forms, Addresses]),
        (1, true, [VectorSizes, Alignments, Forms, Addresses]),
        (2, true, [Operands, Forms]),
        (3, true, [Forms]),
        (1, false, []),
        (3, true, [Operands, Forms]),
        (2, false, [Relations, Senses, Sizes, Operands]),
        (2, false, [Tests, Senses, Sizes, Operands]),
        (1, false, []),
        (1, false, []),
        (1, false, []),
        (1, false, []),
        (4, true, [Forms]),
    ];

    private static readonly int[] Firsts = FindFirsts(out s_count);
    private static readonly int s_count;

    private readonly Type _memory;
    private readonly Lock _gate = new();

    private HandlerTable(Type memory)
    {
        _memory = memory;
        Handlers = (nint*)NativeMemory.AllocZeroed((nuint)s_count, (nuint)sizeof(nint));
        IrOps = new byte[s_count];
    }

    /// <summary>The handlers for memory that is reached by a window.</summary>
    public static HandlerTable Windowed { get; } = new(typeof(WindowMemory));

    /// <summary>Those for memory that is reached by translations of addresses.</summary>
    public static HandlerTable Paged { get; } = new(typeof(PagedMemory));

    /// <summary>The handlers; 0 for one that is not ready.</summary>
    public nint* Handlers { get; }

    /// <summary>The number of IR ops that each stands for.</summary>
    public byte[] IrOps { get; }

    /// <summary>The number of a handler, which is ready then.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="choices">A number for each of its choices.</param>
    public ushort CodeOf(HandlerKind kind, params ReadOnlySpan<int> choices)
    {
        var code = 0;
        var lists = Kinds[(int)kind].Choices;
        for (var i = 0; i < lists.Length; i++)
            code = (code * lists[i].Length) + choices[i];
        code += Firsts[(int)kind];
        if (Volatile.Read(ref Handlers[code]) == 0)
            MakeReady(kind, choices, code);
        return (ushort)code;
    }

    private void MakeReady(HandlerKind kind, ReadOnlySpan<int> choices, int code)
    {
        lock (_gate)
        {
            if (Handlers[code] != 0)
                return;
            var (irOps, reachesMemory, lists) = Kinds[(int)kind];
            var method = typeof(Handlers).GetMethod(kind.ToString(), BindingFlags.Static | BindingFlags.Public)!;
            var types = new List<Type>();
            for (var i = 0; i < lists.Length; i++)
                types.Add(lists[i][choices[i]]);
            if (reachesMemory)
                types.Add(_memory);
            if (types.Count > 0)
                method = method.MakeGenericMethod([.. types]);
            Preparation.Prepare(method);

            // In 32-bit code no check of the target belongs to a return.
            IrOps[code] = (byte)(kind == HandlerKind.Return && choices[0] == 0 ? irOps - 1 : irOps);
            Volatile.Write(ref Handlers[code], method.MethodHandle.GetFunctionPointer());
        }
    }

    private static int[] FindFirsts(out int count)
    {
        var firsts = new int[Kinds.Length];
        count = 0;
        for (var i = 0; i < firsts.Length; i++)
        {
            firsts[i] = count;
            var handlers = 1;
            foreach (var choice in Kinds[i].Choices)
                handlers *= choice.Length;
            count += handlers;
        }

        return firsts;
    }
}
