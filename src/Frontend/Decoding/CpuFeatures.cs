using System.Runtime.Intrinsics.X86;
using Iced.Intel;

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

/// <summary>A feature that a modelled CPU may have.</summary>
/// <param name="Name">Its name in /proc/cpuinfo.</param>
/// <param name="Leaf">The cpuid leaf (subleaf 0) that reports it.</param>
/// <param name="Register">The register that reports it.</param>
/// <param name="Bit">The bit that reports it.</param>
/// <param name="IsPresent">False when its instructions raise #UD.</param>
/// <param name="IsPrivileged">It is of use to a system only, and user code of a process is not told of it.</param>
public readonly record struct CpuFeature(string Name, uint Leaf, CpuidRegister Register, int Bit, bool IsPresent = true, bool IsPrivileged = false);

/// <summary>
/// All features that are implemented. Those made of host instructions are present when the host has these.
/// </summary>
internal static class CpuFeatures
{
    /// <summary>Exists in 64-bit code only, and only there cpuid reports it (SDM Vol. 2, CPUID).</summary>
    public const string SyscallName = "syscall";

    private const uint Extended = 0x80000001;

    private static readonly Dictionary<CpuidFeature, string> s_names = new()
    {
        [CpuidFeature.FPU] = "fpu", [CpuidFeature.TSC] = "tsc", [CpuidFeature.MSR] = "msr", [CpuidFeature.CX8] = "cx8", [CpuidFeature.SEP] = "sep",
        [CpuidFeature.CMOV] = "cmov", [CpuidFeature.CLFSH] = "clflush", [CpuidFeature.MMX] = "mmx", [CpuidFeature.FXSR] = "fxsr",
        [CpuidFeature.SSE] = "sse", [CpuidFeature.SSE2] = "sse2", [CpuidFeature.SYSCALL] = SyscallName, [CpuidFeature.RDTSCP] = "rdtscp",
        [CpuidFeature.SSE3] = "pni", [CpuidFeature.PCLMULQDQ] = "pclmulqdq", [CpuidFeature.SSSE3] = "ssse3", [CpuidFeature.CMPXCHG16B] = "cx16",
        [CpuidFeature.SSE4_1] = "sse4_1", [CpuidFeature.SSE4_2] = "sse4_2", [CpuidFeature.MOVBE] = "movbe", [CpuidFeature.POPCNT] = "popcnt",
        [CpuidFeature.AES] = "aes", [CpuidFeature.LZCNT] = "abm", [CpuidFeature.FSGSBASE] = "fsgsbase", [CpuidFeature.BMI1] = "bmi1",
        [CpuidFeature.BMI2] = "bmi2", [CpuidFeature.SMAP] = "smap",
    };

    /// <summary>The AES instructions are executed by the host's.</summary>
    public static bool HasAes => Aes.IsSupported;

    /// <summary>pclmulqdq is executed by the host's.</summary>
    public static bool HasCarrylessMultiply => Pclmulqdq.IsSupported;

    /// <summary>All features, in the order of /proc/cpuinfo.</summary>
    public static IReadOnlyList<CpuFeature> All { get; } =
    [
        new("fpu", 1, CpuidRegister.Edx, 0),
        new("de", 1, CpuidRegister.Edx, 2, IsPrivileged: true),
        new("pse", 1, CpuidRegister.Edx, 3, IsPrivileged: true),
        new("tsc", 1, CpuidRegister.Edx, 4),
        new("msr", 1, CpuidRegister.Edx, 5, IsPrivileged: true),
        new("pae", 1, CpuidRegister.Edx, 6, IsPrivileged: true),
        new("mce", 1, CpuidRegister.Edx, 7, IsPrivileged: true),
        new("cx8", 1, CpuidRegister.Edx, 8),
        new("apic", 1, CpuidRegister.Edx, 9, IsPrivileged: true),
        new("sep", 1, CpuidRegister.Edx, 11),
        new("mtrr", 1, CpuidRegister.Edx, 12, IsPrivileged: true),
        new("pge", 1, CpuidRegister.Edx, 13, IsPrivileged: true),
        new("mca", 1, CpuidRegister.Edx, 14, IsPrivileged: true),
        new("cmov", 1, CpuidRegister.Edx, 15),
        new("pat", 1, CpuidRegister.Edx, 16, IsPrivileged: true),
        new("clflush", 1, CpuidRegister.Edx, 19),
        new("mmx", 1, CpuidRegister.Edx, 23),
        new("fxsr", 1, CpuidRegister.Edx, 24),
        new("sse", 1, CpuidRegister.Edx, 25),
        new("sse2", 1, CpuidRegister.Edx, 26),
        new(SyscallName, Extended, CpuidRegister.Edx, 11),
        new("nx", Extended, CpuidRegister.Edx, 20),
        new("pdpe1gb", Extended, CpuidRegister.Edx, 26, IsPrivileged: true),
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
        new("tsc_deadline_timer", 1, CpuidRegister.Ecx, 24, IsPrivileged: true),
        new("aes", 1, CpuidRegister.Ecx, 25, HasAes),
        new("lahf_lm", Extended, CpuidRegister.Ecx, 0),
        new("abm", Extended, CpuidRegister.Ecx, 5),
        new("3dnowprefetch", Extended, CpuidRegister.Ecx, 8),
        new("fsgsbase", 7, CpuidRegister.Ebx, 0),
        new("tsc_adjust", 7, CpuidRegister.Ebx, 1, IsPrivileged: true),
        new("bmi1", 7, CpuidRegister.Ebx, 3),
        new("smep", 7, CpuidRegister.Ebx, 7, IsPrivileged: true),
        new("bmi2", 7, CpuidRegister.Ebx, 8),
        new("erms", 7, CpuidRegister.Ebx, 9),
        new("smap", 7, CpuidRegister.Ebx, 20, IsPrivileged: true),
        new("umip", 7, CpuidRegister.Ecx, 2, IsPrivileged: true),
    ];

    /// <summary>Those of a list of names, in the order of /proc/cpuinfo.</summary>
    public static IEnumerable<CpuFeature> Select(string names)
    {
        var set = names.Split(' ');
        return All.Where(f => set.Contains(f.Name));
    }

    /// <summary>The name of the feature that an extension of the instruction set belongs to; null when it is none of these.</summary>
    public static string? NameOf(CpuidFeature extension) => s_names.GetValueOrDefault(extension);
}
