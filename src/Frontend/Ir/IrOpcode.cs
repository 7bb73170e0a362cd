namespace DynaTrans.Frontend.Ir;

/// <summary>
/// The IR's operations. Integer ops work at <see cref="IrOp.Size"/> on the low bits of their operands and write a result that is
/// zero-extended to 64 bits. In the comments <c>b</c> stands for <c>slot[B] + Imm</c>, <c>c</c> for <c>slot[C] + Imm</c>, <c>ea</c> for the
/// address operand (see <see cref="IrOp"/>). An op marked (f) may carry <see cref="IrAttr.SetFlags"/>: it then also writes the flags
/// record of the same name.
/// The order has a meaning, which EnumOrderTests hold: ops without any effect but their result, among them those that may set flags; ops that
/// write the record; ops of vectors; and, at the end, those that end a block.
/// </summary>
public enum IrOpcode : byte
{
    /// <summary>Does nothing (an op that a pass removed).</summary>
    Nop,

    /// <summary>dst = b.</summary>
    Mov,

    /// <summary>dst = b sign-extended from Size to Sub bytes (2, 4 or 8), zero-extended above.</summary>
    SignExtend,

    /// <summary>dst = a with its low Size bytes (1 or 2) replaced by those of b.</summary>
    Insert,

    /// <summary>dst = a with bits 15:8 replaced by bits 7:0 of b.</summary>
    InsertHigh,

    /// <summary>dst = bits 15:8 of b.</summary>
    ExtractHigh,

    /// <summary>dst = a + b (f).</summary>
    Add,

    /// <summary>dst = a + b + slot[C], C holds 0 or 1 (f).</summary>
    Adc,

    /// <summary>dst = a - b (f).</summary>
    Sub,

    /// <summary>dst = a - b - slot[C], C holds 0 or 1 (f).</summary>
    Sbb,

    /// <summary>dst = a and b (f: Logic).</summary>
    And,

    /// <summary>dst = a or b (f: Logic).</summary>
    Or,

    /// <summary>dst = a xor b (f: Logic).</summary>
    Xor,

    /// <summary>dst = a + 1 (f: CF stays).</summary>
    Inc,

    /// <summary>dst = a - 1 (f: CF stays).</summary>
    Dec,

    /// <summary>dst = 0 - b (f: Sub with a = 0).</summary>
    Neg,

    /// <summary>dst = not b.</summary>
    Not,

    /// <summary>dst = a shifted left; the count is b and 31 (63 at size 8) (f: nothing is written when the masked count is 0).</summary>
    Shl,

    /// <summary>As <see cref="Shl"/>, unsigned right (f).</summary>
    Shr,

    /// <summary>As <see cref="Shl"/>, signed right (f).</summary>
    Sar,

    /// <summary>dst = a rotated left by b modulo the size in bits.</summary>
    Rol,

    /// <summary>dst = a rotated right by b modulo the size in bits.</summary>
    Ror,

    /// <summary>dst = low half of a * b.</summary>
    Mul,

    /// <summary>dst = high half of the unsigned product a * b.</summary>
    MulHighU,

    /// <summary>dst = high half of the signed product a * b.</summary>
    MulHighS,

    /// <summary>dst = b with its bytes reversed (size 4 or 8; at size 2 too, for movbe).</summary>
    Bswap,

    /// <summary>dst = number of ones in b.</summary>
    PopCount,

    /// <summary>dst = number of leading zeros of b; the size in bits when b is 0.</summary>
    LeadingZeros,

    /// <summary>dst = number of trailing zeros of b; the size in bits when b is 0.</summary>
    TrailingZeros,

    /// <summary>dst = (slot[A] != 0 as 64 bits) ? slot[B] : slot[C], zero-extended from Size. Imm must be 0.</summary>
    Select,

    /// <summary>dst = 1 when the relation Sub (<see cref="Relation"/>) holds between a and b at Size, else 0.</summary>
    Compare,

    /// <summary>dst = 1 when the <see cref="Condition"/> Sub holds in the flags record, else 0.</summary>
    GetCondition,

    /// <summary>dst = the six status flags of the record, at their EFLAGS positions, other bits 0.</summary>
    GetFlags,

    /// <summary>
    /// Writes the flags record: kind Sub (<see cref="FlagsKind"/>), res = slot[A], src = b, aux = slot[C]; A and b must be zero-extended
    /// from Size already. For Add and Sub, C is the left operand (not stored; it lets a condition become one compare), or Zero.
    /// </summary>
    SetFlags,

    /// <summary>As <see cref="SetFlags"/> with aux 0, but only when slot[C] is not 0.</summary>
    SetFlagsIf,

    /// <summary>CF and OF become those of a rotate at Size (Sub 0 left, 1 right) with the result slot[A], unless the count b is 0; the other flags stay.</summary>
    RotateFlags,

    /// <summary>CF becomes b (slot[B], or Imm with Zero; 0 or 1), the other flags stay.</summary>
    SetCarry,

    /// <summary>
    /// The flags of a signed multiplication a * b: kind <see cref="FlagsKind.Mul"/>, res the high half, src what tells it from the sign of the low half.
    /// </summary>
    ProductFlags,

    /// <summary>dst = ea, truncated to Size, segment base not added (lea).</summary>
    Lea,

    /// <summary>dst = linear address of ea (segment base added, truncated to the mode's linear width): what helpers take as address.</summary>
    LinearAddress,

    /// <summary>
    /// Raises #SS (segment SS) or #GP when [slot[A], slot[A] + n - 1] is not inside the limit of segment Seg, or the segment not of a type that
    /// allows the access; Imm is n and a <see cref="SegmentAccess"/>. In 64-bit mode #GP when slot[A], a branch target, is not canonical.
    /// </summary>
    CheckLimit,

    /// <summary>dst = Size bytes at ea, zero-extended.</summary>
    Load,

    /// <summary>dst = Size bytes at ea, sign-extended to Sub bytes, zero-extended above.</summary>
    LoadSigned,

    /// <summary>Size bytes at ea = c.</summary>
    Store,

    /// <summary>Vector dst = Size bytes (4, 8 or 16) at ea, upper bytes 0. <see cref="IrAttr.Aligned"/>: #GP unless aligned to 16.</summary>
    VLoad,

    /// <summary>Size bytes (4, 8 or 16) at ea = low bytes of vector C. <see cref="IrAttr.Aligned"/> as for <see cref="VLoad"/>.</summary>
    VStore,

    /// <summary>Vector dst = vector B.</summary>
    VMov,

    /// <summary>MMX register dst: bits 63:0 of vector B, bits 79:64 ones.</summary>
    VMovMmx,

    /// <summary>Vector dst = Sub (<see cref="VecOp"/>) of vectors A and B, and Imm where the operation takes an immediate.</summary>
    VBinary,

    /// <summary>Vector dst = Sub (<see cref="VecOp"/>) of vector B, and Imm where the operation takes an immediate.</summary>
    VUnary,

    /// <summary>Integer dst = Sub (<see cref="VecOp"/>) of vectors A and B (B only, where the operation is unary), and Imm.</summary>
    VToInt,

    /// <summary>Vector dst = Sub (<see cref="VecOp"/>) of vector A and integer slot[B], and Imm where the operation takes an immediate.</summary>
    VFromInt,

    /// <summary>
    /// dst = helper Sub (<see cref="HelperId"/>) of (slot[A], b, slot[C]). The helper may raise an exception, which ends the block at this
    /// instruction with nothing after the call executed.
    /// </summary>
    Call,

    /// <summary>Ends the block: continue at <see cref="IrBlock.Taken"/>.</summary>
    Jump,

    /// <summary>Ends the block: to <see cref="IrBlock.Taken"/> when the <see cref="Condition"/> Sub holds, else to <see cref="IrBlock.Next"/>.</summary>
    JumpCondition,

    /// <summary>Ends the block: to <see cref="IrBlock.Taken"/> when slot[A] is not 0, else to <see cref="IrBlock.Next"/>.</summary>
    JumpIf,

    /// <summary>Ends the block: continue at slot[A]; Sub is a <see cref="JumpKind"/>.</summary>
    JumpIndirect,

    /// <summary>Ends the block for cause Sub (<see cref="ExitCause"/>) with detail Imm; RIP is <see cref="IrBlock.Next"/>.</summary>
    Exit,

    /// <summary>Raises exception vector Sub with error code slot[A] at this instruction (RIP points at it). Ends the block.</summary>
    Raise,
}

/// <summary>Relations of <see cref="IrOpcode.Compare"/>.</summary>
public enum Relation : byte
{
    /// <summary>a == b.</summary>
    Equal,

    /// <summary>a != b.</summary>
    NotEqual,

    /// <summary>a &lt; b, unsigned.</summary>
    BelowU,

    /// <summary>a &lt;= b, unsigned.</summary>
    BelowEqualU,

    /// <summary>a &lt; b, signed.</summary>
    LessS,

    /// <summary>a &lt;= b, signed.</summary>
    LessEqualS,
}

/// <summary>What an indirect jump is: where it may go, and how that is predicted.</summary>
public enum JumpKind : byte
{
    /// <summary>jmp.</summary>
    Jump,

    /// <summary>call.</summary>
    Call,

    /// <summary>ret.</summary>
    Return,

    /// <summary>A far transfer: the code context may be another one, so the target is no place in the present one.</summary>
    Far,
}

/// <summary>What <see cref="IrOpcode.CheckLimit"/> checks besides the limit: bits above the number of bytes.</summary>
public static class SegmentAccess
{
    /// <summary>The segment must be one that can be written; else one that can be read.</summary>
    public const int Write = 1 << 16;

    /// <summary>The limit counts alone: a jump in the code segment.</summary>
    public const int Execute = 1 << 17;

    /// <summary>The number of bytes.</summary>
    public const int SizeMask = (1 << 16) - 1;
}

/// <summary>Why execution left the executors and who has to act; one owner each.</summary>
public enum ExitCause : byte
{
    /// <summary>Continue with the block at RIP (dispatcher).</summary>
    Continue,

    /// <summary>A fault or trap is pending in the CPU state (host: signal, or interrupt delivery).</summary>
    Exception,

    /// <summary>int n, int3, into, int1: detail is the vector (host: system call, signal, or interrupt delivery).</summary>
    SoftwareInterrupt,

    /// <summary>syscall (host).</summary>
    Syscall,

    /// <summary>sysenter (host).</summary>
    Sysenter,

    /// <summary>hlt at ring 0 (host).</summary>
    Halt,

    /// <summary>The exit-request word was found set (host).</summary>
    Requested,

    /// <summary>The instruction at RIP must be executed alone by the interpreter: it hits translated code or cannot be translated (dispatcher).</summary>
    SingleStep,

    /// <summary>The instruction budget of the run is used up (host).</summary>
    Budget,

    /// <summary>
    /// An access at RIP needs the slow path, for which this translation has no code: the interpreter goes on from there (dispatcher).
    /// </summary>
    SlowAccess,

    /// <summary>Translated code was entered from outside so often that it should be recompiled with what surrounds it (dispatcher).</summary>
    HotEntry,
}

/// <summary>Counts causes.</summary>
public static class ExitCauses
{
    /// <summary>Number of causes: the length of an array with a place for each.</summary>
    public const int Count = (int)ExitCause.HotEntry + 1;
}
