using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>Stands for <see cref="AddressForm.Flat32"/> in <see cref="MemoryOps"/>.</summary>
internal readonly struct Flat32;

/// <summary>Stands for <see cref="AddressForm.Flat64"/>.</summary>
internal readonly struct Flat64;

/// <summary>Stands for all other forms.</summary>
internal readonly struct Segmented;

/// <summary>
/// The interpreter's integer loads and stores, one body for all sizes and address forms: <c>T</c> is byte, ushort, uint or ulong, <c>TForm</c>
/// one of the structs above. The inline part is the test of one permission bit; when it gives false, the slow method does the access.
/// </summary>
internal static unsafe class MemoryOps
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Load.</summary>
    [MethodImpl(Inline)]
    public static bool Load<T, TForm>(CpuState* s, IrOp* op)
        where T : unmanaged
        where TForm : struct
    {
        if (!Probe<TForm>(s, op, PagePermission.FastRead, out var p))
            return false;
        s->Slots[op->Dst] = Read<T>(p);
        return true;
    }

    /// <summary>Store.</summary>
    [MethodImpl(Inline)]
    public static bool Store<T, TForm>(CpuState* s, IrOp* op)
        where T : unmanaged
        where TForm : struct
    {
        if (!Probe<TForm>(s, op, PagePermission.FastWrite, out var p))
            return false;
        Write<T>(p, s->Slots[op->C] + (ulong)op->Imm);
        return true;
    }

    /// <summary>Reads the bytes of a size.</summary>
    [MethodImpl(Inline)]
    public static ulong Read<T>(byte* p)
        where T : unmanaged => sizeof(T) switch { 1 => *p, 2 => *(ushort*)p, 4 => *(uint*)p, _ => *(ulong*)p };

    /// <summary>Writes the bytes of a size.</summary>
    [MethodImpl(Inline)]
    public static void Write<T>(byte* p, ulong value)
        where T : unmanaged
    {
        switch (sizeof(T))
        {
            case 1: *p = (byte)value; break;
            case 2: *(ushort*)p = (ushort)value; break;
            case 4: *(uint*)p = (uint)value; break;
            default: *(ulong*)p = value; break;
        }
    }

    /// <summary>Any load; false with an exception pending.</summary>
    public static bool LoadSlow(CpuState* s, Block* block, IrOp* op)
    {
        if (!TryRead(s, block, op, out var value))
            return false;
        s->Slots[op->Dst] = value;
        return true;
    }

    /// <summary>LoadSigned; false with an exception pending.</summary>
    public static bool LoadSigned(CpuState* s, Block* block, IrOp* op)
    {
        if (!TryRead(s, block, op, out var value))
            return false;
        s->Slots[op->Dst] = IntegerOps.Cut((ulong)RareOps.SignExtend(value, op->Size), op->Sub);
        return true;
    }

    /// <summary>Any store.</summary>
    public static StoreResult StoreSlow(CpuState* s, Block* block, IrOp* op)
    {
        var ea = Addresses.Linear(s->Slots, op);
        NoteWindow(s, block, op, ea);
        return GuestMemory.Store(s, ea, op->Size, s->Slots[op->C] + (ulong)op->Imm, op->Intent);
    }

    /// <summary>Where in the host the bytes are that an op reads, when no fast bit has told so; null for the slow path.</summary>
    public static byte* FindRead(CpuState* s, Block* block, IrOp* op, ulong ea)
    {
        NoteWindow(s, block, op, ea);
        return MemoryProbe.ForRead(s, ea, op->Size);
    }

    /// <summary>As <see cref="FindRead"/> for a write.</summary>
    public static byte* FindWrite(CpuState* s, Block* block, IrOp* op, ulong ea)
    {
        NoteWindow(s, block, op, ea);
        return MemoryProbe.ForWrite(s, ea, op->Size);
    }

    private static bool TryRead(CpuState* s, Block* block, IrOp* op, out ulong value)
    {
        var ea = Addresses.Linear(s->Slots, op);
        NoteWindow(s, block, op, ea);
        return GuestMemory.TryRead(s, ea, op->Size, out value, op->Intent);
    }

    // A window beyond the main one is noted with the op, for translations to come.
    [MethodImpl(Inline)]
    private static void NoteWindow(CpuState* s, Block* block, IrOp* op, ulong ea)
    {
        var index = ea >> AddressSpace.WindowSpanBits;
        if (index is > 0 and < AddressSpace.WindowCount / 2 && s->Execution.Windows != 0)
            Block.NoteWindow(block, op, (int)index);
    }

    // In a 32-bit address space the table of permissions covers all addresses.
    [MethodImpl(Inline)]
    private static bool Probe<TForm>(CpuState* s, IrOp* op, PagePermission bit, out byte* host)
        where TForm : struct
    {
        if (typeof(TForm) == typeof(Segmented))
        {
            var linear = Addresses.Linear(s->Slots, op);
            return MemoryProbe.Fast(s, linear, bit, out host) || MemoryProbe.ByLookaside(s, linear, op->Size, bit, out host);
        }

        var sum = Addresses.Sum(s->Slots, op);
        if (typeof(TForm) == typeof(Flat64))
            return MemoryProbe.Fast(s, sum, bit, out host) || MemoryProbe.ByLookaside(s, sum, op->Size, bit, out host);
        return MemoryProbe.Fast32(s, (uint)sum, bit, out host) || MemoryProbe.ByLookaside(s, (uint)sum, op->Size, bit, out host);
    }
}
