using System.Diagnostics;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;
using Xunit.Abstractions;

namespace DynaTrans.Pc.Tests.Systems;

/// <summary>
/// Guests that do their worst (<see cref="HostileGuest"/>): the host process goes on, memory outside the guest's RAM is not written, and interpreter and
/// translator make the same of it. HOSTILE_SEED and HOSTILE_ROUNDS choose other states, and more of them, than a test run has time for.
/// </summary>
public unsafe class HostileSystemTests(ITestOutputHelper output)
{
    private const ulong RoundInstructions = 10_000, ComparedInstructions = 150;
    private const int MostRestarts = 100;

    // A round may be long, as when a string instruction fills 4 GiB. It has to end when that is asked for, soon.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1), s_end = TimeSpan.FromSeconds(20);

    private static readonly int s_seed = Setting("HOSTILE_SEED", 20_000);
    private static readonly int s_rounds = Setting("HOSTILE_ROUNDS", 300);

    [Fact]
    public void TheHostSurvivesByTheInterpreter() => Survive(SystemEngine.Interpreter, s_rounds);

    [Fact]
    public void TheHostSurvivesByTheTranslator() => Survive(SystemEngine.Warm, s_rounds / 3);

    [Fact]
    public void InterpreterAndTranslatorAgree()
    {
        using var interpreted = new TestSystem(SystemEngine.Interpreter, HostileGuest.RamEnd);
        using var translated = new TestSystem(SystemEngine.Translator, HostileGuest.RamEnd);
        var guest = new HostileGuest();
        var a = new byte[HostileGuest.RamEnd];
        var b = new byte[HostileGuest.RamEnd];
        for (var round = 0; round < s_rounds / 10; round++)
        {
            var name = guest.Apply(interpreted, s_seed + round);
            guest.Apply(translated, s_seed + round);
            ExitCause causeA, causeB;
            using (Watch(name, interpreted))
                causeA = interpreted.Run(ComparedInstructions);
            using (Watch(name, translated))
                causeB = translated.Run(ComparedInstructions);
            if (interpreted.WasInterrupted || translated.WasInterrupted)
                continue;
            var differences = Compare(interpreted.State, translated.State);
            if (causeA != causeB)
                differences.Add($"stopped for {causeA}, {causeB}");
            interpreted.Memory.Read(0, a);
            translated.Memory.Read(0, b);
            var at = a.AsSpan().CommonPrefixLength(b);
            if (at != a.Length)
                differences.Add($"memory at {at:x}: {a[at]:x2}, {b[at]:x2}");
            Assert.True(differences.Count == 0, $"{name}: interpreter, translator:\n{string.Join('\n', differences)}");
        }
    }

    private static int Setting(string name, int value) => int.TryParse(Environment.GetEnvironmentVariable(name), out var set) ? set : value;

    // A guest that cannot be stopped takes the process with it, and the seed is in its last words.
    private static Timer Watch(string name, TestSystem system)
    {
        var isAsked = false;
        return new Timer(
            _ =>
            {
                if (isAsked)
                    Environment.FailFast($"a hostile guest cannot be stopped: {name}");
                isAsked = true;
                system.Interrupt();
            },
            null, s_patience, s_end);
    }

    private static List<string> Compare(CpuState* a, CpuState* b)
    {
        var differences = new List<string>();

        // The upper halves of registers are undefined after 32-bit code (SDM Vol. 1, 3.4.1.1).
        var mask = CpuAccess.Mode(a).Is64() ? ulong.MaxValue : uint.MaxValue;
        for (var slot = 0; slot < Slot.Temp0; slot++)
            if (slot is not (Slot.Void or Slot.FlagsOp or Slot.FlagsRes or Slot.FlagsSrc or Slot.FlagsAux or Slot.Eflags))
                Add(Slot.Name((ushort)slot), a->Slots[slot] & (slot < 16 ? mask : ulong.MaxValue), b->Slots[slot] & (slot < 16 ? mask : ulong.MaxValue));
        Add("eflags", CpuAccess.GetEflags(a), CpuAccess.GetEflags(b));
        Add("mode", a->Mode, b->Mode);
        Add("instructions", a->Execution.InstructionCount, b->Execution.InstructionCount);
        Add("fsw", a->Fsw, b->Fsw);
        Add("mxcsr", a->Mxcsr, b->Mxcsr);
        for (var i = 0; i < 6; i++)
        {
            Add($"selector {i}", CpuAccess.Segment(a, i)->Selector, CpuAccess.Segment(b, i)->Selector);
            Add($"attributes {i}", CpuAccess.Segment(a, i)->Attributes, CpuAccess.Segment(b, i)->Attributes);
            Add($"limit {i}", CpuAccess.Segment(a, i)->Limit, CpuAccess.Segment(b, i)->Limit);
        }

        Add("cr0", a->System.Cr0, b->System.Cr0);
        Add("cr2", a->System.Cr2, b->System.Cr2);
        Add("cr3", a->System.Cr3, b->System.Cr3);
        Add("cr4", a->System.Cr4, b->System.Cr4);
        Add("efer", a->System.Efer, b->System.Efer);
        Add("dr6", a->System.Dr6, b->System.Dr6);
        Add("dr7", a->System.Dr7, b->System.Dr7);
        Add("tr", a->System.Tr.Selector, b->System.Tr.Selector);
        Add("ldtr", a->Ldtr.Selector, b->Ldtr.Selector);
        Add("gdtr", a->Gdtr.Base, b->Gdtr.Base);
        Add("idtr", a->System.Idtr.Base, b->System.Idtr.Base);
        return differences;

        void Add(string name, ulong x, ulong y)
        {
            if (x != y)
                differences.Add($"{name}: {x:x}, {y:x}");
        }
    }

    private void Survive(SystemEngine engine, int rounds)
    {
        using var system = new TestSystem(engine, HostileGuest.RamEnd);
        var rom = new byte[0x1000];
        Array.Fill(rom, (byte)0xF4);
        system.LoadRom(rom);
        var guest = new HostileGuest();
        var clock = Stopwatch.StartNew();
        ulong executed = 0;
        var interrupted = 0;
        for (var round = 0; round < rounds; round++)
        {
            var name = guest.Apply(system, s_seed + round);
            using var watch = Watch(name, system);
            var before = system.State->Execution.InstructionCount + system.Traps;
            ulong done = 0;
            try
            {
                for (var starts = 0; starts < MostRestarts && done < RoundInstructions && !system.WasInterrupted; starts++)
                {
                    system.Run(RoundInstructions - done);
                    done = system.State->Execution.InstructionCount + system.Traps - before;
                    guest.Restart(system.State);
                }
            }
            catch (Exception e)
            {
                throw new InvalidOperationException(name, e);
            }

            executed += done;
            interrupted += system.WasInterrupted ? 1 : 0;
        }

        var now = new byte[rom.Length];
        system.Memory.Read((1UL << 32) - (ulong)rom.Length, now);
        Assert.Equal(rom, now);
        output.WriteLine(
            $"{engine}, seeds from {s_seed}: {rounds} states, {executed} instructions and traps in {clock.Elapsed.TotalSeconds:f1} s, {system.Shutdowns} shutdowns, "
            + $"{system.DeviceAccesses} device accesses, {interrupted} states stopped");
    }
}
