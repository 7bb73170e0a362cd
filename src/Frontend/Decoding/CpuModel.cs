using System.Runtime.Intrinsics.X86;

namespace DynaTrans.Frontend.Decoding;

/// <summary>The register in which cpuid reports a feature.</summary>
public enum CpuidRegister
{
    /// <summary>EBX.</summary>
    Ebx,

    /// <summary>ECX.</summary>
    Ecx,

    /// <summary>EDX.</summary>
    Edx,
}

/// <summary>A feature that the modelled CPU may have.</summary>
/// <param name="Name">Its name in /proc/cpuinfo.</param>
/// <param name="Leaf">The cpuid leaf (subleaf 0) that reports it.</param>
/// <param name="Register">The register that reports it.</param>
/// <param name="Bit">The bit that reports it.</param>
/// <param name="IsPresent">False when its instructions raise #UD.</param>
public readonly record struct CpuFeature(string Name, uint Leaf, CpuidRegister Register, int Bit, bool IsPresent = true);

/// <summary>
/// What the modelled CPU has: the one table that cpuid, the lifter, the auxiliary vector and /proc/cpuinfo go by. A feature is here when
/// the lifter implements its instructions; those made of host instructions are present when the host has these.
/// </summary>
public static class CpuModel
{
    private const uint Extended = 0x80000001;

    // Exists in 64-bit code only, and only there cpuid reports it (SDM Vol. 2, CPUID).
    private const string SyscallName = "syscall";

    /// <summary>The AES instructions are executed by the host's.</summary>
    public static bool HasAes => Aes.IsSupported;

    /// <summary>pclmulqdq is executed by the host's.</summary>
    public static bool HasCarrylessMultiply => Pclmulqdq.IsSupported;

    /// <summary>All features, in the order of /proc/cpuinfo.</summary>
    public static IReadOnlyList<CpuFeature> Features { get; } =
    [
        new("fpu", 1, CpuidRegister.Edx, 0),
        new("tsc", 1, CpuidRegister.Edx, 4),
        new("cx8", 1, CpuidRegister.Edx, 8),
        new("sep", 1, CpuidRegister.Edx, 11),
        new("cmov", 1, CpuidRegister.Edx, 15),
        new("clflush", 1, CpuidRegister.Edx, 19),
        new("mmx", 1, CpuidRegister.Edx, 23),
        new("fxsr", 1, CpuidRegister.Edx, 24),
        new("sse", 1, CpuidRegister.Edx, 25),
        new("sse2", 1, CpuidRegister.Edx, 26),
        new(SyscallName, Extended, CpuidRegister.Edx, 11),
        new("nx", Extended, CpuidRegister.Edx, 20),
        new("rdtscp", Extended, CpuidRegister.Edx, 27),
        new("lm", Extended, CpuidRegister.Edx, 29),
        new("nonstop_tsc", 0x80000007, CpuidRegister.Edx, 8),
        new("pni", 1, CpuidRegister.Ecx, 0),
        new("pclmulqdq", 1, CpuidRegister.Ecx, 1, HasCarrylessMultiply),
        new("ssse3", 1, CpuidRegister.Ecx, 9),
        new("cx16", 1, CpuidRegister.Ecx, 13),
        new("sse4_1", 1, CpuidRegister.Ecx, 19),
        new("sse4_2", 1, CpuidRegister.Ecx, 20),
        new("movbe", 1, CpuidRegister.Ecx, 22),
        new("popcnt", 1, CpuidRegister.Ecx, 23),
        new("aes", 1, CpuidRegister.Ecx, 25, HasAes),
        new("lahf_lm", Extended, CpuidRegister.Ecx, 0),
        new("abm", Extended, CpuidRegister.Ecx, 5),
        new("3dnowprefetch", Extended, CpuidRegister.Ecx, 8),
        new("fsgsbase", 7, CpuidRegister.Ebx, 0),
        new("bmi1", 7, CpuidRegister.Ebx, 3),
        new("bmi2", 7, CpuidRegister.Ebx, 8),
        new("erms", 7, CpuidRegister.Ebx, 9),
    ];

    /// <summary>The feature bits in a register of a leaf, as 32- or 64-bit code sees them.</summary>
    public static uint Word(uint leaf, CpuidRegister register, bool is64)
    {
        var word = 0u;
        for (var i = 0; i < Features.Count; i++)
        {
            var feature = Features[i];
            if (feature.Leaf == leaf && feature.Register == register && feature.IsPresent && (is64 || feature.Name != SyscallName))
                word |= 1u << feature.Bit;
        }

        return word;
    }
}
