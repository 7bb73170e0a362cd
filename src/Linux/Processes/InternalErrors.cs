using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Processes;

/// <summary>
/// Reports an internal error when nothing may be relied on: descriptors, memory and threads may be used up. The message goes from a buffer
/// made at the start straight to descriptor 2; nothing is loaded, and what cannot be told is left out.
/// </summary>
internal static unsafe class InternalErrors
{
    private const int StandardError = 2, Size = 512;
    private static readonly object s_gate = new();
    private static readonly byte[] s_buffer = GC.AllocateArray<byte>(Size, pinned: true);
    private static readonly char[] s_digits = new char[11];

    /// <summary>Writes one line about an error in a guest thread. Never throws.</summary>
    /// <param name="tid">Guest number of the thread.</param>
    /// <param name="error">The error.</param>
    /// <param name="to">Where to; null: standard error.</param>
    public static void Report(int tid, Exception error, TextWriter? to)
    {
        try
        {
            if (to != null)
            {
                to.WriteLine($"dynatrans: internal error in thread {tid}: {error.GetType().Name}: {error.Message.ReplaceLineEndings(" ")}");
                return;
            }
        }
        catch (Exception)
        {
            // Then the sure way.
        }

        lock (s_gate)
        {
            var length = Put("dynatrans: internal error in thread "u8, 0);
            if (tid.TryFormat(s_digits, out var count))
                length = Put(s_digits.AsSpan(0, count), length);
            try
            {
                length = Put(error.GetType().Name, Put(": "u8, length));
                length = Put(error.Message, Put(": "u8, length));
            }
            catch (Exception)
            {
                // Names and messages are made when they are asked for, and that may fail for the same reason.
            }

            s_buffer[length++] = (byte)'\n';
            fixed (byte* p = s_buffer)
                HostCalls.Call(HostSys.Write, StandardError, (nint)p, length);
        }
    }

    private static int Put(ReadOnlySpan<byte> text, int at)
    {
        foreach (var b in text)
            if (at < Size - 1)
                s_buffer[at++] = b;
        return at;
    }

    private static int Put(ReadOnlySpan<char> text, int at)
    {
        foreach (var c in text)
            if (at < Size - 1)
                s_buffer[at++] = c is >= ' ' and < (char)0x7F ? (byte)c : (byte)' ';
        return at;
    }
}
