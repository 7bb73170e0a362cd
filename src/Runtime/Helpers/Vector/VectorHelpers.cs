using System.Runtime.Intrinsics.X86;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers.Vector;

/// <summary>Helpers of vector instructions that are not operations on values: MXCSR, MMX state, masked stores, CRC32.</summary>
internal static unsafe class VectorHelpers
{
    private const int ErrorSummary = 0x80;
    private const int TopBits = 0x3800;

    public static void RegisterHelpers()
    {
        Add(HelperId.MmxCheck, &MmxCheck, nameof(MmxCheck), HelperEffects.MayFault);
        Add(HelperId.MmxClearTop, &MmxClearTop, nameof(MmxClearTop), HelperEffects.MayFault);
        Add(HelperId.MmxEnter, &MmxEnter, nameof(MmxEnter), HelperEffects.MayFault);
        Add(HelperId.Emms, &Emms, nameof(Emms), HelperEffects.MayFault);
        Add(HelperId.MaskedStore, &MaskedStore, nameof(MaskedStore), HelperEffects.Vectors | HelperEffects.MayFault);
        Add(HelperId.MemoryFence, &MemoryFence, nameof(MemoryFence), HelperEffects.MayFault);
        Add(HelperId.Crc32, &Crc32, nameof(Crc32), HelperEffects.Pure);
        StringCompare.RegisterHelpers();

        // Vectors: translated code then takes no operation across, neither by computing it once for both sides nor by taking it out of a loop.
        AddMxcsr(HelperId.StoreMxcsr, &HostMxcsr.StoreMxcsr, nameof(HostMxcsr.StoreMxcsr), HelperEffects.Vectors);
        AddMxcsr(HelperId.LoadMxcsr, &HostMxcsr.LoadMxcsr, nameof(HostMxcsr.LoadMxcsr), HelperEffects.MayFault | HelperEffects.Vectors | HelperEffects.ChangesContext);
        AddMxcsr(HelperId.BeginSimdCheck, &HostMxcsr.BeginSimdCheck, nameof(HostMxcsr.BeginSimdCheck), HelperEffects.Vectors);
        HelperTable.Add(
            HelperId.EndSimdCheck, &SimdInexact.EndSimdCheck, typeof(SimdInexact), nameof(SimdInexact.EndSimdCheck),
            HelperEffects.MayFault | HelperEffects.Vectors);
    }

    // An x87 exception that is pending is reported before an MMX instruction (SDM Vol. 3, 12.2).
    internal static ulong MmxCheck(CpuState* s, ulong a, ulong b, ulong c)
    {
        if ((s->Fsw & ErrorSummary) != 0)
            CpuAccess.Raise(s, ExceptionVector.FloatingPoint);
        return 0;
    }

    // The check, then TOP = 0.
    internal static ulong MmxClearTop(CpuState* s, ulong a, ulong b, ulong c)
    {
        if ((s->Fsw & ErrorSummary) != 0)
            CpuAccess.Raise(s, ExceptionVector.FloatingPoint);
        else
            s->Fsw = (ushort)(s->Fsw & ~TopBits);
        return 0;
    }

    // Transition to MMX: the check, then TOP = 0 and all registers valid (SDM Vol. 1, 9.5.1).
    internal static ulong MmxEnter(CpuState* s, ulong a, ulong b, ulong c)
    {
        MmxClearTop(s, 0, 0, 0);
        if (s->Execution.ExceptionVector < 0)
            s->FpuValid = 0xFF;
        return 0;
    }

    // emms: the check, then TOP = 0 and all registers empty.
    internal static ulong Emms(CpuState* s, ulong a, ulong b, ulong c)
    {
        MmxEnter(s, 0, 0, 0);
        if (s->Execution.ExceptionVector < 0)
            s->FpuValid = 0;
        return 0;
    }

    // maskmovq, maskmovdqu: a is the linear address, b the cell of the data | cell of the mask << 8 | bytes << 16. A byte is stored when
    // bit 7 of its mask byte is set; pages without such a byte are not touched.
    internal static ulong MaskedStore(CpuState* s, ulong a, ulong b, ulong c)
    {
        var data = (byte*)CpuAccess.Vector(s, (int)b & 0xFF);
        var mask = (byte*)CpuAccess.Vector(s, (int)(b >> 8) & 0xFF);
        var size = (int)(b >> 16);

        // Alignment is that of the operand, not of the pieces.
        var mode = s->Mode;
        if ((mode & (ushort)GuestMode.AlignmentChecked) != 0 && !Alignment.Check(s, a, size))
            return 0;
        s->Mode = (ushort)(mode & ~(int)GuestMode.AlignmentChecked);
        StoreMasked(s, a, data, mask, size);
        s->Mode = mode;
        return 0;
    }

    private static void StoreMasked(CpuState* s, ulong a, byte* data, byte* mask, int size)
    {
        for (var pass = 0; pass < 2; pass++)
        {
            for (var i = 0; i < size;)
            {
                if ((mask[i] & 0x80) == 0)
                {
                    i++;
                    continue;
                }

                var start = i;
                while (i < size && (mask[i] & 0x80) != 0)
                    i++;
                var ok = pass == 0
                    ? GuestMemory.CheckWrite(s, a + (uint)start, i - start)
                    : GuestMemory.TryWrite(s, a + (uint)start, data + start, i - start);
                if (!ok)
                    return;
            }
        }
    }

    // mfence. Not pure: it must not move.
    internal static ulong MemoryFence(CpuState* s, ulong a, ulong b, ulong c)
    {
        Interlocked.MemoryBarrier();
        return 0;
    }

    // crc32: a is the accumulated value, b the operand, c its size in bytes.
    internal static ulong Crc32(CpuState* s, ulong a, ulong b, ulong c) => c switch
    {
        1 => Sse42.Crc32((uint)a, (byte)b),
        2 => Sse42.Crc32((uint)a, (ushort)b),
        4 => Sse42.Crc32((uint)a, (uint)b),
        _ => Sse42.X64.Crc32((uint)a, b),
    };

    private static void Add(
        HelperId id, delegate*<CpuState*, ulong, ulong, ulong, ulong> pointer, string name, HelperEffects effects) =>
        HelperTable.Add(id, pointer, typeof(VectorHelpers), name, effects);

    private static void AddMxcsr(
        HelperId id, delegate*<CpuState*, ulong, ulong, ulong, ulong> pointer, string name, HelperEffects effects) =>
        HelperTable.Add(id, pointer, typeof(HostMxcsr), name, effects);
}
