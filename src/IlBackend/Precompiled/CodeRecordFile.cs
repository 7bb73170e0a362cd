using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>
/// Files of <see cref="CodeRecord"/>s: "DTRECORD", the version of the format (4 bytes), XxHash128 of what follows, then its fields one after the
/// other, numbers little-endian or in 7-bit groups.
/// </summary>
public static class CodeRecordFile
{
    private const ulong Magic = 0x4452_4F43_4552_5444;
    private const int Version = 1, HeaderLength = 28, MaxLength = 1 << 30;

    // The fewest bytes that a block, an access, a context and a target take.
    private const int LeastBlock = 24, LeastAccess = 11, LeastContext = 19, LeastTarget = 8;

    /// <summary>Writes a record.</summary>
    public static void Write(Stream stream, CodeRecord record)
    {
        using var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory, Encoding.UTF8);
        WriteForm(writer, record);
        writer.Write(record.Model);
        writer.Write7BitEncodedInt(record.Contexts.Count);
        foreach (var context in record.Contexts)
            WriteContext(writer, context);
        writer.Write7BitEncodedInt(record.Blocks.Count);
        foreach (var block in record.Blocks)
            WriteBlock(writer, block);
        writer.Write7BitEncodedInt(record.Accesses.Count);
        foreach (var access in record.Accesses)
        {
            writer.Write(access.Context);
            writer.Write(access.Rip);
            writer.Write((byte)((byte)access.History | (access.IsLoopRefused ? 0x80 : 0)));
        }

        writer.Flush();
        var body = memory.GetBuffer().AsSpan(0, (int)memory.Length);
        var header = new byte[HeaderLength];
        BinaryPrimitives.WriteUInt64LittleEndian(header, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt128LittleEndian(header.AsSpan(12), XxHash128.HashToUInt128(body));
        stream.Write(header);
        stream.Write(body);
    }

    /// <summary>Reads a record.</summary>
    /// <param name="stream">The file; it is read to its end.</param>
    /// <param name="reason">Why it cannot be used, in one line.</param>
    /// <returns>Null when it is not as it was written.</returns>
    public static CodeRecord? Read(Stream stream, out string? reason)
    {
        try
        {
            var contents = ReadAll(stream);
            reason = Check(contents);
            if (reason != null)
                return null;
            using var reader = new BinaryReader(new MemoryStream(contents, HeaderLength, contents.Length - HeaderLength), Encoding.UTF8);
            return ReadRecord(reader);
        }
        catch (Exception e) when (e is IOException or FormatException or InvalidDataException or UnauthorizedAccessException)
        {
            reason = e.Message.ReplaceLineEndings(" ");
            return null;
        }
    }

    private static byte[] ReadAll(Stream stream)
    {
        using var memory = new MemoryStream();
        var buffer = new byte[1 << 16];
        while (stream.Read(buffer) is var count and > 0)
        {
            if (memory.Length + count > MaxLength)
                throw new InvalidDataException("it is too long");
            memory.Write(buffer, 0, count);
        }

        return memory.ToArray();
    }

    private static string? Check(ReadOnlySpan<byte> contents)
    {
        if (contents.Length < HeaderLength || BinaryPrimitives.ReadUInt64LittleEndian(contents) != Magic)
            return "it is no record";
        if (BinaryPrimitives.ReadInt32LittleEndian(contents[8..]) is var version && version != Version)
            return $"it has format {version}, not {Version}";
        return BinaryPrimitives.ReadUInt128LittleEndian(contents[12..]) == XxHash128.HashToUInt128(contents[HeaderLength..])
            ? null
            : "its hash is wrong: it was damaged";
    }

    private static void WriteForm(BinaryWriter writer, CodeRecord record)
    {
        writer.Write(record.Form.WindowPages);
        writer.Write(record.Form.PermissionsOffset);
        writer.Write((byte)record.Form.Access);
        writer.Write(record.Form.IsPaged);
        writer.Write(record.IsPaged);
    }

    private static void WriteContext(BinaryWriter writer, CodeContext context)
    {
        writer.Write((ushort)context.Mode);
        writer.Write(context.CodeBase);
        writer.Write(context.CodeLimit);
        writer.Write(context.AddressSpace);
        writer.Write(context.IsBudgeted);
    }

    private static void WriteBlock(BinaryWriter writer, RecordedBlock block)
    {
        writer.Write(block.Context);
        writer.Write(block.Start);
        writer.Write(block.Linear);
        writer.Write7BitEncodedInt(block.Bytes.Length);
        writer.Write(block.Bytes);
        writer.Write7BitEncodedInt(block.InstructionCount);
        writer.Write7BitEncodedInt(block.Hotness);
        writer.Write7BitEncodedInt((int)block.X87Stack);
        writer.Write7BitEncodedInt(block.Targets.Count);
        foreach (var target in block.Targets)
            writer.Write(target);
        writer.Write(block.HadEntry);
    }

    private static CodeRecord ReadRecord(BinaryReader reader)
    {
        var form = new PrecompiledForm(reader.ReadUInt64(), reader.ReadInt32(), (AccessForm)reader.ReadByte(), reader.ReadBoolean());
        if (form.Access > AccessForm.Lookaside)
            throw new InvalidDataException("it contradicts itself");
        var isPaged = reader.ReadBoolean();
        var model = reader.ReadString();
        var contexts = new CodeContext[Count(reader, LeastContext)];
        for (var i = 0; i < contexts.Length; i++)
            contexts[i] = new CodeContext((GuestMode)reader.ReadUInt16(), reader.ReadUInt64(), reader.ReadUInt32(), reader.ReadUInt32(), reader.ReadBoolean());
        var blocks = new RecordedBlock[Count(reader, LeastBlock)];
        for (var i = 0; i < blocks.Length; i++)
            blocks[i] = ReadBlock(reader, contexts.Length);
        var accesses = new RecordedAccess[Count(reader, LeastAccess)];
        for (var i = 0; i < accesses.Length; i++)
            accesses[i] = ReadAccess(reader, contexts.Length);
        return new CodeRecord(contexts, isPaged, blocks, accesses) { Form = form, Model = model };
    }

    private static RecordedBlock ReadBlock(BinaryReader reader, int contexts)
    {
        var context = reader.ReadUInt16();
        var (start, linear) = (reader.ReadUInt64(), reader.ReadUInt64());
        var bytes = reader.ReadBytes(Count(reader, 1));
        var (instructions, hotness, stack) = (reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt(), (uint)reader.Read7BitEncodedInt());
        var targets = new ulong[Count(reader, LeastTarget)];
        for (var i = 0; i < targets.Length; i++)
            targets[i] = reader.ReadUInt64();
        if (context >= contexts || bytes.Length == 0 || instructions < 1 || hotness < 0)
            throw new InvalidDataException("it contradicts itself");
        return new RecordedBlock(context, start, linear, bytes, instructions, hotness, stack, targets, reader.ReadBoolean());
    }

    private static RecordedAccess ReadAccess(BinaryReader reader, int contexts)
    {
        var (context, rip, what) = (reader.ReadUInt16(), reader.ReadUInt64(), reader.ReadByte());
        var history = (AccessHistory)(what & 0x7F);
        return context < contexts && history <= AccessHistory.Slow
            ? new RecordedAccess(context, rip, history, (what & 0x80) != 0)
            : throw new InvalidDataException("it contradicts itself");
    }

    // A number of things, each of which takes some bytes: no more than the file has.
    private static int Count(BinaryReader reader, int least)
    {
        var count = reader.Read7BitEncodedInt();
        var left = reader.BaseStream.Length - reader.BaseStream.Position;
        return count >= 0 && (long)count * least <= left ? count : throw new InvalidDataException("it contradicts itself");
    }
}
