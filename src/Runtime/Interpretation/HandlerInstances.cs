using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using unsafe Handler = delegate*<DynaTrans.Runtime.State.CpuState*, DynaTrans.Runtime.Translation.ThreadedOp*, DynaTrans.Runtime.Translation.ThreadedBlock*, nint*, int>;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// Names the instances of handlers that <see cref="HandlerTable"/> makes by reflection, so that the compiler ahead of time compiles them; nothing
/// here is ever called. An instance that is missing here is compiled when it is first needed.
/// </summary>
internal static unsafe class HandlerInstances
{
    internal static void All()
    {
        OfOperation<AddOp>();
        OfOperation<AddFOp>();
        OfOperation<SubOp>();
        OfOperation<SubFOp>();
        OfOperation<AndOp>();
        OfOperation<AndFOp>();
        OfOperation<OrOp>();
        OfOperation<OrFOp>();
        OfOperation<XorOp>();
        OfOperation<XorFOp>();
        OfOperation<IncFOp>();
        OfOperation<DecFOp>();
        OfOperation<ShlOp>();
        OfOperation<ShlFOp>();
        OfOperation<ShrOp>();
        OfOperation<ShrFOp>();
        OfOperation<SarOp>();
        OfOperation<SarFOp>();
        OfOperation<MulOp>();
        OfRelation<IfEqual>();
        OfRelation<IfBelow>();
        OfRelation<IfBelowEqual>();
        OfRelation<IfLess>();
        OfRelation<IfLessEqual>();
        OfTest<IfNoBits>();
        OfTest<IfSignBit>();
        OfSize<byte>();
        OfSize<ushort>();
        OfSize<uint>();
        OfSize<ulong>();
        Name(&Handlers.SignExtend<byte, ushort>);
        Name(&Handlers.SignExtend<byte, uint>);
        Name(&Handlers.SignExtend<byte, ulong>);
        Name(&Handlers.SignExtend<ushort, uint>);
        Name(&Handlers.SignExtend<ushort, ulong>);
        Name(&Handlers.SignExtend<uint, ulong>);
        OfMemory<Flat32, WindowMemory>();
        OfMemory<Flat64, WindowMemory>();
        OfMemory<Flat32, PagedMemory>();
        OfMemory<Flat64, PagedMemory>();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Name(Handler handler)
    {
        _ = handler;
    }

    private static void OfOperation<TOp>()
        where TOp : struct
    {
        OfOperation<TOp, byte>();
        OfOperation<TOp, ushort>();
        OfOperation<TOp, uint>();
        OfOperation<TOp, ulong>();
    }

    private static void OfOperation<TOp, T>()
        where TOp : struct
        where T : unmanaged
    {
        Name(&Handlers.Integer<TOp, T, BySlot>);
        Name(&Handlers.Integer<TOp, T, ByConstant>);
    }

    private static void OfRelation<TRelation>()
        where TRelation : struct
    {
        OfRelation<TRelation, WhenTrue>();
        OfRelation<TRelation, WhenFalse>();
    }

    private static void OfRelation<TRelation, TSense>()
        where TRelation : struct
        where TSense : struct
    {
        OfRelation<TRelation, TSense, byte>();
        OfRelation<TRelation, TSense, ushort>();
        OfRelation<TRelation, TSense, uint>();
        OfRelation<TRelation, TSense, ulong>();
    }

    private static void OfRelation<TRelation, TSense, T>()
        where TRelation : struct
        where TSense : struct
        where T : unmanaged
    {
        Name(&Handlers.Compare<TRelation, TSense, T, BySlot>);
        Name(&Handlers.Compare<TRelation, TSense, T, ByConstant>);
        Name(&Handlers.CompareAndJump<TRelation, TSense, T, BySlot>);
        Name(&Handlers.CompareAndJump<TRelation, TSense, T, ByConstant>);
    }

    private static void OfTest<TTest>()
        where TTest : struct
    {
        OfTest<TTest, WhenTrue>();
        OfTest<TTest, WhenFalse>();
    }

    private static void OfTest<TTest, TSense>()
        where TTest : struct
        where TSense : struct
    {
        OfTest<TTest, TSense, byte>();
        OfTest<TTest, TSense, ushort>();
        OfTest<TTest, TSense, uint>();
        OfTest<TTest, TSense, ulong>();
    }

    private static void OfTest<TTest, TSense, T>()
        where TTest : struct
        where TSense : struct
        where T : unmanaged
    {
        Name(&Handlers.TestAndJump<TTest, TSense, T, BySlot>);
        Name(&Handlers.TestAndJump<TTest, TSense, T, ByConstant>);
    }

    private static void OfSize<T>()
        where T : unmanaged
    {
        Name(&Handlers.Move<T>);
        Name(&Handlers.Insert<T>);
        Name(&Handlers.Select<T>);
        Name(&Handlers.Lea<T, BaseAddress>);
        Name(&Handlers.Lea<T, IndexAddress>);
        Name(&Handlers.Lea<T, FourfoldAddress>);
        Name(&Handlers.Lea<T, EightfoldAddress>);
    }

    private static void OfMemory<TForm, TMemory>()
        where TForm : struct
        where TMemory : struct
    {
        OfAddress<TForm, BaseAddress, TMemory>();
        OfAddress<TForm, IndexAddress, TMemory>();
        OfAddress<TForm, FourfoldAddress, TMemory>();
        OfAddress<TForm, EightfoldAddress, TMemory>();
        Name(&Handlers.StoreConstant<byte, TForm, TMemory>);
        Name(&Handlers.StoreConstant<ushort, TForm, TMemory>);
        Name(&Handlers.StoreConstant<uint, TForm, TMemory>);
        Name(&Handlers.StoreConstant<ulong, TForm, TMemory>);
        Name(&Handlers.Push<BySlot, TForm, TMemory>);
        Name(&Handlers.Push<ByConstant, TForm, TMemory>);
        Name(&Handlers.Push<ByStart, TForm, TMemory>);
        Name(&Handlers.Pop<TForm, TMemory>);
        Name(&Handlers.Call<ByConstant, TForm, TMemory>);
        Name(&Handlers.Call<ByStart, TForm, TMemory>);
        Name(&Handlers.Return<TForm, TMemory>);
    }

    private static void OfAddress<TForm, TAddress, TMemory>()
        where TForm : struct
        where TAddress : struct
        where TMemory : struct
    {
        OfSize<byte, TForm, TAddress, TMemory>();
        OfSize<ushort, TForm, TAddress, TMemory>();
        OfSize<uint, TForm, TAddress, TMemory>();
        OfSize<ulong, TForm, TAddress, TMemory>();
        Name(&Handlers.LoadSigned<byte, ushort, TForm, TAddress, TMemory>);
        Name(&Handlers.LoadSigned<byte, uint, TForm, TAddress, TMemory>);
        Name(&Handlers.LoadSigned<byte, ulong, TForm, TAddress, TMemory>);
        Name(&Handlers.LoadSigned<ushort, uint, TForm, TAddress, TMemory>);
        Name(&Handlers.LoadSigned<ushort, ulong, TForm, TAddress, TMemory>);
        Name(&Handlers.LoadSigned<uint, ulong, TForm, TAddress, TMemory>);
        OfVector<uint, AnyAlignment, TForm, TAddress, TMemory>();
        OfVector<ulong, AnyAlignment, TForm, TAddress, TMemory>();
        OfVector<Vector128<byte>, AnyAlignment, TForm, TAddress, TMemory>();
        OfVector<Vector128<byte>, FullAlignment, TForm, TAddress, TMemory>();
    }

    private static void OfSize<T, TForm, TAddress, TMemory>()
        where T : unmanaged
        where TForm : struct
        where TAddress : struct
        where TMemory : struct
    {
        Name(&Handlers.Load<T, TForm, TAddress, TMemory>);
        Name(&Handlers.Store<T, TForm, TAddress, TMemory>);
        Name(&Handlers.StoreByte<T, TForm, TAddress, TMemory>);
    }

    private static void OfVector<T, TAlignment, TForm, TAddress, TMemory>()
        where T : unmanaged
        where TAlignment : struct
        where TForm : struct
        where TAddress : struct
        where TMemory : struct
    {
        Name(&Handlers.LoadVector<T, TAlignment, TForm, TAddress, TMemory>);
        Name(&Handlers.StoreVector<T, TAlignment, TForm, TAddress, TMemory>);
    }
}
