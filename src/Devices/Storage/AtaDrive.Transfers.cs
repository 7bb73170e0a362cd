namespace DynaTrans.Devices.Storage;

/// <summary>How data moves: by the data register in blocks, or by DMA, between host and buffer, and between buffer and medium in larger chunks.</summary>
public sealed partial class AtaDrive
{
    private const int ChunkSectors = 256;

    private enum Transfer : byte
    {
        None,
        PioIn,
        PioOut,
        DmaIn,
        DmaOut,
        DmaRanges,
    }

    private readonly byte[] _buffer = new byte[ChunkSectors * SectorSize];
    private Transfer _transfer;

    // The next sector of the medium, and how many are to come with it; what is in the buffer is among them. -1: the data are not the medium's.
    private long _sector;
    private int _sectorsLeft;
    private int _blockSectors;

    // The next byte for the host, the end of the block that it may have without waiting, and what the buffer holds.
    private int _position;
    private int _blockEnd;
    private int _chunkEnd;

    /// <summary>The host reads the data register.</summary>
    internal uint ReadData(int size)
    {
        if (_transfer != Transfer.PioIn || (Status & Requesting) == 0)
            return 0;
        var value = 0u;
        for (var i = 0; i < size && _position < _blockEnd; i++)
            value |= (uint)_buffer[_position++] << (8 * i);
        if (_position == _blockEnd)
            BlockTaken();
        return value;
    }

    /// <summary>The host writes the data register.</summary>
    internal void WriteData(int size, uint value)
    {
        if (_transfer != Transfer.PioOut || (Status & Requesting) == 0)
            return;
        for (var i = 0; i < size && _position < _blockEnd; i++)
            _buffer[_position++] = (byte)(value >> (8 * i));
        if (_position == _blockEnd)
            WriteChunk();
    }

    /// <summary>The bus master was started, or may go on.</summary>
    internal void ContinueDma()
    {
        if (_transfer < Transfer.DmaIn || _queue.IsBusy)
            return;
        var isIn = _transfer == Transfer.DmaIn;
        _position += _channel!.BusMaster.Transfer(_buffer.AsSpan(_position, _chunkEnd - _position), isIn);
        if (_position < _chunkEnd)
            return;
        if (!isIn)
            WriteChunk();
        else if (Advance(_chunkEnd / SectorSize))
            ReadChunk();
        else
            Complete();
    }

    private void Begin(Transfer transfer, long sector, int count, int blockSectors)
    {
        _transfer = transfer;
        _sector = sector;
        _sectorsLeft = count;
        _blockSectors = blockSectors;
        switch (transfer)
        {
            case Transfer.PioIn or Transfer.DmaIn:
                ReadChunk();
                break;
            case Transfer.PioOut:
                OfferBlock(Math.Min(count, blockSectors));
                break;
            default:
                FillChunk();
                break;
        }
    }

    // The buffer's first sector is for the host: what IDENTIFY DEVICE says.
    private void BeginWithBuffer()
    {
        _transfer = Transfer.PioIn;
        (_sector, _sectorsLeft, _blockSectors) = (-1, 1, 1);
        (_position, _blockEnd, _chunkEnd) = (0, SectorSize, SectorSize);
        Status = Ready | Requesting;
        Interrupt();
    }

    private void ReadChunk()
    {
        Status = Ready | Busy;
        var chunk = Math.Min(_sectorsLeft, ChunkSectors / _blockSectors * _blockSectors);
        var (offset, length) = (_sector * SectorSize, chunk * SectorSize);
        _position = _blockEnd = _chunkEnd = 0;
        _queue.Submit(medium => medium.TryRead(offset, _buffer.AsSpan(0, length)), isDone =>
        {
            if (!isDone)
            {
                FailAt(_sector, Uncorrectable);
                return;
            }

            _chunkEnd = length;
            if (_transfer == Transfer.PioIn)
                OfferReadBlock();
            else
            {
                Status = Ready | Requesting;
                ContinueDma();
            }
        });
    }

    private void OfferReadBlock()
    {
        _blockEnd = Math.Min(_chunkEnd, _position + _blockSectors * SectorSize);
        Status = Ready | Requesting;
        Interrupt();
    }

    // The end of data to the host is no interrupt: the one before the last block was the last.
    private void BlockTaken()
    {
        if (_blockEnd < _chunkEnd)
        {
            OfferReadBlock();
            return;
        }

        if (_sector >= 0 && Advance(_chunkEnd / SectorSize))
        {
            ReadChunk();
            return;
        }

        _transfer = Transfer.None;
        Status = Ready;
    }

    private void OfferBlock(int sectors)
    {
        _position = 0;
        _blockEnd = _chunkEnd = sectors * SectorSize;
        Status = Ready | Requesting;
    }

    private void FillChunk()
    {
        OfferBlock(Math.Min(_sectorsLeft, ChunkSectors));
        ContinueDma();
    }

    private void WriteChunk()
    {
        Status = Ready | Busy;
        var (offset, length, isThrough, areRanges) = (_sector * SectorSize, _chunkEnd, !_hasWriteCache, _transfer == Transfer.DmaRanges);
        _queue.Submit(
            medium => areRanges ? Discard(medium, length) : medium.TryWrite(offset, _buffer.AsSpan(0, length)) && (!isThrough || medium.TryFlush()), Written);
    }

    private void Written(bool isDone)
    {
        if (!isDone)
        {
            FailAt(Math.Max(0, _sector), _transfer == Transfer.DmaRanges ? Aborted : AddressNotFound);
            return;
        }

        if (!Advance(_chunkEnd / SectorSize))
            Complete();
        else if (_transfer == Transfer.PioOut)
        {
            OfferBlock(Math.Min(_sectorsLeft, _blockSectors));
            Interrupt();
        }
        else
            FillChunk();
    }

    private bool Advance(int sectors)
    {
        _sector += sectors;
        _sectorsLeft -= sectors;
        return _sectorsLeft > 0;
    }

    // Entries of 8 bytes: 48 bits of address, 16 of count (ATA8-ACS2, 7.10.3). One that leaves the drive is an error.
    private bool Discard(IBlockMedium medium, int length)
    {
        for (var i = 0; i < length; i += 8)
        {
            var entry = BitConverter.ToUInt64(_buffer, i);
            var (first, count) = ((long)(entry & 0xFFFF_FFFF_FFFF), (long)(entry >> 48));
            if (count == 0)
                continue;
            if (first + count > _sectors || !medium.TryDiscard(first * SectorSize, count * SectorSize))
                return false;
        }

        return true;
    }
}
