using System.Runtime.InteropServices;

namespace DynaTrans.Pc.Consoles;

/// <summary>
/// Standard input and output: a terminal in raw mode, or whatever they are. The end of the input leaves the machine running.
/// </summary>
public sealed unsafe partial class StandardChannel : Channel
{
    private const int StandardInput = 0, StandardOutput = 1;
    private const int Interrupted = 4, TryAgain = 11;

    private readonly Terminal? _terminal = Terminal.Open();
    private readonly EscapeKeys _keys;

    /// <summary>Takes the terminal, until it is disposed of.</summary>
    /// <param name="quit">Called, on the reading thread, for Ctrl-A x.</param>
    /// <param name="sendBreak">Called, on the reading thread, for Ctrl-A b.</param>
    public StandardChannel(Action quit, Action sendBreak)
    {
        _keys = new EscapeKeys(key =>
        {
            if (key == 'x')
                quit();
            else if (key == 'b')
                sendBreak();
            else
                Console.Error.Write(EscapeKeys.Help);
        });
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            for (var at = 0; at < bytes.Length;)
            {
                var count = Write(StandardOutput, start + at, (nuint)(bytes.Length - at));
                if (count >= 0)
                    at += (int)count;
                else if (Marshal.GetLastPInvokeError() == TryAgain)
                    Thread.Sleep(1);
                else if (Marshal.GetLastPInvokeError() != Interrupted)
                    return;
            }
        }
    }

    /// <inheritdoc/>
    public override void Start(ByteReceiver receive) => StartReader("serial input", () =>
    {
        Span<byte> buffer = stackalloc byte[1024];
        while (true)
        {
            nint count;
            fixed (byte* start = buffer)
                count = Read(StandardInput, start, (nuint)buffer.Length);
            if (count > 0)
            {
                var left = _keys.Filter(buffer[..(int)count]);
                if (left > 0)
                    receive(buffer[..left]);
            }
            else if (count < 0 && Marshal.GetLastPInvokeError() == TryAgain)
            {
                Thread.Sleep(10);
            }
            else if (count == 0 || Marshal.GetLastPInvokeError() != Interrupted)
            {
                return;
            }
        }
    });

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => _terminal?.Dispose();

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(int file, byte* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int file, byte* buffer, nuint count);
}
