using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Syscalls;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Processes;

/// <summary>The life of a guest thread: run guest code, serve what it stopped for, handle signals, until it must leave.</summary>
public sealed unsafe partial class GuestThread : ITraps
{
    /// <summary>Stack of a host thread that runs a guest thread; guest code does not use it.</summary>
    private const int HostStackSize = 1 << 20;

    private bool _leaving;
    private bool _hasLeft;
    private int _ownStatus;
    private bool _keepRegisters;

    /// <summary>System calls made.</summary>
    public long SyscallCount { get; private set; }

    /// <summary>Starts the host thread. False: the host has no room for another.</summary>
    internal bool Start()
    {
        _isStarted = true;
        try
        {
            new Thread(Run, HostStackSize) { IsBackground = true, Name = $"guest {Tid}" }.Start();
            return true;
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            return false;
        }
    }

    /// <summary>Ends this thread alone (exit).</summary>
    internal void ExitThread(int status)
    {
        _leaving = true;
        _ownStatus = (status & 0xFF) << 8;
    }

    /// <summary>The system call in progress has set all registers itself (rt_sigreturn, execve).</summary>
    internal void KeepRegisters() => _keepRegisters = true;

    private void Run()
    {
        try
        {
            Attach();
            Loop();
        }
        catch (Exception e) when (Report(e))
        {
            Process.BeginExit(Signals.Signal.Kill);
        }

        // What fails here would end the host process, and with it every other guest.
        try
        {
            BusFaults.Detach(_busFaults);
            _busFaults = null;
            Leave();
        }
        catch (Exception e) when (Report(e))
        {
            Process.BeginExit(Signals.Signal.Kill);
        }
    }

    // As a filter, so that it is told before the process's end is: the run may be over with that.
    private bool Report(Exception error)
    {
        var report = Process.Kernel.OnInternalError;
        report?.Invoke(this, error);
        return report != null;
    }

    private void Loop()
    {
        if (!HandleSignals())
            return;

        // execve ends the run of the old processor.
        do
            Vcpu.Run(this, Process.Kernel.InstructionLimit);
        while (!_hasLeft);
    }

    /// <inheritdoc/>
    bool ITraps.Deliver(Vcpu vcpu, ExitCause cause)
    {
        if (_busFaults != null && _busFaults->Address != 0)
            cause = RaiseBusFault(cause);
        switch (cause)
        {
            case ExitCause.Syscall:
                ServeSyscall64();
                break;
            case ExitCause.SoftwareInterrupt when (byte)State->Execution.ExitDetail == 0x80:
                ServeSyscall32();
                break;
            case ExitCause.Sysenter:
                ServeSysenter();
                break;
            case ExitCause.SoftwareInterrupt:
                RaiseSoftwareInterrupt((byte)State->Execution.ExitDetail);
                break;
            case ExitCause.Exception:
                RaiseException();
                break;
            case ExitCause.Budget:
                Process.Kernel.EndByInstructions(this);
                break;
        }

        FollowLocalDescriptors();
        _hasLeft = _leaving || ((IsInterrupted || _restarts.IsPending) && !HandleSignals());
        return !_hasLeft && vcpu == Vcpu;
    }

    private void ServeSyscall64()
    {
        var r = State->Slots;

        // The kernel returns with the stack segment of its own choice.
        if (State->Ss.Selector != ThreadDescriptors.Data)
            SegmentLoads.ReloadUser(State, 2, ThreadDescriptors.Data);
        r[Slot.Rcx] = r[Slot.Rip];
        r[Slot.R8 + 3] = CpuAccess.GetEflags(State);
        Serve(Abi.X64, r[Slot.Rax], r[Slot.Rdi], r[Slot.Rsi], r[Slot.Rdx], r[Slot.R8 + 2], r[Slot.R8], r[Slot.R8 + 1]);
    }

    private void ServeSyscall32()
    {
        var r = State->Slots;
        Serve(
            Abi.I386, (uint)r[Slot.Rax], (uint)r[Slot.Rbx], (uint)r[Slot.Rcx], (uint)r[Slot.Rdx], (uint)r[Slot.Rsi], (uint)r[Slot.Rdi],
            (uint)r[Slot.Rbp]);
    }

    // The convention of the vDSO's entry: the caller pushed ECX, EDX and EBP, and EBP is the stack pointer. The kernel returns to the code
    // that pops them; there is no vDSO here, so the pops and the return are done at once.
    private void ServeSysenter()
    {
        var r = State->Slots;
        var stack = (uint)r[Slot.Rbp];
        if (Process.Is32 is false || !Process.Memory.User.TryRead(stack, out StackOfSysenter saved))
        {
            RaiseGeneralProtection(0);
            return;
        }

        var next = r[Slot.Rip];
        r[Slot.Rip] = saved.Return;
        r[Slot.Rsp] = (uint)(stack + sizeof(StackOfSysenter));
        r[Slot.Rbp] = saved.Ebp;
        Serve(Abi.I386, (uint)r[Slot.Rax], (uint)r[Slot.Rbx], saved.Ecx, saved.Edx, (uint)r[Slot.Rsi], (uint)r[Slot.Rdi], saved.Ebp);
        if (_keepRegisters)
            return;
        if (_restarts.IsPending)
        {
            // The call may be made again: everything as it was before the instruction.
            r[Slot.Rip] = next;
            r[Slot.Rsp] = r[Slot.Rbp] = stack;
            return;
        }

        r[Slot.Rcx] = saved.Ecx;
        r[Slot.Rdx] = saved.Edx;
    }

    private void Serve(Abi abi, ulong number, ulong a0, ulong a1, ulong a2, ulong a3, ulong a4, ulong a5)
    {
        SyscallCount++;
        var times = Vcpu.Times;
        times?.Enter(VcpuActivity.SystemCalls);
        var context = new SyscallContext(this, abi, a0, a1, a2, a3, a4, a5);
        number = _restarts.Enter(abi, number);
        var entry = SyscallTable.Default.Find(abi, number);
        _keepRegisters = false;
        var strace = Process.Kernel.Strace;
        strace?.Enter(context, entry);
        var result = entry == null ? Process.Kernel.UnknownCalls.Note(abi, number) : entry.Invoke(context);
        strace?.Leave(context, number, entry, result);
        times?.Enter(VcpuActivity.Other);
        if (_busFaults != null && _busFaults->Address != 0)
            TakeBusFault(out _);
        if (_keepRegisters)
            return;

        // RAX is the number still while a restart is undecided. A 64-bit process gets all 64 bits, by whichever interface it calls.
        if (!_restarts.Leave(abi, number, result))
            State->Slots[Slot.Rax] = Process.Is32 ? (uint)result : (ulong)result;
    }

    private void Leave()
    {
        try
        {
            ReleaseFutexes();
        }
        finally
        {
            Process.Leave(this, _ownStatus);
        }
    }

    private readonly record struct StackOfSysenter(uint Ebp, uint Edx, uint Ecx, uint Return);
}
