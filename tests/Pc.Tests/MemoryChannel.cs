using System.Text;
using DynaTrans.Pc.Consoles;

namespace DynaTrans.Pc.Tests;

/// <summary>A line whose output is kept, and whose input a test gives.</summary>
internal sealed class MemoryChannel : Channel
{
    private readonly MemoryStream _output = new();
    private ByteReceiver? _receive;

    /// <summary>What is sent when the machine starts, from a thread of its own.</summary>
    public byte[] Input { get; init; } = [];

    public byte[] Output => _output.ToArray();

    public string Text => Encoding.ASCII.GetString(Output);

    public override void Write(ReadOnlySpan<byte> bytes) => _output.Write(bytes);

    /// <summary>Something comes from the far end.</summary>
    public void Send(byte[] bytes) => _receive!(bytes);

    public override void Start(ByteReceiver receive)
    {
        _receive = receive;
        if (Input.Length > 0)
            new Thread(() => _receive(Input)) { IsBackground = true }.Start();
    }
}
