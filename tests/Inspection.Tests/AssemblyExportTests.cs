using System.Reflection;
using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Inspection.Assemblies;
using DynaTrans.Inspection.Text;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;
using Xunit.Abstractions;

namespace DynaTrans.Inspection.Tests;

/// <summary>
/// A translation exported as an assembly and loaded back does what the interpreter does and leaves the very state that the DynamicMethod
/// leaves, on random states, faults included.
/// </summary>
public sealed unsafe class AssemblyExportTests(ITestOutputHelper output)
{
    private const ulong Code = 0x401000;
    private const ulong Data = 0x500000;
    private const int DataSize = 2 * AddressSpace.PageSize;
    private const int Rounds = 200;
    private const int Seed = 20250714;

    [Theory]
    [InlineData("48 8B 44 F7 10 48 83 C0 05 39 C8 88 44 24 F8 7C 7F", GuestMode.Linux64, true)] // load, add, cmp, store, jl
    [InlineData("48 8B 44 F7 10 48 83 C0 05 39 C8 88 44 24 F8 7C 7F", GuestMode.Linux64, false)]
    [InlineData("01 D8 11 CA 19 F7 0F 94 C1 0F 4F C3 C3", GuestMode.Linux64, true)] // add, adc, sbb, sete, cmovg, ret
    [InlineData("01 D8 11 CA 19 F7 0F 94 C1 0F 4F C3 C3", GuestMode.Linux64, false)]
    [InlineData("41 54 50 48 0F AF C3 D3 E2 48 D1 F8 C1 C6 07 58 41 5C 0F 85 10 00 00 00", GuestMode.Linux64, true)] // push, imul, shifts, pop, jne
    [InlineData("41 54 50 48 0F AF C3 D3 E2 48 D1 F8 C1 C6 07 58 41 5C 0F 85 10 00 00 00", GuestMode.Linux64, false)]
    [InlineData("F3 0F 6F 06 66 0F FE C1 66 0F EF D3 0F 29 07 0F 11 4F 11 EB 10", GuestMode.Linux64, true)] // SSE: an aligned store may raise #GP
    [InlineData("F3 0F 6F 06 66 0F FE C1 66 0F EF D3 0F 29 07 0F 11 4F 11 EB 10", GuestMode.Linux64, false)]
    [InlineData("F7 F1 0F B6 C8 FF C3 75 10", GuestMode.Linux64, true)] // div may raise #DE
    [InlineData("F7 F1 0F B6 C8 FF C3 75 10", GuestMode.Linux64, false)]
    [InlineData("8B 44 B7 10 83 C0 05 66 01 C3 FE C1 89 07 55 89 E5 E8 10 00 00 00", GuestMode.Linux32, true)] // 16- and 8-bit parts, call
    [InlineData("8B 44 B7 10 83 C0 05 66 01 C3 FE C1 89 07 55 89 E5 E8 10 00 00 00", GuestMode.Linux32, false)]
    [InlineData("8B 03 A8 04 0F 45 C1 99 F7 D9 0F BC D0 31 C9 E2 10", GuestMode.Linux32, true)] // test, cmov, cdq, neg, bsf, loop
    [InlineData("8B 03 A8 04 0F 45 C1 99 F7 D9 0F BC D0 31 C9 E2 10", GuestMode.Linux32, false)]
    [InlineData("CD 80", GuestMode.Linux32, true)] // an exit to the kernel
    [InlineData("CD 80", GuestMode.Linux32, false)]
    public void LoadedBackComputesTheSame(string bytes, GuestMode mode, bool slowPaths)
    {
        output.WriteLine($"seed {Seed}");
        using var machine = Machine.Create(mode);
        var memory = machine.Memory;
        memory.Map(Code, AddressSpace.PageSize, PagePermission.Read | PagePermission.Execute | PagePermission.Write);
        memory.Map(Data, DataSize, PagePermission.Read | PagePermission.Write);
        memory.Write(Code, Convert.FromHexString(bytes.Replace(" ", "")));
        var region = BlockDump.Lift(memory, Code, mode);
        var slow = region.Blocks[0].Addresses.Where(_ => slowPaths).ToDictionary(rip => rip, _ => AccessHistory.Slow);
        var loaded = LoadBack(BlockDump.Create([new DumpInput(region, memory.Read) { Histories = slow }]));
        var compiled = CompiledRegion.TryCompile(region, new KnownHistories(slow), default, out _)!;
        compiled.Bind(target => (nint)DetachedLinks.Cell(target));
        var vcpu = machine.AddVcpu(mode);
        var s = vcpu.State;
        var random = new Random(Seed);
        var faults = 0;
        for (var round = 0; round < Rounds; round++)
        {
            Randomise(s, memory, random, mode.Is64());
            var start = Snapshot(s, memory);
            vcpu.Run((ulong)region.Blocks[0].Addresses.Length);
            var interpreted = Snapshot(s, memory);

            Restore(start, s, memory);
            Execute((delegate*<CpuState*, EntryCell*, nint, void>)compiled.Code, s, compiled.Links);
            var translated = Snapshot(s, memory);
            var left = s->Execution.ExitCauseValue is (int)ExitCause.Exception or (int)ExitCause.SlowAccess;
            faults += left ? 1 : 0;

            Restore(start, s, memory);
            Execute((delegate*<CpuState*, EntryCell*, nint, void>)loaded, s, null);
            var exported = Snapshot(s, memory);

            // Without slow paths the code leaves at an access that needs one, before it.
            if (slowPaths || !left)
                Assert.Equal(Visible(interpreted), Visible(translated));
            Assert.Equal(translated.Memory, exported.Memory);
            Assert.Equal(translated.State, exported.State);
        }

        output.WriteLine($"{Rounds} states, {faults} faults");
        compiled.Release();
    }

    private static void Execute(delegate*<CpuState*, EntryCell*, nint, void> code, CpuState* s, RegionLinks* links)
    {
        s->Execution.ExceptionVector = -1;
        s->Execution.ExitCauseValue = (int)ExitCause.Continue;
        code(s, null, (nint)links);
        if (s->Execution.FaultSite != 0)
            FaultSite.Repair(s);
    }

    private static nint LoadBack(IReadOnlyList<BlockDump> dumps)
    {
        var path = Path.Combine(Path.GetTempPath(), $"guest-{Guid.NewGuid():N}.dll");
        try
        {
            AssemblyExport.Write(path, dumps);
            var method = Assembly.LoadFrom(path).GetType($"{AssemblyExport.Namespace}.Translations", throwOnError: true)!.GetMethod(dumps[0].Name)!;
            Assert.NotEmpty(method.GetCustomAttribute<GuestCodeAttribute>()!.Listing);
            RuntimeHelpers.PrepareMethod(method.MethodHandle);
            return method.MethodHandle.GetFunctionPointer();
        }
        finally
        {
            File.Delete(path);
        }
    }

    // Registers are small numbers, pointers to data (some just before memory that is not there), or anything.
    private static void Randomise(CpuState* s, AddressSpace memory, Random random, bool wide)
    {
        for (var i = 0; i < 16; i++)
        {
            var value = random.Next(4) switch
            {
                0 => (ulong)random.Next(16),
                1 => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
                _ => Data + (ulong)random.Next(DataSize + 16),
            };
            s->Slots[i] = wide ? value : (uint)value;
        }

        // Most addresses of the cases are in data then.
        if (random.Next(4) != 0)
            (s->Slots[Slot.Rsi], s->Slots[Slot.Rdi]) = (Data + (ulong)random.Next(64) * 16, Data + (ulong)random.Next(64) * 16);
        if (random.Next(2) == 0)
            s->Slots[Slot.Rsi] = (ulong)random.Next(16);
        s->Slots[Slot.Rsp] = Data + 64 + (ulong)random.Next(DataSize - 128);
        s->Slots[Slot.Rip] = Code;
        CpuAccess.SetEflags(s, (uint)random.Next() & Eflags.Status);
        random.NextBytes(new Span<byte>(CpuAccess.Vector(s, 0), 16 * 16));
        random.NextBytes(new Span<byte>(memory.Base + Data, DataSize));
        if (random.Next(2) == 0)
            CanonicalReturn((ulong*)(memory.Base + s->Slots[Slot.Rsp]));
    }

    private static void CanonicalReturn(ulong* top) => *top &= 0x7FFF_FFFF_FFFF;

    private static (byte[] State, byte[] Memory) Snapshot(CpuState* s, AddressSpace memory) =>
        (new Span<byte>(s, CpuState.SizeInBytes).ToArray(), new Span<byte>(memory.Base + Data, DataSize).ToArray());

    private static void Restore((byte[] State, byte[] Memory) from, CpuState* s, AddressSpace memory)
    {
        from.State.CopyTo(new Span<byte>(s, CpuState.SizeInBytes));
        from.Memory.CopyTo(new Span<byte>(memory.Base + Data, DataSize));
    }

    // What the guest can see, and the pending exception.
    private static (string Registers, string Vectors, string Memory) Visible((byte[] State, byte[] Memory) snapshot)
    {
        fixed (byte* p = snapshot.State)
        {
            var s = (CpuState*)p;
            var registers = string.Join(' ', new ReadOnlySpan<ulong>(p, Slot.Rip + 1).ToArray().Select(value => $"{value:x}"));
            var exception = s->Execution.ExceptionVector < 0 ? "" : $" #{s->Execution.ExceptionVector} {s->Execution.FaultAddress:x}";
            return ($"{registers} {CpuAccess.GetEflags(s):x}{exception}",
                Convert.ToHexString(snapshot.State.AsSpan(CpuState.VectorOffset, 16 * 16)), Convert.ToHexString(snapshot.Memory));
        }
    }
}
