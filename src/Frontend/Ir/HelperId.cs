namespace DynaTrans.Frontend.Ir;

/// <summary>
/// Helpers: what is too big to lift, one static C# method each, called by both executors through <see cref="IrOpcode.Call"/>. The methods
/// are in the runtime's Helpers folder, one file per family; the runtime's helper table says what state each may touch.
/// Each family has a section of its own below. The X87 helpers stand together, and those of arithmetic are a table of operations by forms:
/// EnumOrderTests hold what is computed with the order.
/// </summary>
public enum HelperId : ushort
{
    /// <summary>No helper.</summary>
    None,

    // Integer

    /// <summary>8-bit div: (AX, divisor) gives the quotient or raises #DE. Unsigned operands are zero-extended, signed ones sign-extended.</summary>
    DivU8,

    /// <summary>16-bit div: (DX:AX, divisor).</summary>
    DivU16,

    /// <summary>32-bit div: (EDX:EAX, divisor).</summary>
    DivU32,

    /// <summary>64-bit div: (RDX, RAX, divisor).</summary>
    DivU64,

    /// <summary>8-bit idiv: (AX, divisor).</summary>
    DivS8,

    /// <summary>16-bit idiv: (DX:AX, divisor).</summary>
    DivS16,

    /// <summary>32-bit idiv: (EDX:EAX, divisor).</summary>
    DivS32,

    /// <summary>64-bit idiv: (RDX, RAX, divisor).</summary>
    DivS64,

    /// <summary>rcl: (value, masked count, carry in | size &lt;&lt; 8) gives the result.</summary>
    RotateLeftCarry,

    /// <summary>rcl: the same arguments, gives the carry out.</summary>
    RotateLeftCarryOut,

    /// <summary>rcr: as <see cref="RotateLeftCarry"/>.</summary>
    RotateRightCarry,

    /// <summary>rcr: as <see cref="RotateLeftCarryOut"/>.</summary>
    RotateRightCarryOut,

    /// <summary>bextr: (value, start | length &lt;&lt; 8 in the low 16 bits).</summary>
    BitExtract,

    /// <summary>pdep: (value, mask).</summary>
    BitDeposit,

    /// <summary>pext: (value, mask).</summary>
    BitGather,

    /// <summary>daa: (AL, status flags) gives AL | flags &lt;&lt; 16.</summary>
    Daa,

    /// <summary>das: as <see cref="Daa"/>.</summary>
    Das,

    /// <summary>aaa: (AX, status flags) gives AX | flags &lt;&lt; 16.</summary>
    Aaa,

    /// <summary>aas: as <see cref="Aaa"/>.</summary>
    Aas,

    /// <summary>aam: (AL, divisor, not 0) gives AX.</summary>
    Aam,

    /// <summary>bound: (index, sign-extended; linear address of the lower bound; that of the upper | size &lt;&lt; 32) raises #BR.</summary>
    Bound,

    /// <summary>into: raises #OF when OF is set; a trap (<see cref="IrAttr.Trap"/>).</summary>
    Into,

    /// <summary>pusha: (operand size).</summary>
    PushAll,

    /// <summary>popa: (operand size).</summary>
    PopAll,

    /// <summary>enter: (bytes to allocate, level, operand size).</summary>
    Enter,

    // Strings

    /// <summary>rep movs: (element size | address size &lt;&lt; 8 | source segment &lt;&lt; 16 | repne &lt;&lt; 24) gives 0 when the repetition has ended, else 1: enter it again.</summary>
    RepMovs,

    /// <summary>rep stos: as <see cref="RepMovs"/>.</summary>
    RepStos,

    /// <summary>rep lods.</summary>
    RepLods,

    /// <summary>repe or repne scas.</summary>
    RepScas,

    /// <summary>repe or repne cmps.</summary>
    RepCmps,

    /// <summary>rep ins.</summary>
    RepIns,

    /// <summary>rep outs.</summary>
    RepOuts,

    // Atomics: (linear address, operand, size | carry << 8 | AccessIntent << 16) gives the old value, zero-extended; the new value is in memory.

    /// <summary>lock add, inc, dec, xadd.</summary>
    AtomicAdd,

    /// <summary>lock sub.</summary>
    AtomicSub,

    /// <summary>lock adc.</summary>
    AtomicAdc,

    /// <summary>lock sbb.</summary>
    AtomicSbb,

    /// <summary>lock and.</summary>
    AtomicAnd,

    /// <summary>lock or.</summary>
    AtomicOr,

    /// <summary>lock xor, not.</summary>
    AtomicXor,

    /// <summary>lock neg.</summary>
    AtomicNeg,

    /// <summary>xchg.</summary>
    AtomicExchange,

    /// <summary>lock cmpxchg: (linear address, new value, size | intent) compares with rAX; gives the old value.</summary>
    AtomicCompareExchange,

    /// <summary>cmpxchg8b: (linear address, 1 with a lock prefix, size | intent); compares with EDX:EAX, loads them when different, gives ZF.</summary>
    CompareExchange8B,

    /// <summary>cmpxchg16b: as <see cref="CompareExchange8B"/> with RDX:RAX; #GP(0) when not aligned.</summary>
    CompareExchange16B,

    // System

    /// <summary>(segment register index) gives its selector.</summary>
    ReadSelector,

    /// <summary>(segment register index, selector) loads it or raises the exception.</summary>
    LoadSegment,

    /// <summary>sldt: gives the selector of the local descriptor table.</summary>
    LocalTableSelector,

    /// <summary>arpl to memory: (linear address, new selector, 1 when it differs); else memory is not written.</summary>
    StoreSelector,

    /// <summary>far jump: (selector, offset) gives the new RIP.</summary>
    FarJump,

    /// <summary>far call: (selector | operand size &lt;&lt; 16, offset, RIP of the next instruction) gives the new RIP.</summary>
    FarCall,

    /// <summary>far return: (operand size, bytes to drop) gives the new RIP.</summary>
    FarReturn,

    /// <summary>iret: (operand size) gives the new RIP.</summary>
    InterruptReturn,

    /// <summary>lar: (selector) gives access rights | 1 &lt;&lt; 32, or 0 when the selector is not accessible.</summary>
    AccessRights,

    /// <summary>lsl: (selector) gives limit | 1 &lt;&lt; 32, or 0.</summary>
    SegmentLimit,

    /// <summary>verr, verw: (selector, 1 for write) gives ZF.</summary>
    VerifySegment,

    /// <summary>sgdt, sidt: (linear address, base, size | AccessIntent &lt;&lt; 8) stores limit 0 and the base.</summary>
    StoreTable,

    /// <summary>cpuid.</summary>
    Cpuid,

    /// <summary>rdtsc: the time-stamp counter.</summary>
    TimeStamp,

    /// <summary>in: (port, size).</summary>
    PortIn,

    /// <summary>out: (port, size, value).</summary>
    PortOut,

    /// <summary>wrfsbase, wrgsbase: (segment register index, base); #GP(0) unless canonical.</summary>
    WriteBase,

    // Privileged: system instructions of systems with tables of their own (GuestMode.System). Each checks what the lifter cannot know.

    /// <summary>mov from a control register: (number).</summary>
    ReadControl,

    /// <summary>mov to a control register: (number, value).</summary>
    WriteControl,

    /// <summary>lmsw: (value).</summary>
    LoadMachineStatus,

    /// <summary>clts.</summary>
    ClearTaskSwitched,

    /// <summary>mov from a debug register: (number).</summary>
    ReadDebug,

    /// <summary>mov to a debug register: (number, value).</summary>
    WriteDebug,

    /// <summary>lgdt, lidt: (1 for the IDT, base, limit).</summary>
    LoadTableRegister,

    /// <summary>sgdt, sidt: (linear address, 1 for the IDT, size | AccessIntent &lt;&lt; 8).</summary>
    StoreTableRegister,

    /// <summary>lldt: (selector).</summary>
    LoadLocalTable,

    /// <summary>ltr: (selector).</summary>
    LoadTask,

    /// <summary>str: gives the selector.</summary>
    TaskSelector,

    /// <summary>Raises #GP(0) where CR4.UMIP keeps sgdt, sidt, sldt, smsw and str from user code.</summary>
    CheckUserInstruction,

    /// <summary>invlpg: (linear address).</summary>
    InvalidatePage,

    /// <summary>rdmsr: (number) gives the value.</summary>
    ReadModelRegister,

    /// <summary>wrmsr: (number, value).</summary>
    WriteModelRegister,

    /// <summary>swapgs.</summary>
    SwapGs,

    /// <summary>Raises #UD where CR4.FSGSBASE does not allow rdfsbase and its like.</summary>
    CheckFsGsBase,

    /// <summary>Raises #GP(0) where CR4.TSD keeps rdtsc from code that is not privileged.</summary>
    CheckTimeStamp,

    /// <summary>rdtscp: gives IA32_TSC_AUX.</summary>
    TimeStampAux,

    /// <summary>syscall: (RIP of the next instruction) gives the new RIP.</summary>
    SystemCall,

    /// <summary>sysret: (1 to 64-bit code) gives the new RIP.</summary>
    SystemReturn,

    /// <summary>sysenter: gives the new RIP.</summary>
    FastCall,

    /// <summary>sysexit: (1 to 64-bit code) gives the new RIP.</summary>
    FastReturn,

    /// <summary>cli, sti, and pushf and popf in virtual-8086 mode: raises #GP(0) unless IOPL allows them.</summary>
    CheckInterruptFlag,

    /// <summary>sti: a trap (<see cref="IrAttr.Trap"/>) when an interrupt waits.</summary>
    SetInterruptFlag,

    /// <summary>popf: (value, size).</summary>
    PopFlags,

    /// <summary>stac, clac: (1 to set AC).</summary>
    SetAlignmentFlag,

    /// <summary>in, out, ins, outs: (port, size) raises #GP(0) unless IOPL or the permission bitmap allows them.</summary>
    CheckPorts,

    /// <summary>Before an MMX or SSE instruction when CR0 or CR4 forbid it: (an InstructionSet) raises #UD where that is due, and not #NM.</summary>
    CheckUnavailable,

    // Vector

    /// <summary>stmxcsr: gives MXCSR.</summary>
    StoreMxcsr,

    /// <summary>ldmxcsr: (new value).</summary>
    LoadMxcsr,

    /// <summary>Before a floating-point operation when an exception is unmasked in MXCSR.</summary>
    BeginSimdCheck,

    /// <summary>After it: (its result, not used; <see cref="VecOp"/> | cell of operand A &lt;&lt; 16 | that of B &lt;&lt; 24, where it can overflow or
    /// underflow) raises #XM when an unmasked flag is up.</summary>
    EndSimdCheck,

    /// <summary>Raises #MF when an x87 exception is pending: before an MMX instruction's memory access.</summary>
    MmxCheck,

    /// <summary>The same, then TOP = 0: before an MMX register is stored.</summary>
    MmxClearTop,

    /// <summary>The same, then the whole transition to MMX.</summary>
    MmxEnter,

    /// <summary>emms.</summary>
    Emms,

    /// <summary>maskmovq, maskmovdqu: (linear address, cell of data | cell of mask &lt;&lt; 8 | bytes &lt;&lt; 16).</summary>
    MaskedStore,

    /// <summary>mfence.</summary>
    MemoryFence,

    /// <summary>crc32: (accumulated value, operand, size of the operand in bytes).</summary>
    Crc32,

    /// <summary>
    /// pcmpestri, pcmpestrm, pcmpistri, pcmpistrm: (immediate | cell of operand 1 &lt;&lt; 8 | cell of operand 2 &lt;&lt; 16 | operand 2 in memory
    /// &lt;&lt; 24 | explicit lengths &lt;&lt; 25 | 64-bit lengths &lt;&lt; 26, linear address of operand 2, its AccessIntent); gives
    /// IntRes2 | index &lt;&lt; 16 | flags &lt;&lt; 32.
    /// </summary>
    PcmpStr,

    // X87. b is the packed last-instruction word (X87State.Pack), from which register forms take the number i of ST(i); memory forms take
    // the linear address in a and the base of its segment in c (0 in real mode). Each raises #NM or #MF first where it is due.

    /// <summary>fadd: ST(0) = ST(0) op ST(i).</summary>
    X87AddTop,

    /// <summary>fadd: ST(i) = ST(i) op ST(0).</summary>
    X87AddRegister,

    /// <summary>fadd: The same, and a pop.</summary>
    X87AddPop,

    /// <summary>fadd: With a single in memory.</summary>
    X87AddSingle,

    /// <summary>fadd: With a double in memory.</summary>
    X87AddDouble,

    /// <summary>fadd: With a 16-bit integer in memory.</summary>
    X87AddWord,

    /// <summary>fadd: With a 32-bit integer in memory.</summary>
    X87AddInt,

    /// <summary>fmul: ST(0) = ST(0) op ST(i).</summary>
    X87MultiplyTop,

    /// <summary>fmul: ST(i) = ST(i) op ST(0).</summary>
    X87MultiplyRegister,

    /// <summary>fmul: The same, and a pop.</summary>
    X87MultiplyPop,

    /// <summary>fmul: With a single in memory.</summary>
    X87MultiplySingle,

    /// <summary>fmul: With a double in memory.</summary>
    X87MultiplyDouble,

    /// <summary>fmul: With a 16-bit integer in memory.</summary>
    X87MultiplyWord,

    /// <summary>fmul: With a 32-bit integer in memory.</summary>
    X87MultiplyInt,

    /// <summary>fsub: ST(0) = ST(0) op ST(i).</summary>
    X87SubtractTop,

    /// <summary>fsub: ST(i) = ST(i) op ST(0).</summary>
    X87SubtractRegister,

    /// <summary>fsub: The same, and a pop.</summary>
    X87SubtractPop,

    /// <summary>fsub: With a single in memory.</summary>
    X87SubtractSingle,

    /// <summary>fsub: With a double in memory.</summary>
    X87SubtractDouble,

    /// <summary>fsub: With a 16-bit integer in memory.</summary>
    X87SubtractWord,

    /// <summary>fsub: With a 32-bit integer in memory.</summary>
    X87SubtractInt,

    /// <summary>fsubr: ST(0) = ST(0) op ST(i).</summary>
    X87SubtractReverseTop,

    /// <summary>fsubr: ST(i) = ST(i) op ST(0).</summary>
    X87SubtractReverseRegister,

    /// <summary>fsubr: The same, and a pop.</summary>
    X87SubtractReversePop,

    /// <summary>fsubr: With a single in memory.</summary>
    X87SubtractReverseSingle,

    /// <summary>fsubr: With a double in memory.</summary>
    X87SubtractReverseDouble,

    /// <summary>fsubr: With a 16-bit integer in memory.</summary>
    X87SubtractReverseWord,

    /// <summary>fsubr: With a 32-bit integer in memory.</summary>
    X87SubtractReverseInt,

    /// <summary>fdiv: ST(0) = ST(0) op ST(i).</summary>
    X87DivideTop,

    /// <summary>fdiv: ST(i) = ST(i) op ST(0).</summary>
    X87DivideRegister,

    /// <summary>fdiv: The same, and a pop.</summary>
    X87DividePop,

    /// <summary>fdiv: With a single in memory.</summary>
    X87DivideSingle,

    /// <summary>fdiv: With a double in memory.</summary>
    X87DivideDouble,

    /// <summary>fdiv: With a 16-bit integer in memory.</summary>
    X87DivideWord,

    /// <summary>fdiv: With a 32-bit integer in memory.</summary>
    X87DivideInt,

    /// <summary>fdivr: ST(0) = ST(0) op ST(i).</summary>
    X87DivideReverseTop,

    /// <summary>fdivr: ST(i) = ST(i) op ST(0).</summary>
    X87DivideReverseRegister,

    /// <summary>fdivr: The same, and a pop.</summary>
    X87DivideReversePop,

    /// <summary>fdivr: With a single in memory.</summary>
    X87DivideReverseSingle,

    /// <summary>fdivr: With a double in memory.</summary>
    X87DivideReverseDouble,

    /// <summary>fdivr: With a 16-bit integer in memory.</summary>
    X87DivideReverseWord,

    /// <summary>fdivr: With a 32-bit integer in memory.</summary>
    X87DivideReverseInt,

    /// <summary>fld m32.</summary>
    X87FldSingle,

    /// <summary>fld m64.</summary>
    X87FldDouble,

    /// <summary>fld m80.</summary>
    X87FldExtended,

    /// <summary>fild m16.</summary>
    X87FildWord,

    /// <summary>fild m32.</summary>
    X87FildInt,

    /// <summary>fild m64.</summary>
    X87FildLong,

    /// <summary>fbld.</summary>
    X87Fbld,

    /// <summary>fld ST(i).</summary>
    X87FldRegister,

    /// <summary>fld1, fldl2t, fldl2e, fldpi, fldlg2, fldln2, fldz: the number is in the opcode.</summary>
    X87FldConstant,

    /// <summary>fst m32.</summary>
    X87FstSingle,

    /// <summary>fstp m32.</summary>
    X87FstpSingle,

    /// <summary>fst m64.</summary>
    X87FstDouble,

    /// <summary>fstp m64.</summary>
    X87FstpDouble,

    /// <summary>fstp m80.</summary>
    X87FstpExtended,

    /// <summary>fist m16.</summary>
    X87FistWord,

    /// <summary>fistp m16.</summary>
    X87FistpWord,

    /// <summary>fist m32.</summary>
    X87FistInt,

    /// <summary>fistp m32.</summary>
    X87FistpInt,

    /// <summary>fistp m64.</summary>
    X87FistpLong,

    /// <summary>fisttp m16.</summary>
    X87FisttpWord,

    /// <summary>fisttp m32.</summary>
    X87FisttpInt,

    /// <summary>fisttp m64.</summary>
    X87FisttpLong,

    /// <summary>fbstp.</summary>
    X87Fbstp,

    /// <summary>fst ST(i).</summary>
    X87FstRegister,

    /// <summary>fstp ST(i).</summary>
    X87FstpRegister,

    /// <summary>fstpnce ST(i): fstp without a check of ST(0).</summary>
    X87Fstpnce,

    /// <summary>fxch ST(i).</summary>
    X87Fxch,

    /// <summary>fcmovcc: a is the condition.</summary>
    X87Fcmov,

    /// <summary>fcom ST(i).</summary>
    X87Fcom,

    /// <summary>fcomp ST(i).</summary>
    X87Fcomp,

    /// <summary>fcompp.</summary>
    X87Fcompp,

    /// <summary>fucom ST(i).</summary>
    X87Fucom,

    /// <summary>fucomp ST(i).</summary>
    X87Fucomp,

    /// <summary>fucompp.</summary>
    X87Fucompp,

    /// <summary>fcomi: gives EFLAGS.</summary>
    X87Fcomi,

    /// <summary>fcomip: gives EFLAGS.</summary>
    X87Fcomip,

    /// <summary>fucomi: gives EFLAGS.</summary>
    X87Fucomi,

    /// <summary>fucomip: gives EFLAGS.</summary>
    X87Fucomip,

    /// <summary>fcom m32.</summary>
    X87FcomSingle,

    /// <summary>fcomp m32.</summary>
    X87FcompSingle,

    /// <summary>fcom m64.</summary>
    X87FcomDouble,

    /// <summary>fcomp m64.</summary>
    X87FcompDouble,

    /// <summary>ficom m16.</summary>
    X87FicomWord,

    /// <summary>ficomp m16.</summary>
    X87FicompWord,

    /// <summary>ficom m32.</summary>
    X87FicomInt,

    /// <summary>ficomp m32.</summary>
    X87FicompInt,

    /// <summary>ftst.</summary>
    X87Ftst,

    /// <summary>fxam.</summary>
    X87Fxam,

    /// <summary>fsqrt.</summary>
    X87Fsqrt,

    /// <summary>frndint.</summary>
    X87Frndint,

    /// <summary>fscale.</summary>
    X87Fscale,

    /// <summary>fprem.</summary>
    X87Fprem,

    /// <summary>fprem1.</summary>
    X87Fprem1,

    /// <summary>fxtract.</summary>
    X87Fxtract,

    /// <summary>fabs.</summary>
    X87Fabs,

    /// <summary>fchs.</summary>
    X87Fchs,

    /// <summary>fsin, fcos, fsincos, fptan, fpatan, f2xm1, fyl2x, fyl2xp1: a is the number in that order.</summary>
    X87Transcendental,

    /// <summary>fincstp.</summary>
    X87Fincstp,

    /// <summary>fdecstp.</summary>
    X87Fdecstp,

    /// <summary>ffree ST(i).</summary>
    X87Ffree,

    /// <summary>ffreep ST(i).</summary>
    X87Ffreep,

    /// <summary>fnop.</summary>
    X87Fnop,

    /// <summary>wait, fwait.</summary>
    X87Fwait,

    /// <summary>fninit.</summary>
    X87Fninit,

    /// <summary>fnclex.</summary>
    X87Fnclex,

    /// <summary>fldcw.</summary>
    X87Fldcw,

    /// <summary>fnstcw: gives the control word.</summary>
    X87ReadControl,

    /// <summary>fnstsw: gives the status word.</summary>
    X87ReadStatus,

    /// <summary>fnstenv: b is the X87EnvironmentFormat.</summary>
    X87Fnstenv,

    /// <summary>fldenv: b is the X87EnvironmentFormat.</summary>
    X87Fldenv,

    /// <summary>fnsave: b is the X87EnvironmentFormat.</summary>
    X87Fnsave,

    /// <summary>frstor: b is the X87EnvironmentFormat.</summary>
    X87Frstor,

    /// <summary>fxsave: b is 1 for 64-bit pointers, plus 2 in 64-bit code.</summary>
    X87Fxsave,

    /// <summary>fxrstor: b as for fxsave.</summary>
    X87Fxrstor,

    /// <summary>Number of helpers.</summary>
    Count,
}
