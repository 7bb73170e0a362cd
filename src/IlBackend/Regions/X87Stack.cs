using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.IlBackend.Regions;

/// <summary>What an x87 instruction does to what is known of the stack.</summary>
public enum X87Effect
{
    /// <summary>It leaves the stack as <see cref="X87Stack.Apply"/> says.</summary>
    Known,

    /// <summary>As <see cref="Known"/>, and the control word may change.</summary>
    Control,

    /// <summary>What it leaves is not known, or it would meet a stack fault.</summary>
    Unknown,
}

/// <summary>TOP and the tags of the x87, as known when a region is translated; all exceptions are masked.</summary>
/// <param name="Top">Number of the physical register that is ST(0).</param>
/// <param name="Valid">One bit per physical register: 1 is not empty.</param>
public readonly record struct X87Stack(int Top, int Valid)
{
    private const int Forms = HelperId.X87MultiplyTop - HelperId.X87AddTop;

    /// <summary>From the word of the state (Runtime.X87State.Stack).</summary>
    public static X87Stack FromWord(uint word) => new((int)(word >> 16) & 7, (int)word & 0xFF);

    /// <summary>The word of the state; nothing forbids x87 instructions.</summary>
    public int Word => Valid | Top << 16;

    /// <summary>Number of the physical register that is ST(index).</summary>
    public int Physical(int index) => (Top + index) & 7;

    /// <summary>True for the helpers of the x87 family, and for those by which MMX instructions change TOP and the tags.</summary>
    public static bool IsX87(in IrOp op) =>
        op.Op == IrOpcode.Call && (HelperId)op.Sub is (>= HelperId.X87AddTop and <= HelperId.X87Fxrstor)
            or HelperId.MmxEnter or HelperId.MmxCheck or HelperId.MmxClearTop or HelperId.Emms;

    /// <summary>The register number i of ST(i) in an instruction's packed last-instruction word.</summary>
    public static int RegisterOf(in IrOp op) => (int)(op.Imm >> 53) & 7;

    /// <summary>The stack after an instruction.</summary>
    public X87Effect Apply(in IrOp op, out X87Stack after)
    {
        var id = (HelperId)op.Sub;
        var i = RegisterOf(op);
        var stack = this;
        var fine = true;
        var effect = X87Effect.Known;
        switch (id)
        {
            case >= HelperId.X87AddTop and <= HelperId.X87DivideReverseInt:
                var form = (id - HelperId.X87AddTop) % Forms;
                fine = Has(0) && (form > 2 || Has(i));
                if (form == 2)
                    stack = stack.Popped();
                break;
            case >= HelperId.X87FldSingle and <= HelperId.X87Fbld:
            case HelperId.X87FldConstant:
                fine = !Has(7);
                stack = stack.Pushed();
                break;
            case HelperId.X87FldRegister:
                fine = Has(i) && !Has(7);
                stack = stack.Pushed();
                break;
            case HelperId.X87FstSingle or HelperId.X87FstDouble or HelperId.X87FistWord or HelperId.X87FistInt:
            case HelperId.X87FcomSingle or HelperId.X87FcomDouble or HelperId.X87FicomWord or HelperId.X87FicomInt or HelperId.X87Ftst:
            case HelperId.X87Fsqrt or HelperId.X87Frndint or HelperId.X87Fabs or HelperId.X87Fchs:
                fine = Has(0);
                break;
            case HelperId.X87FstpSingle or HelperId.X87FstpDouble or HelperId.X87FstpExtended or HelperId.X87Fbstp:
            case >= HelperId.X87FistpInt and <= HelperId.X87FisttpLong:
            case HelperId.X87FistpWord:
            case HelperId.X87FcompSingle or HelperId.X87FcompDouble or HelperId.X87FicompWord or HelperId.X87FicompInt:
                fine = Has(0);
                stack = stack.Popped();
                break;
            case HelperId.X87FstRegister:
                fine = Has(0);
                stack = stack.With(i);
                break;
            case HelperId.X87FstpRegister:
                fine = Has(0);
                stack = stack.With(i).Popped();
                break;
            case HelperId.X87Fxch or HelperId.X87Fcmov or HelperId.X87Fcom or HelperId.X87Fucom or HelperId.X87Fcomi or HelperId.X87Fucomi:
                fine = Has(0) && Has(i);
                break;
            case HelperId.X87Fcomp or HelperId.X87Fucomp or HelperId.X87Fcomip or HelperId.X87Fucomip:
                fine = Has(0) && Has(i);
                stack = stack.Popped();
                break;
            case HelperId.X87Fcompp or HelperId.X87Fucompp:
                fine = Has(0) && Has(1);
                stack = stack.Popped().Popped();
                break;
            case HelperId.X87Fscale or HelperId.X87Fprem or HelperId.X87Fprem1:
                fine = Has(0) && Has(1);
                break;
            case HelperId.X87Fxam or HelperId.X87Fnop or HelperId.X87Fwait or HelperId.X87ReadControl or HelperId.X87ReadStatus:
                break;
            case HelperId.X87Fldcw:
                effect = X87Effect.Control;
                break;
            default:
                fine = false;
                break;
        }

        after = stack;
        return fine ? effect : X87Effect.Unknown;
    }

    private bool Has(int index) => (Valid >> Physical(index) & 1) != 0;

    private X87Stack Popped() => new((Top + 1) & 7, Valid & ~(1 << Top));

    private X87Stack Pushed()
    {
        var top = (Top - 1) & 7;
        return new(top, Valid | 1 << top);
    }

    private X87Stack With(int index) => this with { Valid = Valid | 1 << Physical(index) };

    private static bool HasX87(Region region)
    {
        foreach (var block in region.Blocks)
            foreach (ref readonly var op in block.Ops.AsSpan())
                if (IsX87(op))
                    return true;
        return false;
    }

    /// <summary>
    /// What the stack is likely to be at the entry of each block: what was seen at the region's head, followed along its edges. Blocks that
    /// only indirect jumps, returns or instructions of unknown effect lead to are missing.
    /// </summary>
    public static Dictionary<ulong, X87Stack> Flow(Region region)
    {
        var entries = new Dictionary<ulong, X87Stack>();
        if (!HasX87(region))
            return entries;
        var head = region.Blocks[0];
        entries[head.Start] = FromWord(head.X87Stack);
        var work = new Queue<RegionBlock>([head]);
        while (work.TryDequeue(out var block))
        {
            if (After(block, entries[block.Start]) is not { } stack)
                continue;
            var last = block.Ops[^1].Op;
            if (last is IrOpcode.Jump or IrOpcode.JumpCondition or IrOpcode.JumpIf)
                Reach(block.Taken, stack);
            if (last is IrOpcode.JumpCondition or IrOpcode.JumpIf)
                Reach(block.Next, stack);
        }

        return entries;

        void Reach(ulong target, X87Stack stack)
        {
            if (region.Find(target) is { } block && entries.TryAdd(target, stack))
                work.Enqueue(block);
        }
    }

    private static X87Stack? After(RegionBlock block, X87Stack stack)
    {
        foreach (ref readonly var op in block.Ops.AsSpan())
            if (IsX87(op) && stack.Apply(op, out stack) == X87Effect.Unknown)
                return null;
        return stack;
    }
}
