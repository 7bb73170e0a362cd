using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>
/// Decodes guest bytes and lifts them to IR, one block at a time. Not thread-safe: one per thread. The meaning of each instruction is one
/// method in a family's file; <see cref="LiftTable"/> maps mnemonics to methods.
/// </summary>
public sealed unsafe class Lifter
{
    private readonly LiftContext _context = new();
    private readonly PointerCodeReader _reader = new();
    private readonly Decoder[] _decoders = new Decoder[3];

    /// <summary>The CPU whose instructions there are; others raise #UD.</summary>
    public CpuModel Model { get; set; } = CpuModel.Process;

    /// <summary>
    /// Lifts a block.
    /// </summary>
    /// <param name="block">Receives the block.</param>
    /// <param name="code">Host pointer to the first instruction.</param>
    /// <param name="available">Bytes that may be fetched from there.</param>
    /// <param name="rip">Guest RIP of the first instruction.</param>
    /// <param name="mode">Mode to decode in.</param>
    /// <param name="maxInstructions">Stop after so many instructions (at most <see cref="IrBlock.MaxInstructions"/>).</param>
    /// <returns>
    /// False when not even one instruction is complete within <paramref name="available"/> bytes: the fetch of the byte at
    /// rip + available faults.
    /// </returns>
    public bool Lift(IrBlock block, byte* code, int available, ulong rip, GuestMode mode, int maxInstructions = IrBlock.MaxInstructions)
    {
        block.Clear();
        block.Mode = mode;
        block.Start = rip;
        block.Next = rip;
        _context.BeginBlock(block, mode);
        var decoder = DecoderFor(mode);
        _reader.Set(code, available);
        decoder.IP = rip;
        var limit = Math.Min(maxInstructions, IrBlock.MaxInstructions);
        while (block.InstructionCount < limit)
        {
            ref var insn = ref block.Instructions[block.InstructionCount];
            decoder.Decode(out insn);
            if (insn.IsInvalid)
            {
                if (!LiftInvalid(ref insn, code + (int)(block.Next - rip), available - (int)(block.Next - rip)))
                    break;
            }
            else
                LiftOne(insn, code + (int)(block.Next - rip));
            block.InstructionCount++;
            block.Next = insn.NextIP;
            if (_context.Ended)
                return true;
        }

        if (block.InstructionCount == 0)
            return false;
        block.InstructionCount--;
        _context.Jump(block.Next);
        block.InstructionCount++;
        return true;
    }

    private void LiftOne(in Instruction insn, byte* bytes)
    {
        _context.BeginInstruction(insn, bytes);
        var method = LiftTable.Method(insn.Mnemonic, _context.IsSystem);
        if (method == null || (_context.IsReal && insn.Code.Encoding() != EncodingKind.Legacy) || Model.Lacks(insn.Code))
            _context.Raise(ExceptionVector.InvalidOpcode);
        else if ((_context.Mode & (GuestMode.NoFpu | GuestMode.NoSse)) == 0 || !InstructionSets.IsUnavailable(_context))
            method(_context);
        else if ((_context.Mode & GuestMode.NoSse) != 0)
            _context.Block.LacksSse = true;
    }

    // An encoding that Iced rejects, or of which it found no end. False: the fetch of the byte after the available ones faults.
    private bool LiftInvalid(ref Instruction insn, byte* bytes, int available)
    {
        var outcome = InstructionLength.Examine(bytes, available, _context.Mode, out var length);
        if (outcome == FetchOutcome.NeedsMore)
            return false;
        insn.Length = length;
        insn.NextIP = _context.Block.Next + (uint)length;
        _context.BeginInstruction(insn, bytes);
        _context.Raise(outcome == FetchOutcome.TooLong ? ExceptionVector.GeneralProtection : ExceptionVector.InvalidOpcode);
        return true;
    }

    private Decoder DecoderFor(GuestMode mode)
    {
        var index = (int)(mode & GuestMode.CodeMask);
        return _decoders[index] ??= Decoder.Create(mode.Bitness(), _reader, Options());
    }

    // Where they do not exist, the prefix that makes tzcnt and lzcnt of bsf and bsr is ignored.
    private DecoderOptions Options() =>
        (Model.Has("bmi1") ? 0 : DecoderOptions.NoMPFX_0FBC) | (Model.Has("abm") ? 0 : DecoderOptions.NoMPFX_0FBD);

    private sealed class PointerCodeReader : CodeReader
    {
        private byte* _next;
        private byte* _end;

        public void Set(byte* code, int available)
        {
            _next = code;
            _end = code + available;
        }

        public override int ReadByte() => _next < _end ? *_next++ : -1;
    }
}

/// <summary>Exception vectors (SDM Vol. 3, table 6-1).</summary>
public static class ExceptionVector
{
    /// <summary>#DE.</summary>
    public const int DivideError = 0;

    /// <summary>#DB.</summary>
    public const int Debug = 1;

    /// <summary>NMI.</summary>
    public const int NonMaskable = 2;

    /// <summary>#BP.</summary>
    public const int Breakpoint = 3;

    /// <summary>#OF.</summary>
    public const int Overflow = 4;

    /// <summary>#BR.</summary>
    public const int BoundRange = 5;

    /// <summary>#UD.</summary>
    public const int InvalidOpcode = 6;

    /// <summary>#NM.</summary>
    public const int DeviceNotAvailable = 7;

    /// <summary>#DF.</summary>
    public const int DoubleFault = 8;

    /// <summary>#TS.</summary>
    public const int InvalidTask = 10;

    /// <summary>#NP.</summary>
    public const int SegmentNotPresent = 11;

    /// <summary>#SS.</summary>
    public const int StackFault = 12;

    /// <summary>#GP.</summary>
    public const int GeneralProtection = 13;

    /// <summary>#PF.</summary>
    public const int PageFault = 14;

    /// <summary>#MF.</summary>
    public const int FloatingPoint = 16;

    /// <summary>#AC.</summary>
    public const int AlignmentCheck = 17;

    /// <summary>#XM.</summary>
    public const int SimdFloatingPoint = 19;
}
