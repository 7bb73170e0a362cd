using Iced.Intel;

namespace DynaTrans.Frontend.Decoding;

/// <summary>
/// What a modelled CPU has: the one description that cpuid, the lifter, control registers, the auxiliary vector and /proc/cpuinfo go by. A
/// feature is in <see cref="CpuFeatures"/> when its instructions are implemented, and in a model when the CPU that it stands for has it.
/// </summary>
public sealed class CpuModel
{
    // What has no name in /proc/cpuinfo, and which models have it not.
    private static readonly Dictionary<CpuidFeature, string[]> s_unnamed = new()
    {
        [CpuidFeature.MULTIBYTENOP] = ["486", "pentium"],
        [CpuidFeature.RDPMC] = ["486", "pentium"],
    };

    private readonly HashSet<string> _names;
    private readonly Lazy<bool[]> _lacking;

    private CpuModel(
        string name, uint signature, uint highestLeaf, uint highestExtendedLeaf, string brand, IEnumerable<CpuFeature> features, bool isWhole = false)
    {
        Name = name;
        Signature = signature;
        HighestLeaf = highestLeaf;
        HighestExtendedLeaf = highestExtendedLeaf;
        Brand = brand;
        Features = [.. features];
        _names = [.. Features.Where(f => f.IsPresent).Select(f => f.Name)];
        _lacking = new(FindLacking);
        IsWhole = isWhole;
    }

    /// <summary>The CPU of user code of a process: all that is implemented and may be used at ring 3.</summary>
    public static CpuModel Process { get; } =
        new("process", 0x000306C3, 7, 0x80000008, "DynaTrans virtual CPU", CpuFeatures.All.Where(f => !f.IsPrivileged), isWhole: true);

    /// <summary>A 486 with an FPU and cpuid (Intel486 DX2, family 4).</summary>
    public static CpuModel I486 { get; } = new("486", 0x0435, 1, 0, "", CpuFeatures.Select("fpu"));

    /// <summary>A Pentium (P54C, family 5).</summary>
    public static CpuModel Pentium { get; } = new("pentium", 0x052C, 1, 0, "", CpuFeatures.Select("fpu de pse tsc msr cx8 apic"));

    /// <summary>A Pentium III (Coppermine, family 6).</summary>
    public static CpuModel Pentium3 { get; } =
        new("pentium3", 0x0686, 2, 0, "", CpuFeatures.Select("fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat mmx fxsr sse"));

    /// <summary>
    /// The common part of all 64-bit processors. Family and model are those of an in-order processor (Atom N450), which no speculation leaks from:
    /// nor does it from this one, and systems need no mitigations.
    /// </summary>
    public static CpuModel Qemu64 { get; } = new(
        "qemu64", 0x000106CA, 0x16, 0x80000008, "DynaTrans virtual CPU",
        CpuFeatures.Select(
            "fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat clflush mmx fxsr sse sse2 syscall nx lm nonstop_tsc pni cx16 lahf_lm"));

    /// <summary>All that is implemented; family and model as <see cref="Qemu64"/>.</summary>
    public static CpuModel Max { get; } = new("max", 0x000106CA, 0x16, 0x80000008, "DynaTrans virtual CPU", CpuFeatures.All, isWhole: true);

    /// <summary>The models that a system can have.</summary>
    public static IReadOnlyList<CpuModel> All { get; } = [I486, Pentium, Pentium3, Qemu64, Max];

    /// <summary>The AES instructions are executed by the host's.</summary>
    public static bool HasAes => CpuFeatures.HasAes;

    /// <summary>pclmulqdq is executed by the host's.</summary>
    public static bool HasCarrylessMultiply => CpuFeatures.HasCarrylessMultiply;

    /// <summary>Its name as an option.</summary>
    public string Name { get; }

    /// <summary>Family, model and stepping, as cpuid leaf 1 gives them and EDX has them after RESET.</summary>
    public uint Signature { get; }

    /// <summary>The highest basic leaf of cpuid.</summary>
    public uint HighestLeaf { get; }

    /// <summary>The highest extended leaf; 0 when there are none.</summary>
    public uint HighestExtendedLeaf { get; }

    /// <summary>The brand string, empty when the CPU has none.</summary>
    public string Brand { get; }

    /// <summary>Its features, in the order of /proc/cpuinfo.</summary>
    public IReadOnlyList<CpuFeature> Features { get; }

    /// <summary>True when no instruction that is implemented is lacking.</summary>
    public bool IsWhole { get; }

    /// <summary>Bits of a physical address.</summary>
    public int PhysicalAddressBits => Has("lm") ? 39 : Has("pae") ? 36 : 32;

    /// <summary>The model of a name; null when there is none.</summary>
    public static CpuModel? Find(string name) => All.FirstOrDefault(m => m.Name == name);

    /// <summary>True when it has the feature of a name in /proc/cpuinfo.</summary>
    public bool Has(string name) => _names.Contains(name);

    /// <summary>The feature bits in a register of a leaf, as 32- or 64-bit code sees them.</summary>
    public uint Word(uint leaf, CpuidRegister register, bool is64)
    {
        var word = 0u;
        for (var i = 0; i < Features.Count; i++)
        {
            var feature = Features[i];
            if (feature.Leaf == leaf && feature.Register == register && feature.IsPresent && (is64 || feature.Name != CpuFeatures.SyscallName))
                word |= 1u << feature.Bit;
        }

        return word;
    }

    /// <summary>True when the instruction belongs to an extension that it has not, and raises #UD.</summary>
    public bool Lacks(Code code) => !IsWhole && _lacking.Value[(int)code];

    // Made of the extensions of each code: several hundred microseconds, once for a model.
    private bool[] FindLacking()
    {
        var lacking = new bool[Enum.GetValues<Code>().Length];
        for (var code = 0; code < lacking.Length; code++)
            foreach (var extension in ((Code)code).CpuidFeatures())
                lacking[code] |= IsLacking(extension);
        return lacking;
    }

    private bool IsLacking(CpuidFeature extension) =>
        CpuFeatures.NameOf(extension) is { } name ? !Has(name) : s_unnamed.TryGetValue(extension, out var models) && models.Contains(Name);
}
