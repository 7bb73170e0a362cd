using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>What the x87 helpers share: the check before an instruction, its bookkeeping, and access to guest memory.</summary>
internal static unsafe class X87Access
{
    /// <summary>True when a waiting instruction may execute; else #NM or #MF is pending.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Begin(CpuState* s) => ((s->X87.Status & ES) | (s->X87.Guard & (uint)X87State.GuardInstructions)) == 0 || Refuse(s);

    /// <summary>True when an instruction that does not wait may execute; else #NM is pending.</summary>
    public static bool BeginWithoutWait(CpuState* s)
    {
        if ((s->X87.Guard & X87State.GuardInstructions) == 0)
            return true;
        CpuAccess.Raise(s, ExceptionVector.DeviceNotAvailable);
        return false;
    }

    /// <summary>What the memory operand of an instruction is for, by the argument that gives its address and opcode.</summary>
    public static AccessIntent IntentOf(ulong last) => X87State.IsStackOperand(last) ? AccessIntent.Stack : AccessIntent.None;

    /// <summary>Keeps what a later FNSTENV tells about an instruction with a memory operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Note(CpuState* s, ulong last, ulong linear, ulong segmentBase)
    {
        s->X87.Last = X87State.WithoutOperand(last);
        s->X87.Fdp = linear - segmentBase;
    }

    /// <summary>Reads a number of 2, 4 or 8 bytes; false with the page fault pending.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Load<T>(CpuState* s, ulong linear, ulong last, out T value)
        where T : unmanaged
    {
        if (MemoryProbe.Fast(s, linear, PagePermission.FastRead, out byte* host))
        {
            value = *(T*)host;
            return true;
        }
        return LoadSlow(s, linear, last, out value);
    }

    /// <summary>Reads ten bytes; false with the page fault pending.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool LoadExtended(CpuState* s, ulong linear, ulong last, out Float80 value)
    {
        if (MemoryProbe.Fast(s, linear, PagePermission.FastRead, out byte* host))
        {
            value = new(*(ulong*)host, *(ushort*)(host + 8));
            return true;
        }
        byte* bytes = stackalloc byte[10];
        bool done = GuestMemory.TryRead(s, linear, bytes, 10, IntentOf(last));
        value = done ? new(*(ulong*)bytes, *(ushort*)(bytes + 8)) : default;
        return done;
    }

    /// <summary>Writes a number of 2, 4 or 8 bytes; false when the helper must return with nothing changed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Store<T>(CpuState* s, ulong linear, ulong last, T value)
        where T : unmanaged
    {
        if (MemoryProbe.Fast(s, linear, PagePermission.FastWrite, out byte* host))
        {
            *(T*)host = value;
            return true;
        }
        return StoreSlow(s, linear, last, value);
    }

    /// <summary>
    /// Writes ten bytes, as the host does in two stores: where the second faults, the first has happened. False when the helper must
    /// return with nothing else changed.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool StoreExtended(CpuState* s, ulong linear, ulong last, ulong significand, ushort signExponent)
    {
        if (MemoryProbe.Fast(s, linear, PagePermission.FastWrite, out byte* host))
        {
            *(ulong*)host = significand;
            *(ushort*)(host + 8) = signExponent;
            return true;
        }
        return StoreSlow(s, linear, last, significand) && StoreSlow(s, linear + 8, last, signExponent);
    }

    /// <summary>
    /// Reads an image of the state. The host accesses its first <paramref name="probe"/> bytes, then the last one, then the rest: that
    /// decides which address a fault reports.
    /// </summary>
    public static bool LoadImage(CpuState* s, ulong linear, ulong last, byte* image, int size, int probe) =>
        (probe == 0 || GuestMemory.TryRead(s, linear, image, probe, IntentOf(last))) && LoadSlow<byte>(s, linear + (uint)size - 1, last, out _)
        && GuestMemory.TryRead(s, linear, image, size, IntentOf(last));

    /// <summary>
    /// Writes an image of the state, the first <paramref name="length"/> bytes of <paramref name="size"/>; the order of accesses is that of
    /// <see cref="LoadImage"/>.
    /// </summary>
    public static bool StoreImage(CpuState* s, ulong linear, ulong last, byte* image, int length, int size, int probe) =>
        (probe == 0 || GuestMemory.CheckWrite(s, linear, probe, IntentOf(last)))
        && GuestMemory.CheckWrite(s, linear + (uint)size - 1, 1, IntentOf(last)) && GuestMemory.CheckWrite(s, linear, size, IntentOf(last))
        && GuestMemory.TryWrite(s, linear, image, length, IntentOf(last));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Refuse(CpuState* s)
    {
        if (BeginWithoutWait(s))
            CpuAccess.Raise(s, ExceptionVector.FloatingPoint);
        return false;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool LoadSlow<T>(CpuState* s, ulong linear, ulong last, out T value)
        where T : unmanaged
    {
        T read = default;
        bool done = GuestMemory.TryRead(s, linear, (byte*)&read, sizeof(T), IntentOf(last));
        value = read;
        return done;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool StoreSlow<T>(CpuState* s, ulong linear, ulong last, T value)
        where T : unmanaged =>
        GuestMemory.TryWrite(s, linear, (byte*)&value, sizeof(T), IntentOf(last));
}
