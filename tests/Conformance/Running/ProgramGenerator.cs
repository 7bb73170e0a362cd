using System.Buffers.Binary;
using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;
using Iced.Intel;

namespace DynaTrans.Conformance.Running;

/// <summary>
/// Makes small programs of blocks, with loops and branches, that end at their last byte: what becomes one region. Their instructions are
/// those of <see cref="SequenceGenerator"/>; in between they change MXCSR and the x87 control word, and read MXCSR.
/// </summary>
internal sealed class ProgramGenerator(Rng rng, int bitness, string family)
{
    /// <summary>Address of the values that LDMXCSR loads: the instructions do not touch the stack.</summary>
    internal const uint MxcsrValues = TestMemory.Stack + 0x100;

    /// <summary>Address of the values that FLDCW loads.</summary>
    internal const uint ControlWords = TestMemory.Stack + 0x140;

    /// <summary>Address of the counter of the loop around everything.</summary>
    internal const uint OuterCount = TestMemory.Stack + 0x180;

    /// <summary>Values at <see cref="MxcsrValues"/> and at <see cref="ControlWords"/>.</summary>
    internal const int Values = 8;

    private const uint StoredMxcsr = TestMemory.Stack + 0x1C0;
    private const int Parts = 4;
    private const int EncodingsOfForm = 3;

    // To find an encoding of a form that is fit.
    private const int Attempts = 60;
    private const int NotEqual = 5;
    private const RflagsBits Status = RflagsBits.OF | RflagsBits.SF | RflagsBits.ZF | RflagsBits.AF | RflagsBits.CF | RflagsBits.PF;
    private const RflagsBits ConditionCodes = RflagsBits.C0 | RflagsBits.C1 | RflagsBits.C2 | RflagsBits.C3;

    private readonly SequenceGenerator _instructions = new(rng, bitness, family);
    private readonly InstructionInfoFactory _info = new();
    private readonly List<byte> _code = [];
    private readonly List<string> _text = [];
    private RflagsBits _undefined;
    private RflagsBits _everUndefined;

    /// <summary>The x87 condition codes that some instruction of the last program leaves undefined, as bits of the status word.</summary>
    internal ushort UndefinedConditionCodes { get; private set; }

    /// <summary>Makes a program.</summary>
    internal Sequence Next()
    {
        Begin();
        var parts = 1 + rng.Below(Parts);
        for (var i = 0; i < parts; i++)
        {
            AddInstructions(rng.Below(4));
            if (rng.OneIn(3)) AddSkip();
            else AddLoop();
        }
        return End();
    }

    /// <summary>Makes a program whose inner loop executes several encodings of one form; null when the form has none that is fit for it.</summary>
    internal Sequence? NextOf(Form form)
    {
        Begin();
        var head = BeginLoop();
        for (var i = 0; i < EncodingsOfForm; i++)
        {
            AddInstructions(rng.Below(2));
            if (rng.OneIn(2)) AddCompare();
            if (!TryAdd(form))
            {
                // It may read flags that are undefined here.
                AddCompare();
                if (!TryAdd(form)) return null;
            }
        }
        EndLoop(head);
        return End();
    }

    private void Begin()
    {
        _code.Clear();
        _text.Clear();
        _undefined = _everUndefined = RflagsBits.None;
        UndefinedConditionCodes = 0;
    }

    private Sequence End()
    {
        // The loop around everything.
        AddBytes($"dec dword [{OuterCount:x}h]", [0xFF, .. Absolute(1, OuterCount)]);
        SetDefined(RflagsBits.CF);
        AddJump(NotEqual, 0);
        var decoder = Decoder.Create(bitness, new ByteArrayCodeReader([0x90]));
        decoder.IP = TestMemory.CodeStart;
        decoder.Decode(out var nop);
        return new Sequence(new Cases.Encoding([.. _code], nop, TestMemory.CodeStart), SequenceGenerator.StatusFlags(_everUndefined), [.. _text]);
    }

    private void AddLoop()
    {
        var head = BeginLoop();
        AddInstructions(1 + rng.Below(5));
        if (rng.OneIn(3)) AddSkip();
        if (rng.OneIn(2)) AddInstructions(1 + rng.Below(3));
        EndLoop(head);
    }

    private int BeginLoop()
    {
        AddBytes("mov ebp, count", [0xBD, (byte)(1 + rng.Below(6)), 0, 0, 0]);
        // What the second turn finds is what the first leaves.
        _undefined = Status;
        return _code.Count;
    }

    private void EndLoop(int head)
    {
        AddBytes("dec ebp", [0xFF, 0xCD]);
        SetDefined(RflagsBits.CF);
        AddJump(NotEqual, head);
    }

    private void AddSkip()
    {
        AddCompare();
        var before = _undefined;
        var at = AddJump(rng.Below(16), 0);
        AddInstructions(1 + rng.Below(4));
        _undefined |= before;
        BinaryPrimitives.WriteInt32LittleEndian(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_code)[at..], _code.Count - (at + 4));
    }

    // Or an addition: then all status flags are defined.
    private void AddCompare()
    {
        var registers = new[] { 0, 1, 2, 3, 6, 7 };
        var (a, b) = (registers[rng.Below(6)], registers[rng.Below(6)]);
        var isCompare = rng.OneIn(2);
        AddBytes(isCompare ? $"cmp r{a}, r{b}" : $"add r{a}, r{b}", [(byte)(isCompare ? 0x39 : 0x01), (byte)(0xC0 | b << 3 | a)]);
        SetDefined(RflagsBits.None);
    }

    private void AddInstructions(int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (family is not ("integer" or "x87") && rng.OneIn(12)) AddMxcsr();
            else if (family is "x87" && rng.OneIn(12)) AddBytes("fldcw", [0xD9, .. Absolute(5, ControlWords + (uint)(2 * rng.Below(Values)))]);
            else AddInstruction();
        }
    }

    private void AddInstruction()
    {
        Cases.Encoding encoding;
        do encoding = _instructions.NextInstruction(_undefined);
        while (!IsFit(encoding));
        Add(encoding);
    }

    private bool TryAdd(Form form)
    {
        for (var i = 0; i < Attempts; i++)
        {
            if (_instructions.TryInstruction(form, _undefined) is not { } encoding || !IsFit(encoding)) continue;
            Add(encoding);
            return true;
        }
        return false;
    }

    private void Add(Cases.Encoding encoding)
    {
        ref readonly var instruction = ref encoding.Instruction;
        _undefined = (_undefined & ~instruction.RflagsModified) | (instruction.RflagsUndefined & Status);
        _everUndefined |= _undefined;
        var codes = instruction.RflagsUndefined & ConditionCodes;
        if ((codes & RflagsBits.C0) != 0) UndefinedConditionCodes |= 0x100;
        if ((codes & RflagsBits.C1) != 0) UndefinedConditionCodes |= 0x200;
        if ((codes & RflagsBits.C2) != 0) UndefinedConditionCodes |= 0x400;
        if ((codes & RflagsBits.C3) != 0) UndefinedConditionCodes |= 0x4000;
        AddBytes(encoding.ToString(), encoding.Bytes);
    }

    // Leaves the counter alone, and seldom faults.
    private bool IsFit(Cases.Encoding encoding)
    {
        foreach (var register in _info.GetInfo(encoding.Instruction).GetUsedRegisters())
            if (register.Register.GetFullRegister() is Register.RBP or Register.RSP) return false;
        if (encoding.Memory is not { } memory || rng.OneIn(24)) return true;
        var state = default(MachineState);
        var address = memory.Address(ref state);
        return TestMemory.IsData(address, memory.Size) && (memory.Size != 16 || address % 16 == 0) && encoding.Instruction.Mnemonic != Mnemonic.Ldmxcsr;
    }

    private void AddMxcsr()
    {
        if (rng.OneIn(3)) AddBytes("ldmxcsr", [0x0F, 0xAE, .. Absolute(2, MxcsrValues + (uint)(4 * rng.Below(Values)))]);
        else AddBytes("stmxcsr", [0x0F, 0xAE, .. Absolute(3, StoredMxcsr + (uint)(4 * rng.Below(Values)))]);
    }

    private void SetDefined(RflagsBits untouched) => _undefined &= untouched;

    // Returns where the distance is.
    private int AddJump(int condition, int target)
    {
        AddBytes($"j{condition:x} to {target:x}", [0x0F, (byte)(0x80 | condition), 0, 0, 0, 0]);
        var at = _code.Count - 4;
        BinaryPrimitives.WriteInt32LittleEndian(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_code)[at..], target - _code.Count);
        return at;
    }

    // A ModRM byte and an absolute address.
    private byte[] Absolute(int field, uint address) =>
        [(byte)(field << 3 | (bitness == 64 ? 4 : 5)), .. bitness == 64 ? (byte[])[0x25] : [], .. BitConverter.GetBytes(address)];

    private void AddBytes(string text, ReadOnlySpan<byte> bytes)
    {
        _text.Add($"{_code.Count,4:x} {Convert.ToHexStringLower(bytes)} {text}");
        _code.AddRange(bytes);
    }
}
