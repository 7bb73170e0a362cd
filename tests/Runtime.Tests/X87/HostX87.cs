using System.Runtime.InteropServices;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Host;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Runtime.Tests.X87;

/// <summary>Runs one x87 instruction on the host, with the whole x87 state loaded before and stored after it.</summary>
internal sealed unsafe class HostX87
{
    private readonly delegate* unmanaged[SuppressGCTransition]<HostX87Context*, void> routine;

    /// <summary>Makes the routine for an instruction, whose memory operand, if any, is [rsi].</summary>
    public HostX87(params byte[] instruction)
    {
        // FXSAVE, PUSHF and FNINIT do not wait, so an exception that becomes pending never traps.
        routine = (delegate* unmanaged[SuppressGCTransition]<HostX87Context*, void>)NativeCode.Assemble("x87 comparison", a =>
        {
            a.fxrstor64(__[rdi + HostX87Context.BeforeOffset]);
            a.lea(rsi, __[rdi + HostX87Context.MemoryOffset]);
            a.push(__qword_ptr[rdi + HostX87Context.FlagsOffset]);
            a.popfq();
            a.db(instruction);
            a.pushfq();
            a.pop(__qword_ptr[rdi + HostX87Context.FlagsOffset]);
            a.fxsave64(__[rdi + HostX87Context.AfterOffset]);
            a.fninit();
            a.ret();
        });
    }

    /// <summary>Executes it.</summary>
    public void Run(HostX87Context* context) => routine(context);
}

/// <summary>State before and after, memory operand and RFLAGS; must be aligned to 16.</summary>
[StructLayout(LayoutKind.Explicit, Size = 1024 + 160)]
internal unsafe struct HostX87Context
{
    public const int BeforeOffset = 0;
    public const int AfterOffset = 512;
    public const int MemoryOffset = 1024;
    public const int MemorySize = 128;
    public const int FlagsOffset = 1024 + 128;

    [FieldOffset(BeforeOffset)]
    public fixed byte Before[512];

    [FieldOffset(AfterOffset)]
    public fixed byte After[512];

    [FieldOffset(MemoryOffset)]
    public fixed byte Memory[MemorySize];

    [FieldOffset(FlagsOffset)]
    public ulong Flags;
}
