using System.Text;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Writes one line per system call: name, arguments, result. A call that is not implemented is marked as such.</summary>
public sealed class StraceLog(TextWriter writer)
{
    private const int MaxText = 64;

    private readonly Lock _lock = new();

    [ThreadStatic]
    private static string? s_entered;

    /// <summary>Notes the arguments before the call changes what they point to.</summary>
    public void Enter(in SyscallContext c, SyscallTable.Entry? entry)
    {
        s_entered = entry == null ? string.Empty : Arguments(c, entry.Arguments);
        if (entry?.Name is "exit_group" or "exit")
            Write($"{c.Thread.Tid} {entry.Name}({s_entered}) = ?");
    }

    /// <summary>Writes the line after the call.</summary>
    public void Leave(in SyscallContext c, ulong number, SyscallTable.Entry? entry, long result)
    {
        if (entry?.Name is "exit_group" or "exit")
            return;
        var call = entry == null
            ? $"{SyscallNames.Of(c.Abi, number)}(0x{c.A0:x}, 0x{c.A1:x}, 0x{c.A2:x}, 0x{c.A3:x}, 0x{c.A4:x}, 0x{c.A5:x})"
            : $"{entry.Name}({s_entered})";
        var outcome = result is < 0 and > -4096
            ? $"-1 {Errno.Name((int)-result)} ({Errno.Message((int)-result)})"
            : result is >= 0 and < 0x10000 ? $"{result}" : $"0x{(c.Is32 ? (uint)result : (ulong)result):x}";
        Write($"{c.Thread.Tid} {call} = {outcome}{(entry == null ? " [not implemented]" : string.Empty)}");
    }

    /// <summary>Writes a line about a signal that is being delivered.</summary>
    public void Note(int tid, in SignalInfo info)
    {
        var detail = info.Kind == SignalInfoKind.Fault ? $"si_addr=0x{info.Value:x}" : $"si_pid={info.Pid}";
        Write($"{tid} --- {Signal.Name(info.Number)} {{si_code={info.Code}, {detail}}} ---");
    }

    private static string Arguments(in SyscallContext c, string kinds)
    {
        Span<ulong> values = [c.A0, c.A1, c.A2, c.A3, c.A4, c.A5];
        var text = new StringBuilder();
        for (var i = 0; i < kinds.Length && i < values.Length; i++)
        {
            if (i > 0)
                text.Append(", ");
            var value = values[i];
            switch (kinds[i])
            {
                case 'd':
                    text.Append((int)value);
                    break;
                case 'f':
                    text.Append((int)value == -100 ? "AT_FDCWD" : ((int)value).ToString());
                    break;
                case 'u':
                    text.Append(value);
                    break;
                case 'l':
                    text.Append(c.Long(value));
                    break;
                case 'o':
                    text.Append('0').Append(Convert.ToString((long)(value & 0xFFFF), 8));
                    break;
                case 'n':
                    text.Append((int)value == 0 ? "0" : Signal.Name((int)value));
                    break;
                case 's':
                    AppendString(text, c, value);
                    break;
                case 'b':
                    AppendBuffer(text, c, value, i + 1 < values.Length ? values[i + 1] : 0);
                    break;
                case 'p' when value == 0:
                    text.Append("NULL");
                    break;
                default:
                    text.Append($"0x{value:x}");
                    break;
            }
        }

        return text.ToString();
    }

    private static void AppendString(StringBuilder text, in SyscallContext c, ulong address)
    {
        if (address == 0)
            text.Append("NULL");
        else if (c.Memory.TryReadString(address, out var value) != 0)
            text.Append($"0x{address:x}");
        else
            Quote(text, value, value.Length > 256 ? 256 : value.Length);
    }

    private static void AppendBuffer(StringBuilder text, in SyscallContext c, ulong address, ulong length)
    {
        var bytes = new byte[Math.Min(length, MaxText)];
        if (c.Memory.TryRead(address, bytes))
        {
            Quote(text, Encoding.Latin1.GetString(bytes), bytes.Length);
            if (length > MaxText)
                text.Append("...");
        }
        else
        {
            text.Append($"0x{address:x}");
        }
    }

    private static void Quote(StringBuilder text, string value, int length)
    {
        text.Append('"');
        foreach (var ch in value.AsSpan(0, length))
        {
            text.Append(ch switch
            {
                '"' or '\\' => $"\\{ch}",
                '\n' => "\\n",
                '\t' => "\\t",
                '\r' => "\\r",
                < ' ' or > '~' => $"\\{Convert.ToString(ch, 8)}",
                _ => ch.ToString(),
            });
        }

        text.Append('"');
    }

    private void Write(string line)
    {
        lock (_lock)
        {
            writer.WriteLine(line);
            writer.Flush();
        }
    }
}
