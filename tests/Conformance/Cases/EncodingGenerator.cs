using DynaTrans.Conformance.Native;
using Iced.Intel;

namespace DynaTrans.Conformance.Cases;

/// <summary>
/// Makes encodings of a form by writing random prefixes, ModRM, SIB, displacement and immediate bytes around its opcode and keeping
/// those that Iced decodes as the form. So redundant prefixes, all addressing forms and all register choices come up by themselves.
/// </summary>
public sealed class EncodingGenerator(Rng rng)
{
    private const int Attempts = 4000;

    /// <summary>One encoding of <paramref name="form"/>, or null when none turned up.</summary>
    public Encoding? Generate(Form form)
    {
        var info = form.Code.ToOpCode();
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            // Half of the attempts use no optional prefix: some forms admit none.
            var bytes = Write(info, form, attempt % 2 == 0);
            if (Accept(form, bytes) is { } encoding) return encoding;
        }
        return null;
    }

    private byte[] Write(OpCodeInfo info, Form form, bool plain)
    {
        var bytes = new List<byte>(32);
        var segments = form.Bitness == 32 ? new byte[] { 0x64, 0x65, 0x3E, 0x36 } : [0x64, 0x65, 0x2E, 0x3E, 0x26];
        if (!plain)
        {
            if (rng.OneIn(3)) bytes.Add(segments[rng.Below(segments.Length)]);
            if (rng.OneIn(3)) bytes.Add(0x67);
            if (rng.OneIn(6)) bytes.Add(0xF0);
            if (rng.OneIn(4)) bytes.Add(rng.OneIn(2) ? (byte)0xF2 : (byte)0xF3);
        }
        if (rng.OneIn(2) && info.Encoding == EncodingKind.Legacy) bytes.Add(0x66);
        if (info.Encoding == EncodingKind.VEX) WriteVex(bytes, info, form);
        else WriteLegacy(bytes, info, form);
        var modRm = (byte)rng.Next();
        if (form.Shape == OperandShape.Memory && HasModRmMemory(info) && modRm >= 0xC0) modRm &= 0xBF;
        if (form.Shape == OperandShape.Register && rng.OneIn(2)) modRm |= 0xC0;
        if (info.IsGroup) modRm = (byte)(modRm & 0xC7 | info.GroupIndex << 3);
        if (info.IsRmGroup) modRm = (byte)(modRm & 0xF8 | info.RmGroupIndex);
        bytes.Add(modRm);
        while (bytes.Count < 32) bytes.Add(rng.OneIn(4) ? (byte)(rng.Below(3) - 1) : (byte)rng.Next());
        return [.. bytes];
    }

    private static bool HasModRmMemory(OpCodeInfo info)
    {
        for (var i = 0; i < info.OpCount; i++)
            if (info.GetOpKind(i).ToString() is "mem" || info.GetOpKind(i).ToString().Contains("_or_mem", StringComparison.Ordinal))
                return true;
        return false;
    }

    private void WriteLegacy(List<byte> bytes, OpCodeInfo info, Form form)
    {
        switch (info.MandatoryPrefix)
        {
            case MandatoryPrefix.P66: bytes.Add(0x66); break;
            case MandatoryPrefix.PF3: bytes.Add(0xF3); break;
            case MandatoryPrefix.PF2: bytes.Add(0xF2); break;
            default: break;
        }
        if (form.Bitness == 64 && rng.Below(3) > 0) bytes.Add((byte)(0x40 | rng.Below(16)));
        switch (info.Table)
        {
            case OpCodeTableKind.T0F: bytes.Add(0x0F); break;
            case OpCodeTableKind.T0F38: bytes.AddRange([0x0F, 0x38]); break;
            case OpCodeTableKind.T0F3A: bytes.AddRange([0x0F, 0x3A]); break;
            default: break;
        }
        var opcode = info.OpCode;
        if (Enumerable.Range(0, info.OpCount).Any(i => info.GetOpKind(i).ToString().EndsWith("_opcode", StringComparison.Ordinal)))
            opcode += (uint)rng.Below(8);
        if (info.OpCodeLength == 2) bytes.Add((byte)(opcode >> 8));
        bytes.Add((byte)opcode);
    }

    private void WriteVex(List<byte> bytes, OpCodeInfo info, Form form)
    {
        var map = info.Table switch { OpCodeTableKind.T0F => 1, OpCodeTableKind.T0F38 => 2, _ => 3 };
        var prefix = info.MandatoryPrefix switch { MandatoryPrefix.P66 => 1, MandatoryPrefix.PF3 => 2, MandatoryPrefix.PF2 => 3, _ => 0 };
        var inverted = form.Bitness == 32 ? 0xE0 : rng.Below(8) << 5;
        bytes.AddRange([0xC4, (byte)(inverted | map), (byte)((info.W << 7) | (uint)(rng.Below(16) << 3) | (uint)prefix), (byte)info.OpCode]);
    }

    private Encoding? Accept(Form form, byte[] bytes)
    {
        if (!TryDecode(form, bytes, TestMemory.CodeStart, out var instruction, out var offsets)) return null;
        if (!IsSafe(instruction, form)) return null;
        bytes = bytes[..instruction.Length];
        // Some encodings straddle the two code pages.
        var address = rng.OneIn(8) && bytes.Length > 1 ? TestMemory.Code + TestMemory.PageSize - 1 - (uint)rng.Below(bytes.Length - 1) : TestMemory.CodeStart;
        PatchDisplacement(bytes, instruction, offsets, address);
        PatchImmediate(bytes, instruction, offsets, address);
        if (!TryDecode(form, bytes, address, out instruction, out _)) return null;
        return new Encoding(bytes, instruction, address);
    }

    private static bool TryDecode(Form form, byte[] bytes, uint address, out Instruction instruction, out ConstantOffsets offsets)
    {
        var decoder = Decoder.Create(form.Bitness, new ByteArrayCodeReader(bytes));
        decoder.IP = address;
        decoder.Decode(out instruction);
        offsets = decoder.GetConstantOffsets(instruction);
        if (instruction.Code != form.Code || instruction.Length > 15) return false;
        var hasMemory = HasMemoryOperand(instruction);
        return hasMemory == (form.Shape == OperandShape.Memory);
    }

    private static bool HasMemoryOperand(in Instruction instruction)
    {
        for (var i = 0; i < instruction.OpCount; i++)
            if (instruction.GetOpKind(i) >= OpKind.MemorySegSI)
                return true;
        return false;
    }

    // Encodings that would leave the test memory in ways the operands cannot prevent.
    private static bool IsSafe(in Instruction instruction, Form form)
    {
        // XACQUIRE/XRELEASE and BND are hints of CPUs other than the one modelled.
        if (instruction.HasXacquirePrefix || instruction.HasXreleasePrefix) return false;
        if (form.Bitness == 32)
        {
            var string16 = false;
            for (var i = 0; i < instruction.OpCount; i++)
                string16 |= instruction.GetOpKind(i) is OpKind.MemorySegSI or OpKind.MemoryESDI or OpKind.MemorySegDI;
            // 16-bit addresses reach the test memory only through FS or GS, which ES:DI cannot use.
            if (string16) return false;
            if (HasMemoryOperand(instruction) && MemoryOperand.AddressBits(instruction) == 16
                && instruction.SegmentPrefix is not (Register.FS or Register.GS) && instruction.Mnemonic is not (Mnemonic.Lea or Mnemonic.Nop))
                return false;
        }
        if (instruction.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc && instruction.Op1Kind == OpKind.Register && HasMemoryOperand(instruction))
        {
            var bit = instruction.Op1Register.GetFullRegister();
            if (bit == instruction.MemoryBase.GetFullRegister() || bit == instruction.MemoryIndex.GetFullRegister()) return false;
        }
        return true;
    }

    private void PatchDisplacement(byte[] bytes, in Instruction instruction, in ConstantOffsets offsets, uint address)
    {
        if (!offsets.HasDisplacement || offsets.DisplacementSize < 2) return;
        var relative = instruction.IsIPRelativeMemoryOperand;
        var wide = instruction.MemoryBase == Register.None || relative;
        if (!wide && !rng.OneIn(4)) return;
        var segment = instruction.MemorySegment switch { Register.FS => TestMemory.FsBase, Register.GS => TestMemory.GsBase, _ => 0u };
        var size = MemoryOperand.Of(instruction)?.Size ?? 16;
        long value = Target(size) - segment;
        if (relative) value -= address + (uint)bytes.Length;
        else if (instruction.MemoryIndex != Register.None && instruction.MemoryBase == Register.None) value += rng.Below(64) - 32;
        BitConverter.GetBytes(value).AsSpan(0, offsets.DisplacementSize).CopyTo(bytes.AsSpan(offsets.DisplacementOffset));
    }

    private long Target(int size) => rng.Below(12) switch
    {
        0 => TestMemory.Data + TestMemory.PageSize - rng.Below(size + 1),
        1 => TestMemory.DataEnd - rng.Below(size + 1),
        2 => TestMemory.ReadOnly + (rng.Below(64) << 4),
        _ => TestMemory.Data + (rng.Below(200) << 4) + 64 + (rng.OneIn(4) ? rng.Below(16) : 0),
    };

    private void PatchImmediate(byte[] bytes, in Instruction instruction, in ConstantOffsets offsets, uint address)
    {
        if (!offsets.HasImmediate) return;
        var at = bytes.AsSpan(offsets.ImmediateOffset, offsets.ImmediateSize);
        if (instruction.Op0Kind is OpKind.NearBranch16 or OpKind.NearBranch32 or OpKind.NearBranch64)
        {
            if (at.Length == 2) return;
            var limit = at.Length == 1 ? 100 : 0x600;
            var delta = (rng.Below(limit - 24) + 24) * (rng.OneIn(2) ? 1 : -1);
            if (at.Length == 4 && rng.OneIn(16)) delta = (int)(TestMemory.DataEnd - address);
            BitConverter.GetBytes(delta).AsSpan(0, at.Length).CopyTo(at);
        }
        else if (instruction.Op0Kind is OpKind.FarBranch16 or OpKind.FarBranch32)
        {
            if (at.Length == 4) BitConverter.GetBytes(TestMemory.Code + 0x40 + (uint)rng.Below(0x600)).CopyTo(at);
            BitConverter.GetBytes((ushort)0x23).CopyTo(bytes.AsSpan(offsets.ImmediateOffset2, 2));
        }
        else if (instruction.Mnemonic == Mnemonic.Enter)
        {
            if (!rng.OneIn(6)) BitConverter.GetBytes((ushort)(rng.Below(0x80) << 3)).CopyTo(at);
            if (!rng.OneIn(3)) bytes[offsets.ImmediateOffset2] = (byte)rng.Below(5);
        }
        else if (at.Length == 2 && instruction.Mnemonic is Mnemonic.Ret or Mnemonic.Retf)
        {
            if (!rng.OneIn(4)) at[1] = 0;
        }
        else if (at.Length >= 2 && rng.OneIn(2))
        {
            BitConverter.GetBytes(rng.Integer()).AsSpan(0, at.Length).CopyTo(at);
        }
    }
}
