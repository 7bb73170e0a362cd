namespace DynaTrans.Cli.Bare;

/// <summary>Reads lines of bytes from a stream.</summary>
internal sealed class LineReader(Stream input)
{
    private const byte NewLine = (byte)'\n';

    private byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private int _searched;

    /// <summary>True when the next line is there already: reading it does not wait.</summary>
    public bool HasLine => FindEnd() >= 0;

    /// <summary>The next line without its end, valid until the next call; false at the end of the stream.</summary>
    public bool TryRead(out ReadOnlyMemory<byte> line)
    {
        int end;
        while ((end = FindEnd()) < 0)
        {
            if (_end == _buffer.Length)
                MakeRoom();
            var read = input.Read(_buffer, _end, _buffer.Length - _end);
            if (read > 0)
            {
                _end += read;
                continue;
            }

            line = _buffer.AsMemory(_start, _end - _start);
            var isLast = _end > _start;
            _start = _searched = _end;
            return isLast;
        }

        line = _buffer.AsMemory(_start, end - _start);
        _start = _searched = end + 1;
        return true;
    }

    private int FindEnd()
    {
        var at = _buffer.AsSpan(_searched, _end - _searched).IndexOf(NewLine);
        if (at >= 0)
            return _searched + at;
        _searched = _end;
        return -1;
    }

    private void MakeRoom()
    {
        var length = _end - _start;
        var to = length > _buffer.Length / 2 ? new byte[_buffer.Length * 2] : _buffer;
        Buffer.BlockCopy(_buffer, _start, to, 0, length);
        (_buffer, _searched, _start, _end) = (to, _searched - _start, 0, length);
    }
}
