using System.Diagnostics;
using System.Text;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>cpuid and the time-stamp counter. The features that cpuid advertises are those of <see cref="CpuModel"/> (SDM Vol. 2, CPUID).</summary>
public static unsafe class Processor
{
    // Of the time-stamp counter.
    private const ulong Frequency = 1_000_000_000;

    private const uint HighestBasicLeaf = 7;
    private const uint HighestExtendedLeaf = 0x80000008;

    // Family 6, model 3C, stepping 3.
    private const uint Signature = 0x000306C3;

    // FCS and FDS are saved as 0 (deprecated).
    private const uint NoX87Selectors = 1 << 13;

    private static readonly uint s_leaf1Ecx = CpuModel.Word(1, CpuidRegister.Ecx, true);
    private static readonly uint s_leaf1Edx = CpuModel.Word(1, CpuidRegister.Edx, true);
    private static readonly uint s_leaf7Ebx = CpuModel.Word(7, CpuidRegister.Ebx, true) | NoX87Selectors;
    private static readonly uint s_extendedEcx = CpuModel.Word(0x80000001, CpuidRegister.Ecx, true);
    private static readonly uint s_extendedEdx = CpuModel.Word(0x80000001, CpuidRegister.Edx, false);
    private static readonly uint s_extendedEdx64 = CpuModel.Word(0x80000001, CpuidRegister.Edx, true);
    private static readonly uint s_timeEdx = CpuModel.Word(0x80000007, CpuidRegister.Edx, true);
    private static readonly byte[] s_brand = Encoding.ASCII.GetBytes("DynaTrans virtual CPU".PadRight(48, '\0'));

    internal static void RegisterHelpers()
    {
        const HelperEffects Both = HelperEffects.ReadsState | HelperEffects.WritesState;
        HelperTable.Add(HelperId.Cpuid, &Cpuid, typeof(Processor), nameof(Cpuid), Both);
        HelperTable.Add(HelperId.TimeStamp, &TimeStamp, typeof(Processor), nameof(TimeStamp), HelperEffects.ReadsState | HelperEffects.NotRepeatable);
    }

    private static ulong Cpuid(CpuState* s, ulong a, ulong b, ulong c)
    {
        var r = s->Slots;
        var (eax, ebx, ecx, edx) = Leaf((uint)r[Slot.Rax], (uint)r[Slot.Rcx], CpuAccess.Mode(s).Is64());
        r[Slot.Rax] = eax;
        r[Slot.Rbx] = ebx;
        r[Slot.Rcx] = ecx;
        r[Slot.Rdx] = edx;
        return 0;
    }

    /// <summary>What cpuid gives. A leaf beyond the highest basic one answers as that one (SDM Vol. 2, CPUID).</summary>
    public static (uint Eax, uint Ebx, uint Ecx, uint Edx) Leaf(uint leaf, uint subleaf, bool is64) => leaf switch
    {
        0 => (HighestBasicLeaf, 0x756E6547, 0x6C65746E, 0x49656E69),
        1 => (Signature, 0x00010800, s_leaf1Ecx, s_leaf1Edx),
        2 => (0x00FEFF01, 0, 0, 0),
        3 or 5 or 6 => (0, 0, 0, 0),
        4 => Cache(subleaf),
        7 => (0, subleaf == 0 ? s_leaf7Ebx : 0, 0, 0),
        0x80000000 => (HighestExtendedLeaf, 0, 0, 0),
        0x80000001 => (0, 0, s_extendedEcx, is64 ? s_extendedEdx64 : s_extendedEdx),
        >= 0x80000002 and <= 0x80000004 => Brand((int)(leaf - 0x80000002) * 16),
        0x80000006 => (0, 0, 0x01006040, 0),
        0x80000007 => (0, 0, 0, s_timeEdx),
        0x80000008 => (0x00003027, 0, 0, 0),
        > 0x80000000 and <= HighestExtendedLeaf => (0, 0, 0, 0),
        _ => (0, subleaf == 0 ? s_leaf7Ebx : 0, 0, 0),
    };

    // 32 KiB data, 32 KiB code, 256 KiB, 8 MiB; lines of 64 bytes. EBX: ways - 1, partitions - 1, line size - 1; ECX: sets - 1.
    private static (uint Eax, uint Ebx, uint Ecx, uint Edx) Cache(uint index) => index switch
    {
        0 => (0x121, 0x01C0003F, 63, 0),
        1 => (0x122, 0x01C0003F, 63, 0),
        2 => (0x143, 0x01C0003F, 511, 0),
        3 => (0x163, 0x03C0003F, 8191, 6),
        _ => (0, 0, 0, 0),
    };

    private static (uint Eax, uint Ebx, uint Ecx, uint Edx) Brand(int at) =>
        (BitConverter.ToUInt32(s_brand, at), BitConverter.ToUInt32(s_brand, at + 4),
            BitConverter.ToUInt32(s_brand, at + 8), BitConverter.ToUInt32(s_brand, at + 12));

    // 1 GHz, invariant. In integers: guest code is running, and the host's MXCSR collects its flags.
    private static ulong TimeStamp(CpuState* s, ulong a, ulong b, ulong c)
    {
        var (seconds, rest) = Math.DivRem((ulong)Stopwatch.GetTimestamp(), (ulong)Stopwatch.Frequency);
        return (seconds * Frequency) + (rest * Frequency / (ulong)Stopwatch.Frequency);
    }
}
