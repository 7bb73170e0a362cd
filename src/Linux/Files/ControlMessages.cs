using System.Buffers.Binary;

namespace DynaTrans.Linux.Files;

/// <summary>
/// Ancillary data of <c>sendmsg</c> and <c>recvmsg</c>. A control message is (length, level, type) and data; the length has the size of
/// a <c>long</c>, and messages are aligned to it, so i386 and x86-64 differ. File descriptors and process numbers inside are translated.
/// </summary>
public static class ControlMessages
{
    /// <summary>Most bytes of ancillary data that are taken from a guest.</summary>
    public const int MaxBytes = 32 * 1024;

    private const int SolSocket = 1;
    private const int ScmRights = 1;
    private const int ScmCredentials = 2;
    private const int ScmTimestamp = 29;
    private const int ScmTimestampNs = 35;
    private const int HostHeader = 16;

    /// <summary>Translates a guest's control buffer into the host's.</summary>
    /// <param name="guest">The guest's bytes.</param>
    /// <param name="is32">True for the i386 layout.</param>
    /// <param name="hostPid">Process number that the host knows the guest's processes by.</param>
    /// <param name="mapDescriptor">Guest descriptor to host descriptor, negative when there is none.</param>
    /// <param name="host">The host's bytes.</param>
    /// <returns>0, or a negative error number.</returns>
    public static int ToHost(ReadOnlySpan<byte> guest, bool is32, int hostPid, Func<int, int> mapDescriptor, out byte[] host)
    {
        var header = is32 ? 12 : 16;
        var align = is32 ? 4 : 8;
        var output = new MemoryStream();
        host = [];
        Span<byte> head = stackalloc byte[HostHeader];
        while (guest.Length >= header)
        {
            var length = is32 ? BinaryPrimitives.ReadUInt32LittleEndian(guest) : BinaryPrimitives.ReadUInt64LittleEndian(guest);
            if (length < (ulong)header || length > (ulong)guest.Length)
                return -Errno.EINVAL;
            var level = BinaryPrimitives.ReadInt32LittleEndian(guest[(header - 8)..]);
            var type = BinaryPrimitives.ReadInt32LittleEndian(guest[(header - 4)..]);
            var data = guest[header..(int)length].ToArray();
            if (level == SolSocket && type == ScmRights)
            {
                for (var at = 0; at + 4 <= data.Length; at += 4)
                {
                    var descriptor = mapDescriptor(BinaryPrimitives.ReadInt32LittleEndian(data.AsSpan(at)));
                    if (descriptor < 0)
                        return -Errno.EBADF;
                    BinaryPrimitives.WriteInt32LittleEndian(data.AsSpan(at), descriptor);
                }
            }
            else if (level == SolSocket && type == ScmCredentials && data.Length >= 4)
            {
                BinaryPrimitives.WriteInt32LittleEndian(data, hostPid);
            }

            BinaryPrimitives.WriteUInt64LittleEndian(head, (ulong)(HostHeader + data.Length));
            BinaryPrimitives.WriteInt32LittleEndian(head[8..], level);
            BinaryPrimitives.WriteInt32LittleEndian(head[12..], type);
            output.Write(head);
            output.Write(data);
            while (output.Length % 8 != 0)
                output.WriteByte(0);
            var step = (int)Math.Min(((long)length + align - 1) & ~(long)(align - 1), guest.Length);
            guest = guest[step..];
        }

        host = output.ToArray();
        return 0;
    }

    /// <summary>Translates the host's control buffer into the guest's.</summary>
    /// <param name="host">The bytes that the host wrote.</param>
    /// <param name="is32">True for the i386 layout.</param>
    /// <param name="capacity">Bytes that the guest has room for.</param>
    /// <param name="adoptDescriptor">Takes over a received host descriptor and gives it a guest number; negative: it was closed.</param>
    /// <param name="closeDescriptor">Closes a received host descriptor that the guest does not get.</param>
    /// <param name="truncated">True when something did not fit (MSG_CTRUNC).</param>
    /// <returns>The guest's bytes.</returns>
    public static byte[] ToGuest(
        ReadOnlySpan<byte> host, bool is32, int capacity, Func<int, int> adoptDescriptor, Action<int> closeDescriptor, out bool truncated)
    {
        var header = is32 ? 12 : 16;
        var align = is32 ? 4 : 8;
        var output = new MemoryStream();
        truncated = false;
        Span<byte> head = stackalloc byte[16];
        while (host.Length >= HostHeader)
        {
            var length = BinaryPrimitives.ReadUInt64LittleEndian(host);
            if (length < HostHeader || length > (ulong)host.Length)
                break;
            var level = BinaryPrimitives.ReadInt32LittleEndian(host[8..]);
            var type = BinaryPrimitives.ReadInt32LittleEndian(host[12..]);
            var data = host[HostHeader..(int)length].ToArray();
            var room = capacity - (int)output.Length - header;
            if (level == SolSocket && type == ScmRights)
                data = Adopt(data, Math.Max(room, 0) / 4, adoptDescriptor, closeDescriptor, ref truncated);
            else if (is32 && level == SolSocket && type is ScmTimestamp or ScmTimestampNs && data.Length == 16)
                data = [.. data[..4], .. data[8..12]];

            if (room < 0 || (data.Length == 0 && truncated))
            {
                truncated = true;
            }
            else
            {
                if (data.Length > room)
                {
                    truncated = true;
                    data = data[..room];
                }

                head.Clear();
                BinaryPrimitives.WriteUInt32LittleEndian(head, (uint)(header + data.Length));
                BinaryPrimitives.WriteInt32LittleEndian(head[(header - 8)..], level);
                BinaryPrimitives.WriteInt32LittleEndian(head[(header - 4)..], type);
                output.Write(head[..header]);
                output.Write(data);
                while (output.Length % align != 0 && output.Length < capacity)
                    output.WriteByte(0);
            }

            var step = (int)Math.Min(((long)length + 7) & ~7L, host.Length);
            host = host[step..];
        }

        return output.ToArray();
    }

    private static byte[] Adopt(byte[] data, int room, Func<int, int> adopt, Action<int> close, ref bool truncated)
    {
        var count = data.Length / 4;
        var kept = 0;
        for (var i = 0; i < count; i++)
        {
            var descriptor = BinaryPrimitives.ReadInt32LittleEndian(data.AsSpan(i * 4));
            var wanted = kept < room && kept == i;
            if (!wanted)
                close(descriptor);
            var number = wanted ? adopt(descriptor) : -1;
            if (number < 0)
            {
                truncated = true;
                continue;
            }

            BinaryPrimitives.WriteInt32LittleEndian(data.AsSpan(i * 4), number);
            kept++;
        }

        return data[..(kept * 4)];
    }
}
