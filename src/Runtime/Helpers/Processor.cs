using System.Diagnostics;
using System.Text;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>cpuid and the time-stamp counter. cpuid advertises exactly what the lifter implements (SDM Vol. 2, CPUID).</summary>
public static unsafe class Processor
{
    // Of the time-stamp counter.
    private const ulong Frequency = 1_000_000_000;

    private const uint HighestBasicLeaf = 7;
    private const uint HighestExtendedLeaf = 0x80000008;

    // Family 6, model 3C, stepping 3.
    private const uint Signature = 0x000306C3;

    // FPU TSC CX8 SEP CMOV CLFSH MMX FXSR SSE SSE2.
    private const uint Leaf1Edx = 1 | (1 << 4) | (1 << 8) | (1 << 11) | (1 << 15) | (1 << 19) | (1 << 23) | (1 << 24) | (1 << 25) | (1 << 26);

    // SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES.
    private const uint Leaf1Ecx = 1 | (1 << 1) | (1 << 9) | (1 << 13) | (1 << 19) | (1 << 20) | (1 << 22) | (1 << 23) | (1 << 25);

    // FSGSBASE BMI1 BMI2 ERMS, and no FCS and FDS (they are saved as 0).
    private const uint Leaf7Ebx = 1 | (1 << 3) | (1 << 8) | (1 << 9) | (1 << 13);

    // LAHF in 64-bit code, LZCNT, PREFETCHW.
    private const uint ExtendedEcx = 1 | (1 << 5) | (1 << 8);

    // NX, RDTSCP, long mode; SYSCALL (bit 11) in 64-bit code only.
    private const uint ExtendedEdx = (1 << 20) | (1 << 27) | (1 << 29);

    private static readonly byte[] s_brand = Encoding.ASCII.GetBytes("DynaTrans virtual CPU".PadRight(48, '\0'));

    internal static void RegisterHelpers()
    {
        const HelperEffects Both = HelperEffects.ReadsState | HelperEffects.WritesState;
        HelperTable.Add(HelperId.Cpuid, &Cpuid, typeof(Processor), nameof(Cpuid), Both);
        HelperTable.Add(HelperId.TimeStamp, &TimeStamp, typeof(Processor), nameof(TimeStamp), HelperEffects.ReadsState);
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
        1 => (Signature, 0x00010800, Leaf1Ecx, Leaf1Edx),
        2 => (0x00FEFF01, 0, 0, 0),
        3 or 5 or 6 => (0, 0, 0, 0),
        4 => Cache(subleaf),
        7 => (0, subleaf == 0 ? Leaf7Ebx : 0, 0, 0),
        0x80000000 => (HighestExtendedLeaf, 0, 0, 0),
        0x80000001 => (0, 0, ExtendedEcx, is64 ? ExtendedEdx | (1 << 11) : ExtendedEdx),
        >= 0x80000002 and <= 0x80000004 => Brand((int)(leaf - 0x80000002) * 16),
        0x80000006 => (0, 0, 0x01006040, 0),
        0x80000007 => (0, 0, 0, 1 << 8),
        0x80000008 => (0x00003027, 0, 0, 0),
        > 0x80000000 and <= HighestExtendedLeaf => (0, 0, 0, 0),
        _ => (0, subleaf == 0 ? Leaf7Ebx : 0, 0, 0),
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
