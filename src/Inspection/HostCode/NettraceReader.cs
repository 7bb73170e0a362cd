using System.Buffers.Binary;
using System.Text;

namespace DynaTrans.Inspection.HostCode;

/// <summary>
/// Reads the events of one provider from a trace in the nettrace format, version 4 (microsoft/perfview,
/// src/TraceEvent/EventPipe/NetTraceFormat_v5.md). A trace that is cut short gives the events before the cut.
/// </summary>
internal sealed class NettraceReader(byte[] data)
{
    private const byte BeginObject = 5;
    private const byte EndObject = 6;
    private const int CompressedHeaders = 1;

    private readonly Dictionary<uint, (string Provider, int Event)> _metadata = [];
    private int _at;
    private string _provider = "";
    private EventHandler? _handler;

    /// <summary>Receives an event.</summary>
    public delegate void EventHandler(int id, ReadOnlySpan<byte> payload);

    /// <summary>Reads all events of a provider.</summary>
    public void Read(string provider, EventHandler handler)
    {
        (_provider, _handler) = (provider, handler);
        _at = "Nettrace".Length;
        try
        {
            _at += 4 + Int32(); // the name of the serialisation
            while (Byte() == BeginObject)
                ReadObject();
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException)
        {
            // Cut short.
        }
    }

    private void ReadObject()
    {
        _at += 2 + 8; // two tags, version, least version of a reader
        var length = Int32();
        _at += 4;
        var name = Encoding.UTF8.GetString(data.AsSpan(_at, length));
        _at += length;
        _at++; // end of the type's description
        if (name == "Trace")
        {
            const int traceSize = 16 + 8 + 8 + (4 * 4);
            _at += traceSize;
        }
        else
        {
            var size = Int32();
            _at = (_at + 4 + 3) & ~3;
            if (name is "EventBlock" or "MetadataBlock")
                ReadBlock(_at, _at + size, name == "MetadataBlock");
            _at += size;
        }

        if (Byte() != EndObject)
            throw new ArgumentException("an object of the trace does not end where it should");
    }

    private void ReadBlock(int start, int end, bool metadata)
    {
        var header = BinaryPrimitives.ReadInt16LittleEndian(data.AsSpan(start));
        var flags = BinaryPrimitives.ReadInt16LittleEndian(data.AsSpan(start + 2));
        if ((flags & CompressedHeaders) == 0)
            throw new ArgumentException("a block of the trace is not compressed");
        var at = start + header;
        uint id = 0, size = 0;
        while (at < end)
        {
            var present = data[at++];
            if ((present & 1) != 0)
                id = VarUInt(ref at);
            if ((present & 2) != 0)
            {
                VarUInt(ref at); // sequence number
                VarUInt(ref at); // capturing thread
                VarUInt(ref at); // processor
            }

            if ((present & 4) != 0)
                VarUInt(ref at); // thread
            if ((present & 8) != 0)
                VarUInt(ref at); // stack
            VarUInt(ref at); // time
            at += ((present & 16) != 0 ? 16 : 0) + ((present & 32) != 0 ? 16 : 0);
            if ((present & 128) != 0)
                size = VarUInt(ref at);
            var payload = data.AsSpan(at, (int)size);
            at += (int)size;
            if (metadata)
                ReadMetadata(payload);
            else if (_metadata.TryGetValue(id, out var what) && what.Provider == _provider)
                _handler!(what.Event, payload);
        }
    }

    // Metadata id, provider's name (UTF-16, zero-terminated), event id, and more.
    private void ReadMetadata(ReadOnlySpan<byte> payload)
    {
        var id = BinaryPrimitives.ReadUInt32LittleEndian(payload);
        var characters = 0;
        while (BinaryPrimitives.ReadUInt16LittleEndian(payload[(4 + (characters * 2))..]) != 0)
            characters++;
        var provider = Encoding.Unicode.GetString(payload.Slice(4, characters * 2));
        _metadata[id] = (provider, BinaryPrimitives.ReadInt32LittleEndian(payload[(4 + (characters * 2) + 2)..]));
    }

    private uint VarUInt(ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var b = data[at++];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 128)
                return (uint)value;
        }
    }

    private byte Byte() => data.AsSpan(_at++, 1)[0];

    private int Int32() => BinaryPrimitives.ReadInt32LittleEndian(data.AsSpan(_at));
}
