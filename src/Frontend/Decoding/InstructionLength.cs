namespace DynaTrans.Frontend.Decoding;

/// <summary>What a CPU finds while it fetches an instruction that turns out to be invalid.</summary>
public enum FetchOutcome
{
    /// <summary>All bytes are there and the instruction does not exist: #UD.</summary>
    Undefined,

    /// <summary>A byte beyond those available belongs to it: its fetch faults.</summary>
    NeedsMore,

    /// <summary>It would be longer than 15 bytes: #GP (SDM Vol. 3, 6.15, interrupt 13).</summary>
    TooLong,
}

/// <summary>
/// The length of instructions of the legacy maps, whether or not they exist: a CPU fetches ModRM, displacement and immediate before it
/// decides, except for opcodes that have no operands in any form, which are undefined at once. So a fault of the fetch comes before
/// #UD, and before both comes #GP for the sixteenth byte.
/// </summary>
public static unsafe class InstructionLength
{
    /// <summary>Bytes an instruction may have.</summary>
    public const int Max = 15;

    /// <summary>Examines the bytes at <paramref name="code"/>, of which so many may be fetched.</summary>
    /// <param name="code">First byte of the instruction.</param>
    /// <param name="available">Bytes that may be read there.</param>
    /// <param name="mode">Mode of the code.</param>
    /// <param name="length">Bytes looked at, at most 15.</param>
    public static FetchOutcome Examine(byte* code, int available, GuestMode mode, out int length)
    {
        var scan = new Scanner(code, Math.Min(available, Max));
        Scan(ref scan, mode);
        length = Math.Min(scan.Next, Math.Min(available, Max));
        return scan.Next > Max ? FetchOutcome.TooLong : scan.Next > available ? FetchOutcome.NeedsMore : FetchOutcome.Undefined;
    }

    private static void Scan(ref Scanner scan, GuestMode mode)
    {
        var is64 = mode.Is64();
        var bitness = mode.Bitness();
        bool operandPrefix = false, addressPrefix = false, wide = false;
        byte opcode;
        while (true)
        {
            opcode = scan.Byte();
            if (scan.IsOver)
                return;
            if (opcode == 0x66)
                operandPrefix = true;
            else if (opcode == 0x67)
                addressPrefix = true;
            else if (is64 && (opcode & 0xF0) == 0x40)
            {
                // Counts only directly before the opcode.
                wide = (opcode & 8) != 0;
                continue;
            }
            else if (opcode is not (0x26 or 0x2E or 0x36 or 0x3E or 0x64 or 0x65 or 0xF0 or 0xF2 or 0xF3))
                break;
            wide = false;
        }

        var operandBytes = wide ? 8 : (bitness == 16) != operandPrefix ? 2 : 4;
        var addressBytes = bitness == 64 ? (addressPrefix ? 4 : 8) : (bitness == 16) != addressPrefix ? 2 : 4;
        if (opcode == 0x0F)
            ScanTwoBytes(ref scan, operandBytes, addressBytes, is64);
        else
            ScanOneByte(ref scan, opcode, operandBytes, addressBytes, is64);
    }

    private static void ScanOneByte(ref Scanner scan, byte opcode, int operandBytes, int addressBytes, bool is64)
    {
        var immediate = Math.Min(operandBytes, 4);
        switch (opcode)
        {
            case < 0x40:
                if ((opcode & 7) < 4)
                    scan.ModRm(addressBytes);
                else if ((opcode & 7) < 6)
                    scan.Skip((opcode & 1) == 0 ? 1 : immediate);
                break;
            case 0x62 or 0x63 or (>= 0x84 and <= 0x8F) or 0xC4 or 0xC5 or (>= 0xD0 and <= 0xD3) or (>= 0xD8 and <= 0xDF) or 0xFE or 0xFF:
                scan.ModRm(addressBytes);
                break;
            case 0x69 or 0x81 or 0xC7:
                scan.ModRm(addressBytes);
                scan.Skip(immediate);
                break;
            case 0x6B or 0x80 or 0x82 or 0x83 or 0xC0 or 0xC1 or 0xC6:
                scan.ModRm(addressBytes);
                scan.Skip(1);
                break;
            case 0xF6 or 0xF7:
                // test has an immediate, the others of the group have none.
                if ((scan.ModRm(addressBytes) & 0x30) == 0)
                    scan.Skip(opcode == 0xF6 ? 1 : immediate);
                break;
            case 0x68 or 0xA9:
                scan.Skip(immediate);
                break;
            case 0xE8 or 0xE9:
                scan.Skip(is64 ? 4 : immediate);
                break;
            case 0x6A or (>= 0x70 and <= 0x7F) or 0xA8 or (>= 0xB0 and <= 0xB7) or 0xCD or 0xD4 or 0xD5 or (>= 0xE0 and <= 0xE7) or 0xEB:
                scan.Skip(1);
                break;
            case 0x9A or 0xEA:
                scan.Skip(immediate + 2);
                break;
            case >= 0xA0 and <= 0xA3:
                scan.Skip(addressBytes);
                break;
            case >= 0xB8 and <= 0xBF:
                scan.Skip(operandBytes);
                break;
            case 0xC2 or 0xCA:
                scan.Skip(2);
                break;
            case 0xC8:
                scan.Skip(3);
                break;
        }
    }

    private static void ScanTwoBytes(ref Scanner scan, int operandBytes, int addressBytes, bool is64)
    {
        var opcode = scan.Byte();
        switch (opcode)
        {
            case 0x38:
                scan.Skip(1);
                scan.ModRm(addressBytes);
                break;
            case 0x3A:
                scan.Skip(1);
                scan.ModRm(addressBytes);
                scan.Skip(1);
                break;

            // Without operands, or undefined at once.
            case (>= 0x04 and <= 0x0C) or 0x0E or (>= 0x24 and <= 0x27) or (>= 0x30 and <= 0x3F) or 0x77 or 0x7A or 0x7B
                or (>= 0xA0 and <= 0xA2) or (>= 0xA6 and <= 0xAA) or (>= 0xC8 and <= 0xCF):
                break;
            case >= 0x80 and <= 0x8F:
                scan.Skip(is64 ? 4 : Math.Min(operandBytes, 4));
                break;
            case 0x0F or (>= 0x70 and <= 0x73) or 0xA4 or 0xAC or 0xBA or 0xC2 or (>= 0xC4 and <= 0xC6):
                scan.ModRm(addressBytes);
                scan.Skip(1);
                break;
            default:
                scan.ModRm(addressBytes);
                break;
        }
    }

    // Reads bytes in order; goes on counting beyond the last one that is there.
    private ref struct Scanner(byte* code, int available)
    {
        public int Next { get; private set; }

        public readonly bool IsOver => Next > available;

        public byte Byte()
        {
            var at = Next;
            Skip(1);
            return at < available ? code[at] : (byte)0;
        }

        // The first byte that is missing decides, so counting stops there.
        public void Skip(int count)
        {
            if (!IsOver)
                Next = Math.Min(Next + count, available + 1);
        }

        public byte ModRm(int addressBytes)
        {
            var modRm = Byte();
            var (mod, rm) = (modRm >> 6, modRm & 7);
            if (mod == 3 || IsOver)
                return modRm;
            if (addressBytes == 2)
            {
                Skip(mod == 2 || (mod == 0 && rm == 6) ? 2 : mod);
                return modRm;
            }

            if (rm == 4)
                rm = Byte() & 7;
            Skip(mod == 2 || (mod == 0 && rm == 5) ? 4 : mod);
            return modRm;
        }
    }
}
