using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>Small methods that emitted code calls: slow paths, and what IL cannot say directly.</summary>
public static unsafe class EmitSupport
{
    /// <summary>A method of this class by name.</summary>
    public static MethodInfo Method(string name) => typeof(EmitSupport).GetMethod(name, BindingFlags.Static | BindingFlags.Public)!;

    /// <summary>High half of an unsigned product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong MultiplyHighUnsigned(ulong a, ulong b) => Math.BigMul(a, b, out _);

    /// <summary>High half of a signed product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long MultiplyHighSigned(long a, long b) => Math.BigMul(a, b, out _);

    /// <summary>Slow path of a load; a fault is pending when ExceptionVector is not negative.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ulong Load(CpuState* s, ulong linear, int size, AccessIntent intent)
    {
        GuestMemory.TryRead(s, linear, size, out var value, intent);
        return value;
    }

    /// <summary>Slow path of a store; false when the code must leave at this instruction.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool Store(CpuState* s, ulong linear, int size, AccessIntent intent, ulong value) =>
        GuestMemory.TryWrite(s, linear, size, value, intent);

    /// <summary>Any vector load that the inline path did not take; false with an exception pending.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool LoadVector(CpuState* s, ulong linear, int size, IrAttr attr, ref Vector128<byte> value)
    {
        if ((attr & IrAttr.Aligned) != 0 && (linear & 15) != 0)
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return false;
        }

        Vector128<byte> loaded = default;
        if (!GuestMemory.TryRead(s, linear, (byte*)&loaded, size, (AccessIntent)(attr & IrAttr.Intent)))
            return false;
        value = loaded;
        return true;
    }

    /// <summary>Any vector store that the inline path did not take; false when the code must leave at this instruction.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool StoreVector(CpuState* s, ulong linear, int size, IrAttr attr, Vector128<byte> value)
    {
        if ((attr & IrAttr.Aligned) != 0 && (linear & 15) != 0)
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return false;
        }

        return GuestMemory.TryWrite(s, linear, (byte*)&value, size, (AccessIntent)(attr & IrAttr.Intent));
    }

    /// <summary>Enters the page of an address in the vCPU's table.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void FillLookaside(CpuState* s, ulong linear) => Vcpu.Of(s).Lookaside!.Fill(linear);

    /// <summary>A condition of the record in the state.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool Holds(CpuState* s, Condition condition) => FlagsRecord.Holds(s, condition);

    /// <summary>The status flags of the record in the state.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static uint Status(CpuState* s) => FlagsRecord.Status(s);

    /// <summary>Brings the record in the state to what the form at a site says.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void ApplyFlags(CpuState* s, FaultSite* site) => site->Flags.Apply(s);

    /// <summary>Four bytes as the low element, the rest zero. Like the next, never taken out of a loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Load4(nint p) => Vector128.CreateScalar(Volatile.Read(ref *(uint*)p)).AsByte();

    /// <summary>Eight bytes as the low element, the rest zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Load8(nint p) => Vector128.CreateScalar(Volatile.Read(ref *(ulong*)p)).AsByte();

    /// <summary>Stores the low four bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store4(nint p, Vector128<byte> value) => *(uint*)p = value.AsUInt32().ToScalar();

    /// <summary>Stores the low eight bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store8(nint p, Vector128<byte> value) => *(ulong*)p = value.AsUInt64().ToScalar();

    /// <summary>Writes an MMX register: the low eight bytes, and ones above (SDM Vol. 1, 9.5).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMmx(nint cell, Vector128<byte> value)
    {
        *(ulong*)cell = value.AsUInt64().ToScalar();
        ((ushort*)cell)[4] = 0xFFFF;
    }
}
