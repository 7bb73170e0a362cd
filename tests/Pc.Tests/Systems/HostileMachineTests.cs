using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.Translation;
using Xunit.Abstractions;

namespace DynaTrans.Pc.Tests.Systems;

/// <summary>
/// The guests of <see cref="HostileGuest"/> on whole PCs: their chips, interrupts and DMA too. The host process goes on, a machine ends soon after it is told to, and
/// nothing but RAM and ROM is touched of the host addresses that guest-physical ones lead to: there the host raises SIGSEGV. HOSTILE_SEED and HOSTILE_ROUNDS choose
/// other guests, and more of them.
/// </summary>
public sealed unsafe partial class HostileMachineTests(ITestOutputHelper output) : IDisposable
{
    private const int RomSize = 0x1000, GuardedPages = 16;
    private const ulong RamSize = 1 << 20;
    private const int NoAccess = 0;

    // A machine is told to end after the first time, and has to have done so after the second. All rounds of a test end after the third.
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(60), s_end = TimeSpan.FromSeconds(60), s_all = TimeSpan.FromSeconds(25);

    private static readonly int s_seed = Setting("HOSTILE_SEED", 40_000);
    private static readonly int s_rounds = Setting("HOSTILE_ROUNDS", 150);

    private readonly string _folder = Directory.CreateTempSubdirectory("hostile").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void TheHostSurvives(bool isTranslated, bool isCounted)
    {
        var rom = Path.Combine(_folder, "rom");
        var contents = new byte[RomSize];
        Array.Fill(contents, (byte)0xF4);
        File.WriteAllBytes(rom, contents);
        var clock = Stopwatch.StartNew();
        var ends = new int[Enum.GetValues<EndCause>().Length];
        ulong executed = 0;
        var round = 0;
        for (; round < s_rounds && (clock.Elapsed < s_all || IsChosen); round++)
        {
            var (end, instructions) = RunOne(rom, contents, isTranslated, isCounted, s_seed + round);
            ends[(int)end]++;
            executed += instructions;
        }

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"seeds from {s_seed}: {round} machines, {executed} instructions in {clock.Elapsed.TotalSeconds:f1} s, ends: {string.Join(", ", ends.Select((n, i) => $"{n} {(EndCause)i}"))}"));
    }

    private static bool IsChosen => Environment.GetEnvironmentVariable("HOSTILE_ROUNDS") != null;

    private static (EndCause End, ulong Instructions) RunOne(string rom, byte[] contents, bool isTranslated, bool isCounted, int seed)
    {
        Vcpu? vcpu = null;
        using var machine = new PcMachine(new PcOptions
        {
            Memory = (long)RamSize,
            Rom = rom,
            CountsInstructions = isCounted,
            TranslatorFactory = () => isTranslated ? Translator(isCounted) : null,
            VcpuCreated = made => vcpu = made,
        });
        var memory = vcpu!.Cache.Memory;
        Guard(memory);
        var name = new HostileGuest(hasDevices: true).Apply(memory, vcpu.State, seed);
        MachineEnd end;
        using (var watch = Watch(name, machine))
            try
            {
                end = machine.Run();
            }
            catch (Exception e)
            {
                throw new InvalidOperationException(name, e);
            }

        var now = new byte[RomSize];
        memory.Read((1UL << 32) - RomSize, now);
        Assert.True(contents.AsSpan().SequenceEqual(now), $"{name}: the ROM has changed");
        return (end.Cause, vcpu.State->Execution.InstructionCount);
    }

    private static Translator Translator(bool isCounted) =>
        new(new TranslatorOptions(20, Background: !isCounted, CountInstructions: isCounted, Access: AccessForm.Lookaside));

    // What is neither RAM nor ROM may not be touched.
    private static void Guard(AddressSpace memory)
    {
        (ulong Start, ulong End)[] ranges =
        [
            (PhysicalMemory.LowEnd, PhysicalMemory.HighStart - RomSize),
            (Math.Max(RamSize, PhysicalMemory.HighStart), (1UL << 32) - RomSize),
            (1UL << 32, 1UL << PhysicalMemory.AddressBits),
        ];
        foreach (var (start, end) in ranges)
        {
            for (var page = start; page < start + (GuardedPages * AddressSpace.PageSize); page += AddressSpace.PageSize)
                Assert.Equal(PagePermission.None, memory.Query(page) & (PagePermission.Read | PagePermission.Write));
            Assert.Equal(0, ProtectPages(memory.Base + start, (nuint)(end - start), NoAccess));
        }
    }

    // A machine that cannot be stopped takes the process with it, and the seed is in its last words.
    private static Timer Watch(string name, PcMachine machine)
    {
        var isAsked = false;
        return new Timer(
            _ =>
            {
                if (isAsked)
                    Environment.FailFast($"a hostile guest cannot be stopped: {name}");
                isAsked = true;
                machine.Quit();
            },
            null, s_patience, s_end);
    }

    private static int Setting(string name, int value) => int.TryParse(Environment.GetEnvironmentVariable(name), out var set) ? set : value;

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int ProtectPages(byte* address, nuint length, int protection);
}
