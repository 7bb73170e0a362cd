using Xunit;
using Xunit.Abstractions;

namespace DynaTrans.Devices.Tests;

/// <summary>
/// The interval timer, whose counters are functions of time, against a counter that is stepped pulse by pulse as the data sheet describes it: random control
/// words, counts, gates and latches.
/// </summary>
public sealed class Intel8254ModelTests(ITestOutputHelper output)
{
    // The data sheet's counter: control logic, count register CR, counting element CE.
    private sealed class Counter
    {
        private int _mode, _access = 3, _register, _element, _low, _loaded;
        private bool _isBcd, _hasCount, _loadsNext, _isDisabled, _strobed, _high;

        public bool Output { get; private set; }

        public bool Gate { get; private set; }

        public bool HasElement { get; private set; }

        public bool IsNull { get; private set; } = true;

        public int Element => !_isBcd ? _element & 0xFFFF
            : _element / 1000 % 10 << 12 | _element / 100 % 10 << 8 | _element / 10 % 10 << 4 | _element % 10;

        private int Modulus => _isBcd ? 10_000 : 0x10000;

        public void WriteControl(int value)
        {
            _access = value >> 4 & 3;
            _mode = value >> 1 & 7;
            _mode = _mode >= 6 ? _mode - 4 : _mode;
            _isBcd = (value & 1) != 0;
            _hasCount = HasElement = _loadsNext = _isDisabled = _high = false;
            IsNull = true;
            Output = _mode != 0;
        }

        public void WriteByte(int value)
        {
            if (_access == 3 && !_high)
            {
                _high = true;
                _low = value;
                if (_mode == 0)
                {
                    _isDisabled = true;
                    _loadsNext = false;
                    Output = false;
                }
                return;
            }
            var written = _access switch { 1 => value, 2 => value << 8, _ => value << 8 | _low };
            _high = false;
            _register = !_isBcd ? written : (written >> 12) * 1000 + (written >> 8 & 15) * 100 + (written >> 4 & 15) * 10 + (written & 15);
            if (_register == 0)
                _register = Modulus;
            IsNull = true;
            if (_mode is 0 or 4 || _mode is 2 or 3 && !HasElement)
                _loadsNext = true;
            if (_mode == 0)
                Output = _isDisabled = false;
            _hasCount = true;
        }

        public void SetGate(bool level)
        {
            if (level == Gate)
                return;
            Gate = level;
            if (level && _hasCount && _mode is not (0 or 4))
                _loadsNext = true;
            if (!level && _mode is 2 or 3)
                Output = true;
        }

        public void Step()
        {
            if (_loadsNext)
            {
                Load();
                _loadsNext = _strobed = false;
                if (_mode == 1)
                    Output = false;
                else if (_mode is 4 or 5)
                    Output = true;
                return;
            }
            if (!HasElement || _isDisabled || (!Gate && _mode is not (1 or 5)))
                return;
            switch (_mode)
            {
                case 0 or 1:
                    Decrement();
                    Output |= _element == 0;
                    break;
                case 2:
                    if (_element == 1)
                    {
                        Load();
                        Output = true;
                    }
                    else
                    {
                        Decrement();
                        Output = _element != 1;
                    }
                    break;
                case 3:
                    var isLate = (_loaded & 1) != 0 && Output;
                    if (!isLate || _element != 0)
                        _element -= 2;
                    else
                    {
                        Load();
                        Output = false;
                        break;
                    }
                    if (_element == 0 && !isLate)
                    {
                        Output = !Output;
                        Load();
                    }
                    break;
                default:
                    Decrement();
                    Output = _element != 0 || _strobed;
                    _strobed |= _element == 0;
                    break;
            }
        }

        private void Load()
        {
            _loaded = _register;
            _element = _mode == 3 ? _register & ~1 : _register;
            HasElement = true;
            IsNull = false;
        }

        private void Decrement() => _element = (_element % Modulus + Modulus - 1) % Modulus;
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, null)]
    [InlineData(2, 2)]
    [InlineData(2, null)]
    public void FunctionsOfTimeAreWhatSteppingGives(int index, int? fixedSeed)
    {
        var seed = fixedSeed ?? Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var clock = new ManualClock();
        var rises = 0;
        var expectedRises = 0;
        var pit = new Intel8254(clock, Chips.Line(() => rises++));
        var port = 0x40 + index;
        var counter = new Counter();
        counter.WriteControl(0x30);
        counter.SetGate(index == 0);
        var high = false;
        var access = 3;
        var mode = 0;
        var pulse = 0L;
        var log = new Queue<string>();

        void Do(string what)
        {
            log.Enqueue(what);
            if (log.Count > 30)
                log.Dequeue();
        }

        for (var i = 0; i < 100_000; i++)
        {
            switch (random.Next(10))
            {
                case 0 when random.Next(4) == 0:
                    mode = random.Next(8);
                    access = random.Next(1, 4);
                    var control = access << 4 | mode << 1 | random.Next(2);
                    Do($"control {control:x}");
                    pit.Out(0x43, index << 6 | control);
                    counter.WriteControl(control);
                    break;
                case 1:
                    // A count of 1 is illegal in modes 2 and 3.
                    var count = random.Next(2, 12);
                    foreach (var value in access switch { 3 => [count, 0], 1 => [count], _ => (int[])[random.Next(2)] })
                    {
                        Do($"write {value}");
                        pit.Out(port, value);
                        counter.WriteByte(value);
                        if (random.Next(3) == 0)
                            Step();
                    }
                    break;
                case 2:
                    var level = random.Next(3) != 0;
                    Do($"gate {level}");
                    pit.SetGate(index, level);
                    counter.SetGate(level);
                    break;
                default:
                    for (var steps = random.Next(random.Next(50) == 0 ? 600 : 8); steps > 0; steps--)
                        Step();
                    break;
            }
            Compare();
        }

        void Step()
        {
            clock.AdvanceTo(Intel8254.TimeOf(++pulse));
            counter.Step();
            Do("step");
            Compare();
        }

        void Compare()
        {
            expectedRises += counter.Output && !high ? 1 : 0;
            high = counter.Output;
            pit.Out(0x43, 0xC0 | 2 << index);       // status and count
            var status = pit.In(port);
            var element = 0;
            if (access != 2)
                element = pit.In(port);
            if (access != 1)
                element |= pit.In(port) << 8;
            var mask = access switch { 1 => 0xFF, 2 => 0xFF00, _ => 0xFFFF };
            var expected = (counter.Output ? 0x80 : 0) | (counter.IsNull ? 0x40 : 0);
            if ((index == 0 && rises != expectedRises) || expected != (status & 0xC0)
                || (counter.HasElement && (counter.Element & mask) != element))
            {
                Assert.Fail($"seed {seed}, pulse {pulse}, mode {mode}: rises {rises} of {expectedRises}, status {status & 0xC0:x} count {element:x}, "
                    + $"stepped {expected:x} {counter.Element & mask:x}: " + string.Join(", ", log));
            }
        }
    }
}
