namespace DynaTrans.Devices.Pci;

/// <summary>Bus 0: the functions by their place, and the four interrupts that their pins are wired to.</summary>
public sealed class PciBus
{
    /// <summary>Interrupts of the bus.</summary>
    public const int PirqCount = 4;

    private const int Slots = 32;
    private const int FunctionsOfSlot = 8;

    private readonly PciFunction?[] _functions = new PciFunction?[Slots * FunctionsOfSlot];
    private readonly SharedInterrupt[] _pirqs = new SharedInterrupt[PirqCount];

    /// <summary>Makes an empty bus.</summary>
    public PciBus()
    {
        for (var i = 0; i < PirqCount; i++)
        {
            var pirq = i;
            _pirqs[i] = new SharedInterrupt(level => PirqChanged?.Invoke(pirq, level));
        }
    }

    /// <summary>Called with 0 to 3 for PIRQA# to PIRQD#, and whether it is asserted now.</summary>
    public Action<int, bool>? PirqChanged { get; set; }

    /// <summary>All functions, in the order of their places.</summary>
    public IEnumerable<PciFunction> Functions => _functions.OfType<PciFunction>();

    /// <summary>Which of the four interrupts a pin of a slot is wired to: INTA# of slot 1 is PIRQA#, each slot is one further.</summary>
    /// <param name="slot">0 to 31.</param>
    /// <param name="pin">0 to 3 for INTA# to INTD#.</param>
    public static int PirqOf(int slot, int pin) => (slot + pin + PirqCount - 1) % PirqCount;

    /// <summary>Puts a function at a place.</summary>
    /// <param name="slot">The device number, 0 to 31.</param>
    /// <param name="function">The function number, 0 to 7; a device has a function 0.</param>
    /// <param name="device">The function.</param>
    /// <exception cref="ArgumentException">The place is taken.</exception>
    public void Attach(int slot, int function, PciFunction device)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Slots);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)function, (uint)FunctionsOfSlot);
        if (_functions[slot * FunctionsOfSlot + function] is { } other)
            throw new ArgumentException($"PCI slot {slot}.{function} is taken by {other.Name}");
        _functions[slot * FunctionsOfSlot + function] = device;
        if (device.InterruptPin != 0)
            device.ConnectInterrupt(_pirqs[PirqOf(slot, device.InterruptPin - 1)].AddSource());
    }

    /// <summary>RST#, to all functions.</summary>
    public void Reset()
    {
        foreach (var function in _functions)
            function?.Reset();
    }

    /// <summary>Reads configuration space; ones where there is no such function.</summary>
    /// <param name="address">As CONFIG_ADDRESS has it: bus, device, function in bits 8 to 23, and the offset.</param>
    /// <param name="size">1, 2 or 4 bytes, within 4 bytes that are aligned.</param>
    public uint ReadConfiguration(uint address, int size) => Find(address)?.ReadConfiguration((int)(address & 0xFF), size) ?? uint.MaxValue;

    /// <summary>Writes configuration space; without effect where there is no such function.</summary>
    /// <param name="address">As CONFIG_ADDRESS has it: bus, device, function in bits 8 to 23, and the offset.</param>
    /// <param name="size">1, 2 or 4 bytes, within 4 bytes that are aligned.</param>
    /// <param name="value">The value.</param>
    public void WriteConfiguration(uint address, int size, uint value) => Find(address)?.WriteConfiguration((int)(address & 0xFF), size, value);

    private PciFunction? Find(uint address) => (address & 0xFF_0000) == 0 ? _functions[address >> 8 & 0xFF] : null;
}
