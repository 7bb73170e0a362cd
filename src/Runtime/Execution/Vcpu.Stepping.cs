using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.State;
using Iced.Intel;

namespace DynaTrans.Runtime.Execution;

/// <content>
/// Execution of one instruction with the debug exceptions of EFLAGS.TF and of the debug registers (SDM Vol. 3, 17.3). What an instruction will
/// access is worked out from its operands before it runs.
/// </content>
public sealed unsafe partial class Vcpu
{
    private InstructionInfoFactory? _information;

    // Of breakpoints that a load of SS holds back until after the next instruction, which is expected to load ESP (SDM Vol. 3, 6.8.3).
    private uint _heldBreakpoints;

    // A debug exception may come before or after the next instruction.
    private bool IsTraced => ((uint)State->Slots[Slot.Eflags] & Eflags.TF) != 0 || HasBreakpoints;

    private bool HasBreakpoints => CpuAccess.Mode(State).IsSystem() && DebugBreakpoints.AreActive(State);

    private ExitCause ExecuteTraced()
    {
        var s = State;
        var hasBreakpoints = HasBreakpoints;
        var before = (uint)s->Slots[Slot.Eflags];
        var start = s->Slots[Slot.Rip];
        if (hasBreakpoints && (before & Eflags.RF) == 0 && DebugBreakpoints.AtInstruction(s, Linear(s->Slots[Slot.Rip])) is var here && here != 0)
            return RaiseDebug(here);
        var block = LiftAlone(1);
        if (block == null)
            return ExitCause.Exception;
        var hit = hasBreakpoints ? BreakpointsOfAccesses(_ir.Instructions[0]) : 0;
        var cause = RunLifted(block, stepsRepetitions: true);
        if (cause != ExitCause.Continue && !(cause == ExitCause.Halt && CpuAccess.Mode(s).IsSystem()))
            return cause;

        // A trap wakes from the hlt after which it comes (SDM Vol. 2, HLT).
        var after = AfterTraced(start, before, hit);
        return after == ExitCause.Continue ? cause : after;
    }

    // The instruction has completed: traps of breakpoints and of TF come as one exception.
    private ExitCause AfterTraced(ulong start, uint before, uint hit)
    {
        var s = State;
        ref readonly var done = ref _ir.Instructions[0];
        hit |= _heldBreakpoints;
        _heldBreakpoints = 0;
        if (done.Mnemonic is not (Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq))
            s->Slots[Slot.Eflags] &= ~(ulong)Eflags.RF;
        if (done.Mnemonic is Mnemonic.Mov or Mnemonic.Pop && done.Op0Kind == OpKind.Register && done.Op0Register == Register.SS)
        {
            _heldBreakpoints = hit;
            return ExitCause.Continue;
        }

        // The mask of syscall counts before the trap.
        var isStepped = (before & Eflags.TF) != 0 && (done.Mnemonic != Mnemonic.Syscall || ((uint)s->Slots[Slot.Eflags] & Eflags.TF) != 0);
        if (isStepped)
            hit |= (uint)DebugRegisters.SingleStep;
        if (hit == 0)
            return ExitCause.Continue;

        // Of a repetition that goes on RF is pushed (SDM Vol. 3, 17.3.1.1).
        if ((done.HasRepPrefix || done.HasRepnePrefix) && s->Slots[Slot.Rip] == start)
            s->Slots[Slot.Eflags] |= Eflags.RF;

        // DR6 shows a breakpoint on the next instruction, too: its condition is met (SDM Vol. 3, 17.2.3).
        return RaiseDebug(HasBreakpoints ? hit | DebugBreakpoints.AtInstruction(s, Linear(s->Slots[Slot.Rip])) : hit);
    }

    private ExitCause RaiseDebug(uint status)
    {
        if (CpuAccess.Mode(State).IsSystem())
            State->System.Dr6 |= status;
        CpuAccess.Raise(State, ExceptionVector.Debug);
        return ExitCause.Exception;
    }

    private uint BreakpointsOfAccesses(in Instruction instruction)
    {
        var s = State;
        if ((instruction.HasRepPrefix || instruction.HasRepnePrefix) && IsCounterZero(instruction))
            return 0;
        _information ??= new InstructionInfoFactory();
        var hit = 0u;
        foreach (var memory in _information.GetInfo(instruction).GetUsedMemory())
        {
            var isWrite = memory.Access is OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite;
            if (isWrite || memory.Access is OpAccess.Read or OpAccess.CondRead)
                hit |= DebugBreakpoints.AtData(s, Linear(memory), Math.Max(1, memory.MemorySize.GetSize()), isWrite);
        }

        return hit | BreakpointsOfPorts(instruction);
    }

    private uint BreakpointsOfPorts(in Instruction instruction)
    {
        var (index, size) = instruction.Mnemonic switch
        {
            Mnemonic.In => (1, instruction.Op0Register.GetSize()),
            Mnemonic.Out => (0, instruction.Op1Register.GetSize()),
            Mnemonic.Insb or Mnemonic.Outsb => (-1, 1),
            Mnemonic.Insw or Mnemonic.Outsw => (-1, 2),
            Mnemonic.Insd or Mnemonic.Outsd => (-1, 4),
            _ => (-1, 0),
        };
        if (size == 0)
            return 0;
        var isImmediate = index >= 0 && instruction.GetOpKind(index) == OpKind.Immediate8;
        return DebugBreakpoints.AtPorts(State, isImmediate ? instruction.Immediate8 : (ushort)State->Slots[Slot.Rdx], size);
    }

    // Of a string instruction.
    private bool IsCounterZero(in Instruction instruction)
    {
        if (!instruction.IsStringInstruction)
            return false;
        var counter = State->Slots[Slot.Rcx];
        foreach (var kind in (ReadOnlySpan<OpKind>)[instruction.Op0Kind, instruction.Op1Kind])
            switch (kind)
            {
                case OpKind.MemorySegSI or OpKind.MemoryESDI:
                    return (ushort)counter == 0;
                case OpKind.MemorySegESI or OpKind.MemoryESEDI:
                    return (uint)counter == 0;
            }

        return counter == 0;
    }

    private ulong Linear(in UsedMemory memory)
    {
        var offset = memory.Displacement + Value(memory.Base) + (Value(memory.Index) * (ulong)memory.Scale);
        offset &= memory.AddressSize switch { CodeSize.Code16 => 0xFFFF, CodeSize.Code32 => uint.MaxValue, _ => ulong.MaxValue };
        var is64 = CpuAccess.Mode(State).Is64();
        if (!is64 || memory.Segment is Register.FS or Register.GS)
            offset += State->Slots[Registers.SegmentBase(memory.Segment)];
        return is64 ? offset : (uint)offset;
    }

    private ulong Value(Register register)
    {
        if (register == Register.None)
            return 0;
        var value = State->Slots[Registers.Gpr(register)];
        return register.GetSize() switch { 1 => (byte)value, 2 => (ushort)value, 4 => (uint)value, _ => value };
    }
}
