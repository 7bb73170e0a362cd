using System.Runtime.InteropServices;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static DynaTrans.Runtime.SoftFloat.X87Bits;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>
/// FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1. Their results are what the host's own x87 computes, by executing the
/// instruction there under the guest's control word: no two processor families agree to the last bit, so a host is its own definition.
/// </summary>
public static unsafe class X87Transcendental
{
    /// <summary>Number of the instructions, in the order of the summary.</summary>
    public const int Count = 8;

    private const uint UnderflowedResult = 1;

    private static readonly delegate* unmanaged[SuppressGCTransition]<Exchange*, void>[] Routines = BuildRoutines();

    private enum Kind
    {
        Unary,
        Push,
        Pop,
    }

    /// <summary>Executes one of them on the register stack.</summary>
    /// <param name="s">The state.</param>
    /// <param name="index">Its number, in the order of the summary.</param>
    /// <exception cref="PlatformNotSupportedException">The host has no x87.</exception>
    public static void Execute(X87State* s, uint index)
    {
        Kind kind = KindOf(index);
        if (index <= 3)
            s->Status = (ushort)(s->Status & ~C2);
        if (!X87State.IsValid(s, 0) || (kind == Kind.Pop && !X87State.IsValid(s, 1)))
        {
            StackFault(s, kind, false);
            return;
        }
        if (kind == Kind.Push && X87State.IsValid(s, 7))
        {
            StackFault(s, kind, true);
            return;
        }
        if (Routines.Length == 0)
            throw new PlatformNotSupportedException("The transcendental x87 instructions need a Linux host with an x86-64 processor.");

        var exchange = new Exchange();
        exchange.Control = s->Fcw;
        exchange.First = Float80.Read(X87State.St(s, 0));
        if (kind == Kind.Pop)
            exchange.Second = Float80.Read(X87State.St(s, 1));
        Routines[index](&exchange);

        uint flags = exchange.Status & (Exceptions | C1 | (index <= 3 ? C2 : 0));
        bool stopped = X87State.SetStatus(s, flags) && (flags & ~(uint)s->Fcw & PreExceptions) != 0;
        if (stopped)
            return;
        int moved = (int)(exchange.Status >> TopShift & 7) - (kind == Kind.Pop ? 6 : 7);
        if (moved > 0)
        {
            X87State.Pop(s);
            Float80.Write(X87State.St(s, 0), exchange.First);
        }
        else if (moved < 0)
        {
            // First is the new top of the stack, Second what became of the operand.
            Float80.Write(X87State.St(s, 0), exchange.Second);
            X87Load.PushUnchecked(s, exchange.First);
        }
        else
        {
            Float80.Write(X87State.St(s, 0), exchange.First);
        }
    }

    private static Kind KindOf(uint index) => index switch
    {
        2 or 3 => Kind.Push,
        4 or 6 or 7 => Kind.Pop,
        _ => Kind.Unary,
    };

    private static void StackFault(X87State* s, Kind kind, bool overflow)
    {
        if (!X87State.StackFault(s, overflow))
            return;
        if (kind == Kind.Pop)
        {
            X87State.Pop(s);
        }
        else if (kind == Kind.Push)
        {
            Float80.Write(X87State.St(s, 0), Float80.Indefinite);
            s->Valid |= (byte)(UnderflowedResult << (int)X87State.Physical(s, 0));
            X87Load.PushUnchecked(s, Float80.Indefinite);
            return;
        }
        Float80.Write(X87State.St(s, 0), Float80.Indefinite);
        s->Valid |= (byte)(UnderflowedResult << (int)X87State.Physical(s, 0));
    }

    private static delegate* unmanaged[SuppressGCTransition]<Exchange*, void>[] BuildRoutines()
    {
        if (!NativeCode.IsSupported)
            return [];
        Action<Assembler>[] instructions =
        [
            a => a.fsin(),
            a => a.fcos(),
            a => a.fsincos(),
            a => a.fptan(),
            a => a.fpatan(),
            a => a.f2xm1(),
            a => a.fyl2x(),
            a => a.fyl2xp1(),
        ];
        var routines = new delegate* unmanaged[SuppressGCTransition]<Exchange*, void>[Count];
        for (uint i = 0; i < Count; i++)
            routines[i] = (delegate* unmanaged[SuppressGCTransition]<Exchange*, void>)Build(KindOf(i), instructions[i]);
        return routines;
    }

    /// <summary>
    /// Host code: guest's control word in, operands on the stack, the instruction, status word out. FNCLEX comes before any waiting
    /// instruction, so an exception that the guest has unmasked never traps here. The x87 is left empty with the default control word.
    /// </summary>
    private static nint Build(Kind kind, Action<Assembler> instruction) => NativeCode.Assemble("x87", a =>
    {
        Label single = a.CreateLabel();
        a.fnclex();
        a.fldcw(__word_ptr[rdi + Exchange.ControlOffset]);
        if (kind == Kind.Pop)
            a.fld(__tbyte_ptr[rdi + Exchange.SecondOffset]);
        a.fld(__tbyte_ptr[rdi + Exchange.FirstOffset]);
        instruction(a);
        a.fnstsw(ax);
        a.mov(__word_ptr[rdi + Exchange.StatusOffset], ax);
        a.fnclex();
        a.fldcw(__word_ptr[rdi + Exchange.HostControlOffset]);
        a.fstp(__tbyte_ptr[rdi + Exchange.FirstOffset]);
        if (kind != Kind.Unary)
        {
            // One value is left when TOP was 7, two when it was 6.
            a.test(ax, 0x0800);
            a.jne(single);
            a.fstp(__tbyte_ptr[rdi + Exchange.SecondOffset]);
            a.Label(ref single);
        }
        a.ret();
    });

    /// <summary>What goes to and comes from the host code.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 48)]
    private struct Exchange
    {
        public const int FirstOffset = 0;
        public const int SecondOffset = 16;
        public const int ControlOffset = 32;
        public const int StatusOffset = 34;
        public const int HostControlOffset = 36;

        [FieldOffset(FirstOffset)]
        public Float80 First;

        [FieldOffset(SecondOffset)]
        public Float80 Second;

        [FieldOffset(ControlOffset)]
        public ushort Control;

        [FieldOffset(StatusOffset)]
        public ushort Status;

        [FieldOffset(HostControlOffset)]
        public ushort HostControl = InitialControl;

        public Exchange()
        {
        }
    }
}
