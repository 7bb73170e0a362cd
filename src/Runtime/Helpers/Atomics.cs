using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Runtime.Helpers;

/// <summary>
/// Locked read-modify-writes. Where all bytes lie in writable pages without translated code, or in one page with it, the host's own atomic
/// instruction is used, aligned or not; else the access goes through <see cref="GuestMemory"/> under one lock, and so it does across a cache
/// line on a host that does not let such an access lock the bus. The arguments are (linear address, operand,
/// size | carry &lt;&lt; 8 | intent &lt;&lt; 16), the result is the old value.
/// </summary>
internal static unsafe class Atomics
{
    private const uint CacheLine = 64;

    private static readonly Lock s_gate = new();

    private enum Operation
    {
        Add,
        Sub,
        Adc,
        Sbb,
        And,
        Or,
        Xor,
        Neg,
        Exchange,
    }

    internal static void RegisterHelpers()
    {
        HelperTable.Add(HelperId.AtomicAdd, &Add, typeof(Atomics), nameof(Add), HelperEffects.MayFault);
        HelperTable.Add(HelperId.AtomicSub, &Sub, typeof(Atomics), nameof(Sub), HelperEffects.MayFault);
        HelperTable.Add(HelperId.AtomicAdc, &Adc, typeof(Atomics), nameof(Adc), HelperEffects.MayFault);
        HelperTable.Add(HelperId.AtomicSbb, &Sbb, typeof(Atomics), nameof(Sbb), HelperEffects.MayFault);
        HelperTable.Add(HelperId.AtomicAnd, &And, typeof(Atomics), nameof(And), HelperEffects.MayFault);
        HelperTable.Add(HelperId.AtomicOr, &Or, typeof(Atomics), nameof(Or), HelperEffects.MayFault);
        HelperTable.Add(HelperId.AtomicXor, &Xor, typeof(Atomics), nameof(Xor), HelperEffects.MayFault);
        HelperTable.Add(HelperId.AtomicNeg, &Neg, typeof(Atomics), nameof(Neg), HelperEffects.MayFault);
        HelperTable.Add(HelperId.AtomicExchange, &Exchange, typeof(Atomics), nameof(Exchange), HelperEffects.MayFault);
        HelperTable.Add(
            HelperId.AtomicCompareExchange, &CompareExchange, typeof(Atomics), nameof(CompareExchange),
            HelperEffects.MayFault | HelperEffects.ReadsState);
        HelperTable.Add(
            HelperId.CompareExchange8B, &CompareExchange8B, typeof(Atomics), nameof(CompareExchange8B),
            HelperEffects.MayFault | HelperEffects.ReadsState | HelperEffects.WritesState);
        HelperTable.Add(
            HelperId.CompareExchange16B, &CompareExchange16B, typeof(Atomics), nameof(CompareExchange16B),
            HelperEffects.MayFault | HelperEffects.ReadsState | HelperEffects.WritesState);
    }

    private static ulong Add(CpuState* s, ulong linear, ulong operand, ulong packed)
    {
        var p = HostPointer(s, linear, (int)(packed & 0xFF));
        if (p != null && (byte)packed == 4)
            return (uint)Interlocked.Add(ref *(int*)p, (int)operand) - (uint)operand;
        if (p != null && (byte)packed == 8)
            return (ulong)Interlocked.Add(ref *(long*)p, (long)operand) - operand;
        return Modify(s, linear, operand, packed, Operation.Add);
    }

    private static ulong Sub(CpuState* s, ulong linear, ulong operand, ulong packed) => Modify(s, linear, operand, packed, Operation.Sub);

    private static ulong Adc(CpuState* s, ulong linear, ulong operand, ulong packed) => Modify(s, linear, operand, packed, Operation.Adc);

    private static ulong Sbb(CpuState* s, ulong linear, ulong operand, ulong packed) => Modify(s, linear, operand, packed, Operation.Sbb);

    private static ulong And(CpuState* s, ulong linear, ulong operand, ulong packed) => Modify(s, linear, operand, packed, Operation.And);

    private static ulong Or(CpuState* s, ulong linear, ulong operand, ulong packed) => Modify(s, linear, operand, packed, Operation.Or);

    private static ulong Xor(CpuState* s, ulong linear, ulong operand, ulong packed) => Modify(s, linear, operand, packed, Operation.Xor);

    private static ulong Neg(CpuState* s, ulong linear, ulong operand, ulong packed) => Modify(s, linear, operand, packed, Operation.Neg);

    private static ulong Exchange(CpuState* s, ulong linear, ulong operand, ulong packed)
    {
        var p = HostPointer(s, linear, (int)(packed & 0xFF));
        if (p != null && (byte)packed == 4)
            return Interlocked.Exchange(ref *(uint*)p, (uint)operand);
        if (p != null && (byte)packed == 8)
            return Interlocked.Exchange(ref *(ulong*)p, operand);
        return Modify(s, linear, operand, packed, Operation.Exchange);
    }

    private static ulong CompareExchange(CpuState* s, ulong linear, ulong operand, ulong packed)
    {
        var expected = s->Slots[Slot.Rax] & (ulong.MaxValue >> (64 - ((byte)packed * 8)));
        return Swap(s, linear, expected, operand, packed);
    }

    // Without the prefix a CPU does not lock the bus across a cache line.
    private static ulong CompareExchange8B(CpuState* s, ulong linear, ulong locked, ulong packed)
    {
        var r = s->Slots;
        var expected = (r[Slot.Rdx] << 32) | (uint)r[Slot.Rax];
        var value = (r[Slot.Rcx] << 32) | (uint)r[Slot.Rbx];
        var old = locked == 0 && IsSplit(linear, 8) ? SwapPlain(s, linear, expected, value, packed) : Swap(s, linear, expected, value, packed);
        if (s->Execution.ExceptionVector >= 0)
            return 0;
        if (old == expected)
            return 1;
        r[Slot.Rax] = (uint)old;
        r[Slot.Rdx] = old >> 32;
        return 0;
    }

    private static ulong CompareExchange16B(CpuState* s, ulong linear, ulong b, ulong packed)
    {
        if ((linear & 15) != 0)
        {
            CpuAccess.Raise(s, ExceptionVector.GeneralProtection);
            return 0;
        }

        var r = s->Slots;
        var value = stackalloc ulong[2];
        var hasHostCode = HostCode.CompareExchange16 != 0;
        var p = hasHostCode ? MemoryProbe.ForWrite(s, linear, 16) : null;
        var inCodePage = p == null && hasHostCode && (p = GuestMemory.EnterCodePage(s, linear, 16)) != null;
        ulong equal;
        if (p != null)
        {
            value[0] = r[Slot.Rax];
            value[1] = r[Slot.Rdx];
            var routine = (delegate* unmanaged[SuppressGCTransition]<byte*, ulong*, ulong, ulong, ulong>)HostCode.CompareExchange16;
            equal = routine(p, value, r[Slot.Rbx], r[Slot.Rcx]);
            if (inCodePage)
                GuestMemory.LeaveCodePage(s, linear, 16);
        }
        else
        {
            lock (s_gate)
            {
                if (!GuestMemory.TryRead(s, linear, (byte*)value, 16, Intent(packed)))
                    return 0;
                equal = value[0] == r[Slot.Rax] && value[1] == r[Slot.Rdx] ? 1UL : 0;
                var stored = stackalloc ulong[2] { equal != 0 ? r[Slot.Rbx] : value[0], equal != 0 ? r[Slot.Rcx] : value[1] };
                if (!GuestMemory.TryWrite(s, linear, (byte*)stored, 16, Intent(packed)))
                    return 0;
            }
        }

        if (equal == 0)
        {
            r[Slot.Rax] = value[0];
            r[Slot.Rdx] = value[1];
        }

        return equal;
    }

    // Gives the old value; on a fault or restart something is pending and the result has no meaning.
    private static ulong Swap(CpuState* s, ulong linear, ulong expected, ulong value, ulong packed)
    {
        var p = HostPointer(s, linear, (byte)packed);
        if (p != null)
            return HostCompareExchange(p, (byte)packed, expected, value);
        if (!IsTrapped(linear, (byte)packed) && (p = GuestMemory.EnterCodePage(s, linear, (byte)packed)) != null)
        {
            var old = HostCompareExchange(p, (byte)packed, expected, value);
            GuestMemory.LeaveCodePage(s, linear, (byte)packed);
            return old;
        }

        lock (s_gate)
            return SwapPlain(s, linear, expected, value, packed);
    }

    private static ulong SwapPlain(CpuState* s, ulong linear, ulong expected, ulong value, ulong packed)
    {
        if (!GuestMemory.TryRead(s, linear, (byte)packed, out var old, Intent(packed)))
            return 0;
        GuestMemory.TryWrite(s, linear, (byte)packed, old == expected ? value : old, Intent(packed));
        return old;
    }

    private static ulong Modify(CpuState* s, ulong linear, ulong operand, ulong packed, Operation operation)
    {
        var size = (int)(packed & 0xFF);
        var carry = packed >> 8 & 1;
        var p = HostPointer(s, linear, size);
        if (p != null)
            return HostModify(p, size, operand, carry, operation);
        if (IsTrapped(linear, size) || (p = GuestMemory.EnterCodePage(s, linear, size)) == null)
        {
            lock (s_gate)
            {
                if (!GuestMemory.TryRead(s, linear, size, out var value, Intent(packed)))
                    return 0;
                GuestMemory.TryWrite(s, linear, size, Apply(operation, value, operand, carry), Intent(packed));
                return value;
            }
        }

        var old = HostModify(p, size, operand, carry, operation);
        GuestMemory.LeaveCodePage(s, linear, size);
        return old;
    }

    private static ulong HostModify(byte* p, int size, ulong operand, ulong carry, Operation operation)
    {
        var seen = GuestMemory.Get(p, size);
        while (true)
        {
            var old = HostCompareExchange(p, size, seen, Apply(operation, seen, operand, carry));
            if (old == seen)
                return old;
            seen = old;
        }
    }

    private static AccessIntent Intent(ulong packed) => (AccessIntent)(packed >> 16) | AccessIntent.Update;

    // Where the host's atomic instructions may act on the operand, else null.
    private static byte* HostPointer(CpuState* s, ulong linear, int size) =>
        IsTrapped(linear, size) ? null : MemoryProbe.ForWrite(s, linear, size);

    // True when the host's kernel does not let an atomic instruction have the operand.
    private static bool IsTrapped(ulong linear, int size) => IsSplit(linear, size) && SplitLocks.AreTrapped;

    private static bool IsSplit(ulong linear, int size) => (linear & (CacheLine - 1)) + (uint)size > CacheLine;

    private static ulong HostCompareExchange(byte* p, int size, ulong expected, ulong value) => size switch
    {
        1 => Interlocked.CompareExchange(ref *p, (byte)value, (byte)expected),
        2 => Interlocked.CompareExchange(ref *(ushort*)p, (ushort)value, (ushort)expected),
        4 => Interlocked.CompareExchange(ref *(uint*)p, (uint)value, (uint)expected),
        _ => Interlocked.CompareExchange(ref *(ulong*)p, value, expected),
    };

    private static ulong Apply(Operation operation, ulong old, ulong operand, ulong carry) => operation switch
    {
        Operation.Add => old + operand,
        Operation.Sub => old - operand,
        Operation.Adc => old + operand + carry,
        Operation.Sbb => old - operand - carry,
        Operation.And => old & operand,
        Operation.Or => old | operand,
        Operation.Xor => old ^ operand,
        Operation.Neg => 0 - old,
        _ => operand,
    };

    // Found out when a split operand first turns up. A kernel that detects split locks slows them down or kills their process.
    private static class SplitLocks
    {
        public static readonly bool AreTrapped = OperatingSystem.IsLinux() && File.Exists("/proc/cpuinfo")
            && File.ReadLines("/proc/cpuinfo").Any(line => line.StartsWith("flags", StringComparison.Ordinal) && line.Contains(" split_lock_detect"));
    }

    // Assembled when first used.
    private static class HostCode
    {
        // ulong F(byte* p, ulong* expected, ulong newLow, ulong newHigh): expected receives the old value; 1 when it was equal.
        public static readonly nint CompareExchange16 = !NativeCode.IsSupported ? 0 : NativeCode.Assemble("cmpxchg16b", a =>
        {
            a.push(rbx);
            a.mov(rbx, rdx);
            a.mov(rax, __[rsi]);
            a.mov(rdx, __[rsi + 8]);
            a.@lock.cmpxchg16b(__[rdi]);
            a.mov(__[rsi], rax);
            a.mov(__[rsi + 8], rdx);
            a.sete(al);
            a.movzx(eax, al);
            a.pop(rbx);
            a.ret();
        });
    }
}
