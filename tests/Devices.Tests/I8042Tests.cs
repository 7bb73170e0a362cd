using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>The keyboard controller, its keyboard and its mouse against the PS/2 technical reference, and as Linux's drivers use them.</summary>
public sealed class I8042Tests
{
    private readonly InterruptLine _keyboardIrq, _mouseIrq, _a20;
    private readonly I8042 _controller;
    private int _keyboardInterrupts, _mouseInterrupts, _resets;

    public I8042Tests()
    {
        _keyboardIrq = Chips.Line(() => _keyboardInterrupts++);
        _mouseIrq = Chips.Line(() => _mouseInterrupts++);
        _a20 = Chips.Line();
        _controller = new I8042(_keyboardIrq, _mouseIrq, _a20, () => _resets++);
    }

    private int Status => _controller.In(0x64);

    private void Command(int command) => _controller.Out(0x64, command);

    private void Command(int command, int data)
    {
        Command(command);
        _controller.Out(0x60, data);
    }

    private int Ask(int command)
    {
        Command(command);
        Assert.Equal(1, Status & 0x21);
        var value = _controller.In(0x60);
        Assert.Equal(0, Status & 1);
        return value;
    }

    // Writes to the keyboard or the mouse, and gives all that comes back.
    private int[] Tell(bool mouse, params int[] bytes)
    {
        var answers = new List<int>();
        foreach (var value in bytes)
        {
            if (mouse)
                Command(0xD4);
            _controller.Out(0x60, value);
            while ((Status & 1) != 0)
            {
                Assert.Equal(mouse, (Status & 0x20) != 0);
                answers.Add(_controller.In(0x60));
            }
        }
        return [.. answers];
    }

    private int[] Keyboard(params int[] bytes) => Tell(false, bytes);

    private int[] Mouse(params int[] bytes) => Tell(true, bytes);

    [Fact]
    public void AfterReset()
    {
        Assert.Equal(0x10, Status);
        Assert.True(_a20.Level);
        Assert.Equal(0x00, Ask(0x20));
        Assert.Equal(0x55, Ask(0xAA));
        Assert.Equal(0x1C, Status);
        Assert.Equal(0x04, Ask(0x20));
        Assert.Equal(0x00, Ask(0xAB));
        Assert.Equal(0x00, Ask(0xA9));
        Assert.Equal(0xF1, Ask(0xA4));
        Assert.Equal(0x80, Ask(0xC0));
        Assert.Equal(0x03, Ask(0xE0));
    }

    [Fact]
    public void TheMemoryIsReadAndWritten()
    {
        Command(0x60, 0x65);
        Assert.Equal(0x65, _controller.CommandByte);
        Assert.Equal(0x65, Ask(0x20));
        Assert.Equal(0x14, Status & 0x14);
        for (var i = 1; i < 32; i++)
            Command(0x60 + i, i * 7);
        for (var i = 1; i < 32; i++)
            Assert.Equal(i * 7, Ask(0x20 + i));
        Command(0xAD);
        Assert.Equal(0x75, Ask(0x20));
        Assert.Equal(0x00, Ask(0xE0));
        Command(0xAE);
        Command(0xA8);
        Assert.Equal(0x45, Ask(0x20));
        Command(0xA7);
        Assert.Equal(0x65, Ask(0x20));
    }

    [Fact]
    public void StatusTellsWhereTheLastByteWent()
    {
        Command(0xAE);
        Assert.Equal(0x08, Status & 0x08);
        _controller.Out(0x60, 0xEE);
        Assert.Equal(0x00, Status & 0x08);
    }

    [Fact]
    public void TheOutputPortHasA20AndReset()
    {
        Assert.Equal(0xC3, Ask(0xD0));
        Command(0xDD);
        Assert.False(_a20.Level);
        Assert.Equal(0xC1, Ask(0xD0));
        Command(0xDF);
        Assert.True(_a20.Level);
        Command(0xD1, 0x01);
        Assert.False(_a20.Level);
        Command(0xD1, 0x03);
        Assert.True(_a20.Level);
        Assert.Equal(0, _resets);
        Command(0xFF);                              // as Linux flushes after a change of A20
        Command(0xFD);
        Assert.Equal(0, _resets);
        Command(0xFE);
        Assert.Equal(1, _resets);
        Command(0xD1, 0x02);
        Assert.Equal(2, _resets);
    }

    [Fact]
    public void OutputBuffersAreWrittenAndInterrupt()
    {
        Command(0x60, 0x47);
        Command(0xD2, 0x5A);
        Assert.True(_keyboardIrq.Level);
        Assert.Equal(0x01, Status & 0x21);
        Command(0xD3, 0xA5);
        Assert.False(_mouseIrq.Level);              // waits until the first is read
        Assert.Equal(0x5A, _controller.In(0x60));
        Assert.False(_keyboardIrq.Level);
        Assert.True(_mouseIrq.Level);
        Assert.Equal(0x21, Status & 0x21);
        Assert.Equal(0xA5, _controller.In(0x60));
        Assert.False(_mouseIrq.Level);
        Assert.Equal(0xA5, _controller.In(0x60));   // nothing new
    }

    [Fact]
    public void EachByteInterrupts()
    {
        Command(0x60, 0x07);
        _controller.Out(0x60, 0xF2);
        Assert.Equal([0xFA, 0xAB, 0x83], (int[])[_controller.In(0x60), _controller.In(0x60), _controller.In(0x60)]);
        Assert.Equal(3, _keyboardInterrupts);
        Command(0xD4, 0xF2);
        Assert.Equal([0xFA, 0x00], (int[])[_controller.In(0x60), _controller.In(0x60)]);
        Assert.Equal(2, _mouseInterrupts);
    }

    [Fact]
    public void Translation()
    {
        Command(0x60, 0x65);
        Assert.Equal([0xFA, 0xAB, 0x41], Keyboard(0xF2));
        Assert.Equal([0xFA, 0xFA, 0x41], Keyboard(0xF0, 0x00));
        Assert.Equal(0x1E, ScanCodes.Translate(0x1C));
        Assert.Equal(0x39, ScanCodes.Translate(0x29));
        Assert.Equal(0xE0, ScanCodes.Translate(0xE0));

        // The table is one to one below 80h, but for the two that are 83h and 84h.
        Assert.Equal(128, Enumerable.Range(0, 128).Select(i => ScanCodes.Translate((byte)i)).Distinct().Count());
    }

    [Fact]
    public void KeyboardCommands()
    {
        Assert.Equal([0xFA, 0xAA], Keyboard(0xFF));
        Assert.Equal([0xEE], Keyboard(0xEE));
        Assert.Equal([0xFA, 0xFA], Keyboard(0xED, 0x07));
        Assert.Equal(7, _controller.Keyboard.Leds);
        Assert.Equal([0xFA, 0xFA, 0xFA, 0xFA, 0x01], Keyboard(0xF0, 0x01, 0xF0, 0x00));
        Assert.Equal([0xFA, 0xFE], Keyboard(0xF0, 0x04));
        Assert.Equal([0xFA, 0xFA], Keyboard(0xF3, 0x00));
        Assert.Equal([0xFA], Keyboard(0xF5));
        Assert.False(_controller.Keyboard.IsScanning);
        Assert.Equal([0xFA], Keyboard(0xF4));
        Assert.True(_controller.Keyboard.IsScanning);
        Assert.Equal([0xFA, 0xFA, 0x02], Keyboard(0xF0, 0x00));
        Assert.Equal([0x02], Keyboard(0xFE));
        Assert.Equal([0xFA], Keyboard(0xF6));
        foreach (var command in (int[])[0xF7, 0xF8, 0xF9, 0xFA])
            Assert.Equal([0xFA], Keyboard(command));
        Assert.Equal([0xFA, 0xFA, 0xFA, 0xFA], Keyboard(0xFB, 0x1C, 0x1B, 0xF4));
        Assert.Equal([0xFE], Keyboard(0x00));
        Assert.Equal([0xFE], Keyboard(0xEF));
        Assert.Equal([0xFA, 0xEE], Keyboard(0xED, 0xEE));   // a command in place of the argument
    }

    [Fact]
    public void MouseCommands()
    {
        Assert.Equal([0xFA, 0xAA, 0x00], Mouse(0xFF));
        Assert.Equal([0xFA, 0x00], Mouse(0xF2));
        Assert.Equal([0xFA, 0x00, 0x02, 100], Mouse(0xE9));
        Assert.Equal([0xFA, 0xFA, 0xFA, 0xFA, 0xFA, 0xFA, 0xFA], Mouse(0xE7, 0xE8, 0x03, 0xF3, 200, 0xF4, 0xF0));
        Assert.Equal([0xFA, 0x70, 0x03, 200], Mouse(0xE9));
        Assert.True(_controller.Mouse.IsReporting);
        Assert.Equal([0xFA, 0x08, 0x00, 0x00], Mouse(0xEB));
        Assert.Equal([0xFA, 0x55, 0xF4, 0xFA], Mouse(0xEE, 0x55, 0xF4, 0xEC));
        Assert.Equal([0xFE, 0xFC, 0xFE], Mouse(0x00, 0x01, 0x02));
        Assert.Equal([0xFA, 0xFE], Mouse(0xE8, 0x04));
        Assert.Equal([0xFA], Mouse(0xF6));
        Assert.Equal([0xFA, 0x00, 0x02, 100], Mouse(0xE9));
        Assert.Equal([100], Mouse(0xFE));
    }

    [Fact]
    public void ADeviceThatIsOffKeepsItsBytes()
    {
        Assert.Equal([0xEE], Keyboard(0xEE));
        _controller.Out(0x60, 0xF2);
        Assert.Equal(0xFA, _controller.In(0x60));
        Assert.Equal(1, Status & 1);
        Assert.Equal(0xAB, _controller.In(0x60));
        Command(0xAD);                              // 83h is in the output buffer already
        Assert.Equal(0x83, _controller.In(0x60));
        Command(0xA7);
        Command(0xD4, 0xF2);                        // a write to a device turns its clock on
        Assert.Equal(0xFA, _controller.In(0x60));
        Assert.Equal(0x00, _controller.In(0x60));
        Assert.Equal(0x10, Ask(0x20) & 0x30);
    }

    [Fact]
    public void LinuxProbesIt()
    {
        // i8042.c: flush, controller test, command byte twice, AUX loop-back with its interrupt, both ports; then atkbd and psmouse.
        Assert.Equal(0, Status & 1);
        Assert.Equal(0x55, Ask(0xAA));
        var command = Ask(0x20);
        Assert.Equal(command, Ask(0x20));
        Command(0x60, command | 0x30);
        Command(0xD3, 0x5A);
        Assert.Equal(0x21, Status & 0x21);
        Assert.Equal(0x5A, _controller.In(0x60));
        Command(0xA7);
        Assert.Equal(0x20, Ask(0x20) & 0x20);
        Command(0xA8);
        Assert.Equal(0x00, Ask(0x20) & 0x20);
        Command(0x60, 0x47 | 0x10);
        Command(0xD3, 0xA5);
        Assert.Equal(1, _mouseInterrupts);
        Assert.Equal(0xA5, _controller.In(0x60));
        Command(0x60, 0x47);
        Assert.Equal([0xFA, 0xAB, 0x41], Keyboard(0xF2));
        Assert.Equal([0xFA, 0xFA], Keyboard(0xED, 0x00));
        Assert.Equal([0xFA, 0xFA], Keyboard(0xF3, 0x00));
        Assert.Equal([0xFA], Keyboard(0xF4));
        Assert.Equal([0xFA, 0xAA, 0x00], Mouse(0xFF));
        Assert.Equal([0xFA, 0x00], Mouse(0xF2));
        Assert.Equal([0xFA, 0xFA, 0xFA, 0xFA, 0xFA, 0xFA, 0xFA, 0x00], Mouse(0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF2));
    }

    [Fact]
    public void APasswordIsSwallowed()
    {
        Command(0xA5);
        foreach (var value in (int[])[0x1C, 0x1B, 0xFF, 0])
            _controller.Out(0x60, value);
        Assert.Equal(0, Status & 1);
        Assert.Equal([0xEE], Keyboard(0xEE));
    }

    [Fact]
    public void StateIsKept()
    {
        Command(0x60, 0x47);
        Keyboard(0xED, 0x05);
        _controller.Out(0x60, 0xF2);
        Command(0xD4, 0xE9);
        Command(0x20);
        Command(0xDD);
        Command(0xD1);
        var a20 = Chips.Line();
        var irq = Chips.Line();
        var other = new I8042(irq, Chips.Line(), a20, () => { });
        Chips.Copy([_controller], [other]);
        Assert.True(irq.Level);
        Assert.False(a20.Level);
        Assert.Equal(5, other.Keyboard.Leds);
        other.Out(0x60, 0x03);
        Assert.True(a20.Level);
        var bytes = new List<int>();
        for (; (other.In(0x64) & 1) != 0; bytes.Add(other.In(0x60)))
            ;
        Assert.Equal([0xFA, 0x47, 0xAB, 0x41, 0xFA, 0x00, 0x02, 100], bytes);
    }
}
