using DynaTrans.Conformance.Native;
using Iced.Intel;

namespace DynaTrans.Conformance.Cases;

/// <summary>One encoding of a form, placed at an address, with its memory operand taken apart.</summary>
public sealed class Encoding
{
    private readonly Instruction _instruction;

    internal Encoding(byte[] bytes, in Instruction instruction, uint address)
    {
        Bytes = bytes;
        _instruction = instruction;
        Address = address;
        Memory = MemoryOperand.Of(instruction);
    }

    /// <summary>The instruction's bytes.</summary>
    public byte[] Bytes { get; }

    /// <summary>The decoded instruction, with its addresses.</summary>
    public ref readonly Instruction Instruction => ref _instruction;

    /// <summary>Where the first byte lies.</summary>
    public uint Address { get; }

    /// <summary>The explicit memory operand, or null.</summary>
    public MemoryOperand? Memory { get; }

    /// <summary>True in 32-bit code.</summary>
    public bool Is32 => Instruction.CodeSize == CodeSize.Code32;

    /// <summary>Whether FS or GS is used with a base.</summary>
    public (bool Fs, bool Gs) Segments => (Instruction.SegmentPrefix == Register.FS, Instruction.SegmentPrefix == Register.GS);

    /// <summary>Bytes and text, for messages.</summary>
    public override string ToString() => $"{Convert.ToHexString(Bytes)} {Instruction}";
}

/// <summary>A base + index * scale + displacement operand whose registers can be solved for a wanted address.</summary>
public sealed class MemoryOperand
{
    private readonly int _base, _index, _scale, _bits;
    private readonly ulong _displacement, _segmentBase;

    private MemoryOperand(in Instruction instruction)
    {
        _base = Number(instruction.MemoryBase);
        _index = Number(instruction.MemoryIndex);
        _scale = instruction.MemoryIndexScale;
        _displacement = instruction.MemoryDisplacement64;
        _segmentBase = instruction.MemorySegment switch { Register.FS => TestMemory.FsBase, Register.GS => TestMemory.GsBase, _ => 0 };
        _bits = AddressBits(instruction);
        IsFixed = _base < 0 && _index < 0;
        Size = instruction.MemorySize == MemorySize.Unknown ? 16 : Math.Max(1, instruction.MemorySize.GetSize());
        if (instruction.MemorySize is MemorySize.Fxsave_512Byte or MemorySize.Fxsave64_512Byte) Size = 512;
        if (instruction.MemorySize is MemorySize.FpuEnv28 or MemorySize.FpuEnv14) Size = 28;
        if (instruction.MemorySize is MemorySize.FpuState108 or MemorySize.FpuState94) Size = 108;
    }

    /// <summary>True when no register takes part: the address is in the encoding.</summary>
    public bool IsFixed { get; }

    /// <summary>Bytes accessed.</summary>
    public int Size { get; }

    /// <summary>Base register number, or -1.</summary>
    public int Base => _base;

    /// <summary>Index register number, or -1.</summary>
    public int Index => _index;

    /// <summary>The operand of <paramref name="instruction"/>, or null when it has none of this kind.</summary>
    public static MemoryOperand? Of(in Instruction instruction)
    {
        for (var i = 0; i < instruction.OpCount; i++)
            if (instruction.GetOpKind(i) == OpKind.Memory)
                return new MemoryOperand(instruction);
        return null;
    }

    /// <summary>Address size in bits of <paramref name="instruction"/>'s memory operand.</summary>
    public static int AddressBits(in Instruction instruction)
    {
        var register = instruction.MemoryBase != Register.None ? instruction.MemoryBase : instruction.MemoryIndex;
        if (register == Register.RIP) return 64;
        if (register == Register.EIP) return 32;
        if (register != Register.None && !register.IsXMM()) return register.GetSize() * 8;
        return instruction.MemoryDisplSize switch { 2 => 16, 8 => 64, _ => instruction.CodeSize == CodeSize.Code64 && instruction.MemoryDisplSize != 4 ? 64 : instruction.CodeSize == CodeSize.Code64 ? 64 : 32 };
    }

    /// <summary>
    /// Sets base and index registers in <paramref name="state"/> so that the operand lies at <paramref name="wanted"/>, or as near
    /// as scaling allows; registers in <paramref name="pinned"/> are left alone. Returns the address that results.
    /// </summary>
    public unsafe ulong Solve(ref MachineState state, ulong wanted, uint pinned, Rng rng)
    {
        if (_index == _base && _base >= 0)
        {
            if ((pinned >> _base & 1) == 0)
                Set(ref state, _base, (wanted - _segmentBase - _displacement & Mask) / (ulong)(_scale + 1), rng);
        }
        else if (_base >= 0)
        {
            if (_index >= 0 && (pinned >> _index & 1) == 0 && rng.OneIn(2)) Set(ref state, _index, rng.Integer(), rng);
            if ((pinned >> _base & 1) == 0)
                Set(ref state, _base, wanted - _segmentBase - _displacement - Scaled(ref state), rng);
            else if (_index >= 0 && (pinned >> _index & 1) == 0)
                Set(ref state, _index, (wanted - _segmentBase - _displacement - Get(ref state, _base) & Mask) / (ulong)_scale, rng);
        }
        else if (_index >= 0 && (pinned >> _index & 1) == 0)
        {
            Set(ref state, _index, (ulong)((long)(wanted - _segmentBase - _displacement) >> System.Numerics.BitOperations.Log2((uint)_scale)), rng);
        }
        return Address(ref state);
    }

    /// <summary>Linear address of the operand with the registers of <paramref name="state"/>.</summary>
    public ulong Address(ref MachineState state)
    {
        var offset = _displacement;
        if (_base >= 0) offset += Get(ref state, _base);
        offset += Scaled(ref state);
        return (offset & Mask) + _segmentBase;
    }

    private ulong Mask => _bits == 64 ? ulong.MaxValue : (1UL << _bits) - 1;

    private ulong Scaled(ref MachineState state) => _index < 0 ? 0 : Get(ref state, _index) * (ulong)_scale;

    private unsafe ulong Get(ref MachineState state, int register) => state.Gpr[register] & Mask;

    private unsafe void Set(ref MachineState state, int register, ulong value, Rng rng)
    {
        var old = state.Gpr[register];
        state.Gpr[register] = _bits switch
        {
            16 => old & ~0xFFFFUL | value & 0xFFFF,
            32 => old & ~0xFFFFFFFFUL & (rng.OneIn(4) ? 0 : ulong.MaxValue) | value & 0xFFFFFFFF,
            _ => value,
        };
    }

    private static int Number(Register register) => register is Register.None or Register.RIP or Register.EIP ? -1 : register.GetNumber();
}
