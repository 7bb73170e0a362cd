using System.Runtime.CompilerServices;
using System.Text;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>cpuid and the time-stamp counter. The features that cpuid advertises are those of <see cref="CpuModel"/> (SDM Vol. 2, CPUID).</summary>
public static unsafe class Processor
{
    // FCS and FDS are saved as 0 (deprecated).
    private const uint NoX87Selectors = 1 << 13;

    private const uint LocalApicBit = 1 << 9, DeadlineBit = 1 << 24;

    private static readonly ConditionalWeakTable<CpuModel, Leaves> s_leaves = [];

    internal static void RegisterHelpers()
    {
        const HelperEffects Both = HelperEffects.ReadsState | HelperEffects.WritesState;
        HelperTable.Add(HelperId.Cpuid, &Cpuid, typeof(Processor), nameof(Cpuid), Both);
        HelperTable.Add(HelperId.TimeStamp, &TimeStamp, typeof(Processor), nameof(TimeStamp),
            HelperEffects.ReadsState | HelperEffects.NotRepeatable | HelperEffects.Recounts);
    }

    [UnderHostMxcsr]
    private static ulong Cpuid(CpuState* s, ulong a, ulong b, ulong c)
    {
        var mxcsr = HostMxcsr.Suspend();
        var r = s->Slots;
        var mode = CpuAccess.Mode(s);
        var (eax, ebx, ecx, edx) = Leaf((uint)r[Slot.Rax], (uint)r[Slot.Rcx], mode.Is64(), Vcpu.Of(s).Model);
        if (mode.IsSystem() && (uint)r[Slot.Rax] == 1)
            ShowLocalApic(s, ref ecx, ref edx);
        r[Slot.Rax] = eax;
        r[Slot.Rbx] = ebx;
        r[Slot.Rcx] = ecx;
        r[Slot.Rdx] = edx;
        HostMxcsr.Resume(mxcsr);
        return 0;
    }

    // What IA32_APIC_BASE has disabled, or is not there, cpuid does not report.
    private static void ShowLocalApic(CpuState* s, ref uint ecx, ref uint edx)
    {
        const ulong Enable = 1 << 11;
        if (Vcpu.Of(s).LocalApic != null && (s->System.ApicBase & Enable) != 0)
            return;
        ecx &= ~DeadlineBit;
        edx &= ~LocalApicBit;
    }

    /// <summary>What cpuid gives for a model, in a process by default. A leaf beyond the highest answers as the highest basic one (SDM Vol. 2, CPUID).</summary>
    public static (uint Eax, uint Ebx, uint Ecx, uint Edx) Leaf(uint leaf, uint subleaf, bool is64, CpuModel? model = null)
    {
        model ??= CpuModel.Process;
        var leaves = s_leaves.GetValue(model, static m => new Leaves(m));
        if (leaf > model.HighestLeaf && (leaf < 0x80000000 || leaf > model.HighestExtendedLeaf))
            leaf = model.HighestLeaf;
        return leaf switch
        {
            0 => (model.HighestLeaf, 0x756E6547, 0x6C65746E, 0x49656E69),
            1 => (model.Signature, leaves.Leaf1Ebx, leaves.Leaf1Ecx, leaves.Leaf1Edx),

            // Caches and TLBs: in leaf 4 (descriptor FF), or where there is none those of a Pentium III.
            2 when model.HighestLeaf >= 4 => (0x00FEFF01, 0, 0, 0),
            2 => (0x03020101, 0, 0, 0x0C040882),
            4 => Cache(subleaf),
            7 => (0, subleaf == 0 ? leaves.Leaf7Ebx : 0, subleaf == 0 ? leaves.Leaf7Ecx : 0, 0),

            // The ratio of the time-stamp counter to its crystal, and the frequency of the latter; base, highest and bus frequency in MHz.
            0x15 => (1, 1, (uint)TimeStamps.Frequency, 0),
            0x16 => ((uint)(TimeStamps.Frequency / 1_000_000), (uint)(TimeStamps.Frequency / 1_000_000), 100, 0),
            0x80000000 => (model.HighestExtendedLeaf, 0, 0, 0),
            0x80000001 => (0, 0, leaves.ExtendedEcx, is64 ? leaves.ExtendedEdx64 : leaves.ExtendedEdx),
            >= 0x80000002 and <= 0x80000004 => leaves.Brand((int)(leaf - 0x80000002) * 16),
            0x80000006 => (0, 0, 0x01006040, 0),
            0x80000007 => (0, 0, 0, leaves.TimeEdx),
            0x80000008 => ((uint)model.PhysicalAddressBits | 0x3000, 0, 0, 0),
            _ => (0, 0, 0, 0),
        };
    }

    // 32 KiB data, 32 KiB code, 256 KiB, 8 MiB; lines of 64 bytes. EBX: ways - 1, partitions - 1, line size - 1; ECX: sets - 1.
    private static (uint Eax, uint Ebx, uint Ecx, uint Edx) Cache(uint index) => index switch
    {
        0 => (0x121, 0x01C0003F, 63, 0),
        1 => (0x122, 0x01C0003F, 63, 0),
        2 => (0x143, 0x01C0003F, 511, 0),
        3 => (0x163, 0x03C0003F, 8191, 6),
        _ => (0, 0, 0, 0),
    };

    private static ulong TimeStamp(CpuState* s, ulong a, ulong b, ulong c) => TimeStamps.Read(s);

    // What cpuid says of a model's features, made once: 64 bits of CLFLUSH line size and one logical processor in EBX of leaf 1.
    private sealed class Leaves(CpuModel model)
    {
        private readonly byte[] _brand = Encoding.ASCII.GetBytes(model.Brand.PadRight(48, '\0'));

        public uint Leaf1Ebx { get; } = 0x00010000 | (model.Has("clflush") ? 0x800u : 0);

        public uint Leaf1Ecx { get; } = model.Word(1, CpuidRegister.Ecx, true);

        public uint Leaf1Edx { get; } = model.Word(1, CpuidRegister.Edx, true);

        public uint Leaf7Ebx { get; } = model.Word(7, CpuidRegister.Ebx, true) | (model.HighestLeaf >= 7 ? NoX87Selectors : 0);

        public uint Leaf7Ecx { get; } = model.Word(7, CpuidRegister.Ecx, true);

        public uint ExtendedEcx { get; } = model.Word(0x80000001, CpuidRegister.Ecx, true);

        public uint ExtendedEdx { get; } = model.Word(0x80000001, CpuidRegister.Edx, false);

        public uint ExtendedEdx64 { get; } = model.Word(0x80000001, CpuidRegister.Edx, true);

        public uint TimeEdx { get; } = model.Word(0x80000007, CpuidRegister.Edx, true);

        public (uint Eax, uint Ebx, uint Ecx, uint Edx) Brand(int at) =>
            (BitConverter.ToUInt32(_brand, at), BitConverter.ToUInt32(_brand, at + 4),
                BitConverter.ToUInt32(_brand, at + 8), BitConverter.ToUInt32(_brand, at + 12));
    }
}
