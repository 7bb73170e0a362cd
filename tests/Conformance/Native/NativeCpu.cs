using System.Runtime.InteropServices;

namespace DynaTrans.Conformance.Native;

/// <summary>
/// Runs a piece of machine code on the host CPU, in this process, with all user-visible registers given and returned. Exceptions of
/// the code under test come back as part of the result. One case runs at a time: callers hold <see cref="Gate"/>.
/// </summary>
/// <remarks>
/// 32-bit code runs in the kernel's compatibility-mode code segment, entered by IRETQ and left by a far jump; FS and GS come from
/// the process's local descriptor table there. The test memory (<see cref="TestMemory"/>) is mapped at its fixed addresses once.
/// </remarks>
public sealed unsafe class NativeCpu
{
    internal const short Code64Selector = 0x33, Code32Selector = 0x23, DataSelector = 0x2B;
    internal const int FsSelector = (FsEntry << 3) | 7, GsSelector = (GsEntry << 3) | 7;

    private const int FsEntry = 4, GsEntry = 5;
    private const uint ControlAddress = TestMemory.Base + TestMemory.GuestSpan;
    private const uint StubAddress = ControlAddress + TestMemory.PageSize;

    private static readonly Lazy<(NativeCpu? Cpu, string Reason)> s_instance = new(Create);
    private static readonly int[] s_signals = [4, 5, 7, 8, 11];

    private readonly ControlBlock _block = new(ControlAddress);
    private readonly Stubs _stubs;

    private NativeCpu(Stubs stubs) => _stubs = stubs;

    /// <summary>The oracle of this process, or null with the reason why the host cannot serve as one.</summary>
    public static NativeCpu? TryGet(out string reason)
    {
        (var cpu, reason) = s_instance.Value;
        return cpu;
    }

    /// <summary>Held while a case is prepared, run and read.</summary>
    public Lock Gate { get; } = new();

    /// <summary>State that the next case starts from.</summary>
    public ref MachineState Input => ref *(MachineState*)_block.Input(0);

    /// <summary>State in which the last case ended.</summary>
    public ref MachineState Output => ref *(MachineState*)_block.Output(0);

    /// <summary>False when the kernel refuses 32-bit FS and GS segments.</summary>
    public bool HasSegments32 { get; private set; }

    /// <summary>Test memory from <paramref name="address"/> on. Unmapped pages must not be touched.</summary>
    public static Span<byte> Memory(uint address, int size) => new((void*)address, size);

    /// <summary>
    /// Writes <paramref name="code"/> to the code pages at <paramref name="address"/> and behind it the jump that leaves the case. The
    /// rest of the code pages holds INT3, so a jump to anywhere else ends the case with vector 3 one byte after its target.
    /// </summary>
    public void WriteCode(uint address, ReadOnlySpan<byte> code, bool is32)
    {
        Memory(TestMemory.Code, TestMemory.CodeSize).Fill(0xCC);
        code.CopyTo(Memory(address, code.Length));
        var at = address + (uint)code.Length;
        if (at + 8 > TestMemory.Code + TestMemory.CodeSize) return;
        var p = (byte*)at;
        if (is32)
        {
            p[0] = 0xEA;
            *(uint*)(p + 1) = (uint)_stubs.Exit;
            *(ushort*)(p + 5) = (ushort)Code64Selector;
        }
        else
        {
            p[0] = 0xE9;
            *(int*)(p + 1) = (int)((long)_stubs.Exit - (at + 5));
        }
    }

    /// <summary>Runs from <c>Input.Rip</c> until the code leaves through the jump behind it or faults; fills <see cref="Output"/>.</summary>
    /// <param name="is32">True for 32-bit code.</param>
    /// <param name="fallThrough">RIP to report when the code left through the jump behind it.</param>
    public void Run(bool is32, ulong fallThrough)
    {
        ref var output = ref Output;
        output.Signal = 0;
        output.SignalCode = 0;
        output.ErrorCode = 0;
        output.FaultAddress = 0;
        ((delegate* unmanaged<void>)(is32 ? _stubs.Enter32 : _stubs.Enter64))();
        if (output.Vector < 0) output.Rip = fallThrough;
        output.FsBase = Input.FsBase;
        output.GsBase = Input.GsBase;
        if (!is32) return;
        for (var i = 0; i < 8; i++) output.Gpr[i] = (uint)output.Gpr[i];
        output.Rip = (uint)output.Rip;
    }

    private static (NativeCpu?, string) Create()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return (null, "the native oracle needs an x86-64 Linux host");
        const int readWrite = Libc.ProtRead | Libc.ProtWrite;
        var mapped = MapAt(TestMemory.Data, TestMemory.DataSize, readWrite)
            && MapAt(TestMemory.ReadOnly, TestMemory.PageSize, readWrite)
            && MapAt(TestMemory.Stack, TestMemory.StackSize, readWrite)
            && MapAt(TestMemory.Code, TestMemory.CodeSize, readWrite | Libc.ProtExec)
            && MapAt(ControlAddress, TestMemory.PageSize, readWrite)
            && MapAt(StubAddress, TestMemory.PageSize, readWrite);
        if (!mapped) return (null, $"the address range at 0x{TestMemory.Base:x} is taken, or may not hold executable memory");
        TestMemory.ReadOnlyContent.CopyTo(Memory(TestMemory.ReadOnly, TestMemory.PageSize));
        Libc.Protect((nint)TestMemory.ReadOnly, TestMemory.PageSize, Libc.ProtRead);
        var block = new ControlBlock(ControlAddress);
        var (code, stubs) = StubWriter.Write(block, StubAddress);
        code.CopyTo(Memory(StubAddress, TestMemory.PageSize));
        if (Libc.Protect((nint)StubAddress, TestMemory.PageSize, Libc.ProtRead | Libc.ProtExec) != 0)
            return (null, "the host refuses executable memory");
        var cpu = new NativeCpu(stubs)
        {
            HasSegments32 = WriteDescriptor(FsEntry, TestMemory.FsBase) && WriteDescriptor(GsEntry, TestMemory.GsBase),
        };
        return cpu.InstallHandlers() is { } problem ? (null, problem) : (cpu, "");
    }

    private static bool MapAt(uint address, int size, int protection) =>
        Libc.Map((nint)address, (nuint)size, protection, Libc.MapPrivate | Libc.MapAnonymous | Libc.MapFixedNoReplace, -1, 0) == (nint)address;

    private static bool WriteDescriptor(int entry, uint address)
    {
        const uint seg32Bit = 1, limitInPages = 1 << 4, useable = 1 << 6;
        var descriptor = new Libc.UserDesc { EntryNumber = (uint)entry, BaseAddress = address, Limit = 0xFFFFF, Bits = seg32Bit | limitInPages | useable };
        return Libc.SystemCall(Libc.SysModifyLdt, 1, &descriptor, sizeof(Libc.UserDesc)) == 0;
    }

    private string? InstallHandlers()
    {
        foreach (var signal in s_signals)
        {
            Libc.SigAction old;
            var action = new Libc.SigAction
            {
                Handler = (nint)_stubs.Handler,
                Flags = Libc.SaSigInfo | Libc.SaOnStack | Libc.SaNoDefer | Libc.SaRestart,
            };
            if (Libc.SetAction(signal, null, &old) != 0) return $"sigaction({signal}) failed";
            if (old.Handler is 0 or 1) return $"the runtime handles no signal {signal}, so a fault of its own could not be passed on";
            ((long*)_block.PreviousHandlers)[signal] = old.Handler;
            if ((old.Flags & Libc.SaOnStack) != 0) *(uint*)_block.OnStackSignals |= 1u << signal;
            if (Libc.SetAction(signal, &action, null) != 0) return $"sigaction({signal}) failed";
        }
        return null;
    }
}
