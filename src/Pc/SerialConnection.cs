using DynaTrans.Devices;
using DynaTrans.Pc.Consoles;

namespace DynaTrans.Pc;

/// <summary>
/// A serial port's line to the host. What comes from there waits until the guest reads it; when much waits, whoever sends waits, too.
/// </summary>
internal sealed class SerialConnection
{
    private const int Most = 1 << 16;

    private readonly Uart16550A _port;
    private readonly Channel _channel;
    private readonly MachineQueue _queue;

    // Filled by the reading thread, emptied on the machine's; its own lock.
    private readonly Queue<byte> _waiting = new();
    private bool _isPosted;

    /// <summary>Connects a port.</summary>
    public SerialConnection(Uart16550A port, Channel channel, MachineQueue queue)
    {
        _port = port;
        _channel = channel;
        _queue = queue;
        port.ReceiveReady += Pump;
    }

    /// <summary>Begins to read from the host.</summary>
    public void Start() => _channel.Start(Take);

    /// <summary>A break has come. From any thread.</summary>
    public void SendBreak() => _queue.Post(_port.ReceiveBreak);

    // On the reading thread.
    private void Take(ReadOnlySpan<byte> bytes)
    {
        lock (_waiting)
        {
            foreach (var b in bytes)
            {
                while (_waiting.Count >= Most)
                    Monitor.Wait(_waiting);
                _waiting.Enqueue(b);
            }

            if (_isPosted)
                return;
            _isPosted = true;
        }

        _queue.Post(PumpPosted);
    }

    private void PumpPosted()
    {
        lock (_waiting)
            _isPosted = false;
        Pump();
    }

    private void Pump()
    {
        lock (_waiting)
        {
            var isFull = _waiting.Count >= Most;
            while (_port.CanReceive && _waiting.TryDequeue(out var b))
                _port.Receive(b);
            if (isFull && _waiting.Count < Most)
                Monitor.PulseAll(_waiting);
        }
    }
}
