using DynaTrans.Runtime.Host;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Conformance.Native;

/// <summary>
/// Writes the machine code around a case: entry (64- and 32-bit), exit, and the signal handler. Everything is addressed
/// absolutely: the control block and the stubs lie below 2 GiB.
/// </summary>
internal sealed class StubWriter
{
    private const ulong AllButSynchronous = ~((1UL << 3) | (1UL << 4) | (1UL << 6) | (1UL << 7) | (1UL << 10));
    private const int SysSigprocmask = 14, SysSigaltstack = 131, SysArchPrctl = 158;
    private const int ArchSetGs = 0x1001, ArchSetFs = 0x1002, ArchGetFs = 0x1003;
    private const int UcRegisters = 40;

    // Index of each general register (encoding order) in the kernel's gregs array.
    private static readonly int[] s_gregs = [13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7];

    private static readonly AssemblerRegister64[] s_registers = [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];

    private readonly Assembler _asm = new(64);
    private readonly ControlBlock _block;

    private StubWriter(ControlBlock block) => _block = block;

    /// <summary>Assembles all stubs for <paramref name="address"/>; the result's offsets are relative to it.</summary>
    internal static (byte[] Code, Stubs Stubs) Write(ControlBlock block, ulong address)
    {
        var writer = new StubWriter(block);
        var labels = writer.WriteAll();
        var stream = new MemoryStream();
        var result = writer._asm.Assemble(new StreamCodeWriter(stream), address, BlockEncoderOptions.ReturnNewInstructionOffsets);
        var addresses = labels.Select(l => result.GetLabelRIP(l)).ToArray();
        return (stream.ToArray(), new Stubs(addresses[0], addresses[1], addresses[2], addresses[3]));
    }

    private Label[] WriteAll()
    {
        var a = _asm;
        Label enter64 = a.CreateLabel(), enter32 = a.CreateLabel(), exit = a.CreateLabel(), faulted = a.CreateLabel(), handler = a.CreateLabel();
        WriteEnter64(ref enter64);
        WriteEnter32(ref enter32);
        WriteExit(ref exit, ref faulted);
        WriteHandler(ref handler, faulted);
        return [enter64, enter32, exit, handler];
    }

    private void WriteEnter64(ref Label start)
    {
        var a = _asm;
        a.Label(ref start);
        WritePrologue();
        Label noFs = a.CreateLabel(), noGs = a.CreateLabel();
        a.mov(rsi, __qword_ptr[_block.Input(MachineState.FsBaseOffset)]);
        a.test(rsi, rsi);
        a.je(noFs);
        WriteArchPrctl(ArchSetFs);
        a.Label(ref noFs);
        a.mov(rsi, __qword_ptr[_block.Input(MachineState.GsBaseOffset)]);
        a.test(rsi, rsi);
        a.je(noGs);
        WriteArchPrctl(ArchSetGs);
        a.Label(ref noGs);
        a.fxrstor64(__[_block.Input(MachineState.FxOffset)]);
        a.mov(rsp, _block.Input(MachineState.RflagsOffset));
        a.popfq();
        LoadRegisters();
        a.mov(rsp, __qword_ptr[_block.Input(8 * 4)]);
        a.jmp(__qword_ptr[_block.Input(MachineState.RipOffset)]);
    }

    private void WriteEnter32(ref Label start)
    {
        var a = _asm;
        a.Label(ref start);
        WritePrologue();
        Label noFs = a.CreateLabel(), noGs = a.CreateLabel();
        a.cmp(__qword_ptr[_block.Input(MachineState.FsBaseOffset)], 0);
        a.je(noFs);
        a.mov(eax, NativeCpu.FsSelector);
        a.mov(fs, eax);
        a.Label(ref noFs);
        a.cmp(__qword_ptr[_block.Input(MachineState.GsBaseOffset)], 0);
        a.je(noGs);
        a.mov(eax, NativeCpu.GsSelector);
        a.mov(gs, eax);
        a.Label(ref noGs);
        a.fxrstor64(__[_block.Input(MachineState.FxOffset)]);
        a.mov(rsp, _block.ScratchTop);
        a.push(NativeCpu.DataSelector);
        a.push(__qword_ptr[_block.Input(8 * 4)]);
        a.push(__qword_ptr[_block.Input(MachineState.RflagsOffset)]);
        a.push(NativeCpu.Code32Selector);
        a.push(__qword_ptr[_block.Input(MachineState.RipOffset)]);
        LoadRegisters();
        a.iretq();
    }

    private void WritePrologue()
    {
        var a = _asm;
        a.push(rbx);
        a.push(rbp);
        a.push(r12);
        a.push(r13);
        a.push(r14);
        a.push(r15);
        a.stmxcsr(__[_block.HostMxcsr]);
        a.fnstcw(__word_ptr[_block.HostFcw]);
        a.mov(__qword_ptr[_block.HostRsp], rsp);
        // Signals that are not caused by the code under test wait until it is left: their handlers need the host's stack and FS.
        a.mov(rax, AllButSynchronous);
        a.mov(__qword_ptr[_block.TestMask], rax);
        a.mov(edi, 2);
        a.mov(rsi, _block.TestMask);
        a.mov(rdx, _block.HostMask);
        a.mov(r10d, 8);
        a.mov(eax, SysSigprocmask);
        a.syscall();
        a.xor(edi, edi);
        a.mov(rsi, _block.AlternateStack);
        a.mov(eax, SysSigaltstack);
        a.syscall();
        a.mov(rsi, _block.HostFsBase);
        WriteArchPrctl(ArchGetFs);
        // 32-bit code needs these; 64-bit code only sees them when it reads the selectors.
        a.mov(eax, NativeCpu.DataSelector);
        a.mov(ds, eax);
        a.mov(es, eax);
        a.mov(__dword_ptr[_block.InTest], 1);
    }

    private void WriteArchPrctl(int code)
    {
        _asm.mov(edi, code);
        _asm.mov(eax, SysArchPrctl);
        _asm.syscall();
    }

    private void LoadRegisters()
    {
        for (var i = 0; i < 16; i++)
            if (i != 4)
                _asm.mov(s_registers[i], __qword_ptr[_block.Input(8 * i)]);
    }

    private void WriteExit(ref Label exit, ref Label faulted)
    {
        var a = _asm;
        a.Label(ref exit);
        for (var i = 0; i < 16; i++)
            a.mov(__qword_ptr[_block.Output(8 * i)], s_registers[i]);
        a.mov(rsp, _block.ScratchTop);
        a.pushfq();
        a.pop(__qword_ptr[_block.Output(MachineState.RflagsOffset)]);
        a.mov(__qword_ptr[_block.Output(MachineState.VectorOffset)], -1);
        a.Label(ref faulted);
        a.push(0x202);
        a.popfq();
        a.fxsave64(__[_block.Output(MachineState.FxOffset)]);
        a.mov(__dword_ptr[_block.InTest], 0);
        a.fninit();
        a.fldcw(__word_ptr[_block.HostFcw]);
        a.ldmxcsr(__[_block.HostMxcsr]);
        Label noFs = a.CreateLabel(), noGs = a.CreateLabel();
        a.mov(rcx, __qword_ptr[_block.Input(MachineState.FsBaseOffset)]);
        a.test(rcx, rcx);
        a.je(noFs);
        a.xor(eax, eax);
        a.mov(fs, eax);
        a.mov(rsi, __qword_ptr[_block.HostFsBase]);
        WriteArchPrctl(ArchSetFs);
        a.Label(ref noFs);
        a.mov(rcx, __qword_ptr[_block.Input(MachineState.GsBaseOffset)]);
        a.test(rcx, rcx);
        a.je(noGs);
        a.xor(eax, eax);
        a.mov(gs, eax);
        a.xor(esi, esi);
        WriteArchPrctl(ArchSetGs);
        a.Label(ref noGs);
        a.mov(rsp, __qword_ptr[_block.HostRsp]);
        a.mov(edi, 2);
        a.mov(rsi, _block.HostMask);
        a.xor(edx, edx);
        a.mov(r10d, 8);
        a.mov(eax, SysSigprocmask);
        a.syscall();
        a.pop(r15);
        a.pop(r14);
        a.pop(r13);
        a.pop(r12);
        a.pop(rbp);
        a.pop(rbx);
        a.ret();
    }

    // handler(edi: signal, rsi: siginfo, rdx: ucontext). A fault belongs to the case when one is running and the handler runs on the
    // alternate stack of the thread that runs it; every other fault goes to the handler that was there before.
    private void WriteHandler(ref Label handler, Label faulted)
    {
        var a = _asm;
        var chain = a.CreateLabel();
        a.Label(ref handler);
        a.cmp(__dword_ptr[_block.InTest], 0);
        a.je(chain);
        a.mov(rax, rsp);
        a.sub(rax, __qword_ptr[_block.AlternateStack]);
        a.cmp(rax, __qword_ptr[_block.AlternateStack + 16]);
        a.jae(chain);
        for (var i = 0; i < 16; i++)
            Copy(i * 8, UcRegisters + 8 * s_gregs[i]);
        Copy(MachineState.RipOffset, UcRegisters + 8 * 16);
        Copy(MachineState.RflagsOffset, UcRegisters + 8 * 17);
        Copy(MachineState.ErrorCodeOffset, UcRegisters + 8 * 19);
        Copy(MachineState.VectorOffset, UcRegisters + 8 * 20);
        Copy(MachineState.FaultAddressOffset, UcRegisters + 8 * 22);
        a.movsxd(rax, edi);
        a.mov(__qword_ptr[_block.Output(MachineState.SignalOffset)], rax);
        a.movsxd(rax, __dword_ptr[rsi + 8]);
        a.mov(__qword_ptr[_block.Output(MachineState.SignalCodeOffset)], rax);
        a.lea(rax, __[faulted]);
        a.mov(__qword_ptr[rdx + UcRegisters + 8 * 16], rax);
        a.mov(__qword_ptr[rdx + UcRegisters + 8 * 17], 0x202);
        a.mov(__word_ptr[rdx + UcRegisters + 8 * 18], NativeCpu.Code64Selector);
        a.mov(__word_ptr[rdx + UcRegisters + 8 * 18 + 6], NativeCpu.DataSelector);
        a.mov(rax, _block.ScratchTop);
        a.mov(__qword_ptr[rdx + UcRegisters + 8 * 15], rax);
        a.ret();
        // A handler that did not ask for the alternate stack may need more than that has: give it the interrupted one.
        a.Label(ref chain);
        var switchStack = a.CreateLabel();
        a.movsxd(rax, edi);
        a.bt(__dword_ptr[_block.OnStackSignals], eax);
        a.jnc(switchStack);
        a.jmp(__qword_ptr[rax * 8 + _block.PreviousHandlers]);
        a.Label(ref switchStack);
        a.push(rbx);
        a.mov(rbx, rsp);
        a.mov(rsp, __qword_ptr[rdx + UcRegisters + 8 * 15]);
        a.sub(rsp, 512);
        a.and(rsp, -16);
        a.call(__qword_ptr[rax * 8 + _block.PreviousHandlers]);
        a.mov(rsp, rbx);
        a.pop(rbx);
        a.ret();

        void Copy(int to, int from)
        {
            a.mov(rax, __qword_ptr[rdx + from]);
            a.mov(__qword_ptr[_block.Output(to)], rax);
        }
    }
}

/// <summary>Addresses of the stubs.</summary>
internal readonly record struct Stubs(ulong Enter64, ulong Enter32, ulong Exit, ulong Handler);

/// <summary>Absolute addresses inside the control block, which the stubs and the managed side share.</summary>
internal readonly record struct ControlBlock(uint Address)
{
    internal uint Input(int offset) => Address + (uint)offset;
    internal uint Output(int offset) => Address + MachineState.Bytes + (uint)offset;
    internal uint HostRsp => Address + 0x800;
    internal uint HostMxcsr => Address + 0x808;
    internal uint HostFcw => Address + 0x80C;
    internal uint InTest => Address + 0x810;
    internal uint HostFsBase => Address + 0x818;
    internal uint TestMask => Address + 0x820;
    internal uint HostMask => Address + 0x828;
    internal uint AlternateStack => Address + 0x830;
    internal uint OnStackSignals => Address + 0x848;
    internal uint PreviousHandlers => Address + 0x880;
    internal uint ScratchTop => Address + 0x1000;
}
