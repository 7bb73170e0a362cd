using System.Buffers.Binary;
using System.Numerics;

namespace DynaTrans.Devices.Storage;

/// <summary>The commands (ATA/ATAPI-6, clause 8).</summary>
public sealed partial class AtaDrive
{
    private const int MostMultiple = 16;
    private const int MostRangeBlocks = 8;
    private const long MostSectorsOfLba28 = (1 << 28) - 1;

    /// <summary>The command register is written.</summary>
    internal void Execute(byte command)
    {
        if ((Status & (Busy | Requesting)) != 0)
            return;
        ClearInterrupt();
        _error = 0;
        switch (command)
        {
            case 0x20 or 0x21 or 0x24: // READ SECTOR(S), EXT
                Move(Transfer.PioIn, command == 0x24, 1);
                break;
            case 0x30 or 0x31 or 0x34: // WRITE SECTOR(S), EXT
                Move(Transfer.PioOut, command == 0x34, 1);
                break;
            case 0xC4 or 0x29: // READ MULTIPLE, EXT
                Move(Transfer.PioIn, command == 0x29, _multiple);
                break;
            case 0xC5 or 0x39: // WRITE MULTIPLE, EXT
                Move(Transfer.PioOut, command == 0x39, _multiple);
                break;
            case 0xC8 or 0xC9 or 0x25: // READ DMA, EXT
                Move(Transfer.DmaIn, command == 0x25, 1);
                break;
            case 0xCA or 0xCB or 0x35: // WRITE DMA, EXT
                Move(Transfer.DmaOut, command == 0x35, 1);
                break;
            case 0x40 or 0x41 or 0x42: // READ VERIFY SECTOR(S), EXT
                if (TryAddress(command == 0x42, out _, out _))
                    Complete();
                break;
            case 0x06: // DATA SET MANAGEMENT
                ManageDataSet();
                break;
            case 0xE7 or 0xEA: // FLUSH CACHE, EXT
                Flush();
                break;
            case 0xEC: // IDENTIFY DEVICE
                Identify();
                break;
            case 0xEF: // SET FEATURES
                SetFeatures();
                break;
            case 0xC6: // SET MULTIPLE MODE
                SetMultiple();
                break;
            case 0x91: // INITIALIZE DEVICE PARAMETERS
                InitializeParameters();
                break;
            case 0xF8 or 0x27: // READ NATIVE MAX ADDRESS, EXT
                ReadNativeMaximum(command == 0x27);
                break;
            case 0xE5 or 0x98: // CHECK POWER MODE: active or idle
                _registers[CountRegister] = 0xFF;
                Complete();
                break;

            // RECALIBRATE, SEEK, STANDBY, IDLE, SLEEP: nothing moves.
            case >= 0x10 and < 0x20 or >= 0x70 and < 0x80 or >= 0xE0 and <= 0xE3 or 0xE6 or >= 0x94 and <= 0x97 or 0x99:
                Complete();
                break;

            // NOP is one of those that are always aborted.
            default:
                Fail(Aborted);
                break;
        }
    }

    private void Move(Transfer transfer, bool isExtended, int blockSectors)
    {
        var isWrite = transfer is Transfer.PioOut or Transfer.DmaOut;
        if (blockSectors == 0 || (isWrite && _queue.Medium.IsReadOnly))
            Fail(Aborted);
        else if (TryAddress(isExtended, out var sector, out var count))
            Begin(transfer, sector, count, blockSectors);
    }

    // What sectors a command means. One that leaves the drive has ended with an error then.
    private bool TryAddress(bool isExtended, out long sector, out int count)
    {
        var device = _registers[DeviceRegister];
        var low = _registers[3] | (long)_registers[4] << 8 | (long)_registers[5] << 16;
        count = _registers[CountRegister] == 0 ? 0x100 : _registers[CountRegister];
        if (isExtended)
        {
            sector = low | (long)_previous[3] << 24 | (long)_previous[4] << 32 | (long)_previous[5] << 40;
            count = _registers[CountRegister] | _previous[CountRegister] << 8;
            if (count == 0)
                count = 0x1_0000;
        }
        else if ((device & LbaBit) != 0)
            sector = low | (long)(device & HeadBits) << 24;
        else if (_registers[3] == 0 || _registers[3] > _sectorsOfTrack || (device & HeadBits) >= _heads)
            sector = -1;
        else
            sector = ((low >> 8) * _heads + (device & HeadBits)) * _sectorsOfTrack + _registers[3] - 1;
        if (sector >= 0 && count <= _sectors - sector)
            return true;
        Fail(AddressNotFound);
        return false;
    }

    private void ManageDataSet()
    {
        var blocks = _registers[CountRegister] | _previous[CountRegister] << 8;
        if (_registers[1] != 1 || blocks is 0 or > MostRangeBlocks || _queue.Medium.IsReadOnly)
            Fail(Aborted);
        else
            Begin(Transfer.DmaRanges, 0, blocks, 1);
    }

    private void Flush()
    {
        Status = Ready | Busy;
        _queue.Submit(static medium => medium.TryFlush(), isDone =>
        {
            if (isDone)
                Complete();
            else
                FailAt(0, Aborted);
        });
    }

    private void SetFeatures()
    {
        switch (_registers[1])
        {
            case 0x02: // enable write cache
                _hasWriteCache = true;
                Complete();
                break;
            case 0x82: // disable write cache: what it has must be safe first
                _hasWriteCache = false;
                Flush();
                break;
            case 0x03 when IsMode(_registers[CountRegister]): // set transfer mode
                _mode = _registers[CountRegister];
                Complete();
                break;
            case 0x55 or 0xAA or 0x66 or 0xCC: // look-ahead, defaults after a software reset
                Complete();
                break;
            default:
                Fail(Aborted);
                break;
        }
    }

    // PIO 0 to 4, multiword DMA 0 to 2, Ultra DMA 0 to 5.
    private static bool IsMode(byte mode) => mode is 0 or 1 or >= 0x08 and <= 0x0C or >= 0x20 and <= 0x22 or >= 0x40 and <= 0x45;

    private void SetMultiple()
    {
        int count = _registers[CountRegister];
        if (count > MostMultiple || (count != 0 && !BitOperations.IsPow2(count)))
        {
            Fail(Aborted);
            return;
        }

        _multiple = count;
        Complete();
    }

    private void InitializeParameters()
    {
        if (_registers[CountRegister] == 0)
        {
            Fail(Aborted);
            return;
        }

        _sectorsOfTrack = _registers[CountRegister];
        _heads = (_registers[DeviceRegister] & HeadBits) + 1;
        Complete();
    }

    private void ReadNativeMaximum(bool isExtended)
    {
        var last = _sectors - 1;
        if (!isExtended)
            last = Math.Min(last, MostSectorsOfLba28);
        (_registers[3], _registers[4], _registers[5]) = ((byte)last, (byte)(last >> 8), (byte)(last >> 16));
        (_previous[3], _previous[4], _previous[5]) = ((byte)(last >> 24), (byte)(last >> 32), (byte)(last >> 40));
        if (!isExtended)
            _registers[DeviceRegister] = (byte)(_registers[DeviceRegister] & ~HeadBits | (int)(last >> 24) & HeadBits);
        Complete();
    }

    private void Identify()
    {
        var lba28 = (uint)Math.Min(_sectors, MostSectorsOfLba28);
        var (cylinders, total) = (Cylinders, (uint)(Cylinders * _heads * _sectorsOfTrack));
        _buffer.AsSpan(0, SectorSize).Clear();
        Word(0, 0x0040);
        Word(1, (int)Math.Min(_sectors / (16 * 63), 16383));
        Word(3, 16);
        Word(6, 63);
        Text(10, 20, _serial);
        Text(23, 8, "1.0");
        Text(27, 40, "DYNATRANS HARDDISK");
        Word(47, 0x8000 | MostMultiple);
        Word(49, 0x0F00);
        Word(50, 0x4000);
        Word(51, 0x0200);
        Word(53, 0x0007);
        Word(54, cylinders);
        Word(55, _heads);
        Word(56, _sectorsOfTrack);
        Word(57, (ushort)total);
        Word(58, (int)(total >> 16));
        Word(59, _multiple == 0 ? 0 : 0x0100 | _multiple);
        Word(60, (ushort)lba28);
        Word(61, (int)(lba28 >> 16));
        Word(63, 0x0007 | Chosen(0x20, 3));
        Word(64, 0x0003);
        for (var i = 65; i <= 68; i++)
            Word(i, 120);
        Word(80, 0x007E);

        // Power management, write cache, look-ahead; 48-bit addresses, both flushes.
        Word(82, 0x0068);
        Word(83, 0x7400);
        Word(84, 0x4000);
        Word(85, 0x0048 | (_hasWriteCache ? 0x20 : 0));
        Word(86, 0x3400);
        Word(87, 0x4000);
        Word(88, 0x003F | Chosen(0x40, 6));
        Word(93, 0x6001);
        for (var i = 0; i < 4; i++)
            Word(100 + i, (ushort)(_sectors >> (16 * i)));
        Word(105, MostRangeBlocks);
        Word(169, _queue.Medium.IsReadOnly ? 0 : 1);
        BeginWithBuffer();

        int Chosen(int first, int count) => _mode >= first && _mode < first + count ? 0x100 << (_mode - first) : 0;

        void Word(int index, int value) => BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(2 * index), (ushort)value);

        // The first character is the higher byte of a word.
        void Text(int index, int length, string text)
        {
            for (var i = 0; i < length; i++)
                _buffer[2 * index + (i ^ 1)] = i < text.Length && char.IsAscii(text[i]) ? (byte)text[i] : (byte)' ';
        }
    }
}
