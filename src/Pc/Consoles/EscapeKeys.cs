namespace DynaTrans.Pc.Consoles;

/// <summary>
/// The keys of a console that are not the guest's, those of QEMU: Ctrl-A x ends the machine, Ctrl-A h shows help, Ctrl-A b sends a break, Ctrl-A Ctrl-A sends a
/// Ctrl-A. Other keys behind Ctrl-A are swallowed.
/// </summary>
/// <param name="command">Called for a key that is a command: 'x', 'h' or 'b'.</param>
public sealed class EscapeKeys(Action<char> command)
{
    /// <summary>Ctrl-A.</summary>
    public const byte Escape = 1;

    /// <summary>What Ctrl-A h shows.</summary>
    public const string Help = """

        Ctrl-A h       this help
        Ctrl-A x       end the machine
        Ctrl-A b       send a break
        Ctrl-A Ctrl-A  send Ctrl-A

        """;

    private bool _isEscaped;

    /// <summary>Takes typed bytes, and leaves those that are the guest's.</summary>
    /// <param name="bytes">The bytes; those for the guest are moved to the front.</param>
    /// <returns>How many are the guest's.</returns>
    public int Filter(Span<byte> bytes)
    {
        var count = 0;
        foreach (var b in bytes)
        {
            if (!_isEscaped && b == Escape)
            {
                _isEscaped = true;
                continue;
            }

            if (!_isEscaped || b == Escape)
                bytes[count++] = b;
            else if (char.ToLowerInvariant((char)b) is 'x' or 'h' or 'b')
                command(char.ToLowerInvariant((char)b));
            _isEscaped = false;
        }

        return count;
    }
}
