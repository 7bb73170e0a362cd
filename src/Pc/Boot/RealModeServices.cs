using System.Buffers.Binary;
using DynaTrans.Devices;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.State;

namespace DynaTrans.Pc.Boot;

/// <summary>
/// The BIOS services that the setup code of a Linux kernel asks for when it is entered in real mode, and no others (interrupt numbers and registers as in the
/// IBM PS/2 and PC BIOS Interface Technical Reference; E820h: ACPI 6.5, 15.1). There are no disks, no keys and no display: text goes to the first serial port.
/// <para>
/// Each vector points to a stub in ROM that writes to a port and then waits in a loop. The machine serves the call between instructions, with the processor's
/// state exact, and puts it behind the loop, on an iret.
/// </para>
/// </summary>
internal sealed unsafe class RealModeServices(PhysicalMemory memory, PortBus ports, Action<bool> setA20, Action called) : IPortDevice
{
    /// <summary>The port that the stubs write to.</summary>
    public const byte Port = 0xB1;

    /// <summary>The segment of the stubs; each has <see cref="StubSize"/> bytes.</summary>
    public const ushort Segment = 0xF000;

    private const int StubSize = 8, LoopAt = 2, ReturnAt = 4, Vectors = 256, PageSize = 4096;
    private const uint Carry = 1, Zero = 0x40;
    private const ushort SerialData = 0x3F8;
    private const int BaseMemory = (int)(PhysicalMemory.ExtendedBiosData >> 10);

    private bool _isCalled;

    /// <summary>Puts the stubs into ROM at F0000h and fills the interrupt table and the BIOS data area.</summary>
    public void Install()
    {
        var rom = new byte[PageSize];
        var table = new byte[Vectors * 4];
        for (var vector = 0; vector < Vectors; vector++)
        {
            // out B1h, al; jmp $; iret
            new byte[] { 0xE6, Port, 0xEB, 0xFE, 0xCF }.CopyTo(rom, vector * StubSize);
            BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(vector * 4), (ushort)(vector * StubSize));
            BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan((vector * 4) + 2), Segment);
        }

        // Serial ports, equipment (coprocessor, one serial port), base memory, 80 columns of text.
        var data = new byte[0x100];
        BinaryPrimitives.WriteUInt16LittleEndian(data, SerialData);
        BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(0x0E), (ushort)(PhysicalMemory.ExtendedBiosData >> 4));
        BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(0x10), 0x0202);
        BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(0x13), BaseMemory);
        data[0x49] = 3;
        data[0x4A] = 80;
        data[0x84] = 24;
        memory.MapRom(Segment * 16, rom);
        memory.TryWrite(0, table);
        memory.TryWrite(0x400, data);
        ports.Map(Port, 1, this);
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size) => 0xFF;

    /// <inheritdoc/>
    public void Write(ushort port, int size, uint value)
    {
        _isCalled = true;
        called();
    }

    /// <summary>Serves a call that waits. Between instructions of the processor.</summary>
    public void Serve(CpuState* s)
    {
        if (!_isCalled)
            return;
        _isCalled = false;
        var offset = (int)(ushort)s->Slots[Slot.Rip];
        if (s->Cs.Selector != Segment || offset % StubSize != LoopAt || offset >= Vectors * StubSize)
            return;
        var flags = CallInterrupt(s, offset / StubSize);
        s->Slots[Slot.Rip] = (ulong)(offset - LoopAt + ReturnAt);

        // The flags that the caller gets are on the stack, above CS:IP.
        var at = s->Slots[Slot.SsBase] + (ushort)(s->Slots[Slot.Rsp] + 4);
        Span<byte> image = stackalloc byte[2];
        if (!memory.TryRead(at, image))
            return;
        var old = BinaryPrimitives.ReadUInt16LittleEndian(image);
        BinaryPrimitives.WriteUInt16LittleEndian(image, (ushort)((old & ~(Carry | Zero)) | flags));
        memory.TryWrite(at, image);
    }

    private uint CallInterrupt(CpuState* s, int vector)
    {
        var function = (byte)(s->Slots[Slot.Rax] >> 8);
        switch (vector)
        {
            case 0x10:
                return Video(s, function);
            case 0x11:
                Set16(s, Slot.Rax, 0x0202);
                return 0;
            case 0x12:
                Set16(s, Slot.Rax, BaseMemory);
                return 0;
            case 0x15:
                return System(s, function);
            case 0x16:
                // No key waits, and no shift is held.
                Set16(s, Slot.Rax, 0);
                return Zero;
            case 0x1A when function == 0:
                Set16(s, Slot.Rax, 0);
                Set16(s, Slot.Rcx, 0);
                Set16(s, Slot.Rdx, 0);
                return 0;
            default:
                // Function not supported; of disks: no such drive.
                SetHigh(s, vector == 0x13 ? (byte)1 : (byte)0x86);
                return Carry;
        }
    }

    private uint Video(CpuState* s, byte function)
    {
        switch (function)
        {
            case 0x03:
                Set16(s, Slot.Rcx, 0x0607);
                Set16(s, Slot.Rdx, 0);
                break;
            case 0x0E:
                ports.Write(SerialData, 1, (byte)s->Slots[Slot.Rax]);
                break;
            case 0x0F:
                Set16(s, Slot.Rax, 0x5003);
                Set16(s, Slot.Rbx, (int)(byte)s->Slots[Slot.Rbx]);
                break;
        }

        return 0;
    }

    private uint System(CpuState* s, byte function)
    {
        var extended = (memory.LowTop - PhysicalMemory.HighStart) >> 10;
        switch ((ushort)s->Slots[Slot.Rax])
        {
            case 0xE820:
                return MemoryMap(s);
            case 0xE801:
                // From 1 to 16 MiB in KiB, from 16 MiB on in 64 KiB.
                var low = (int)Math.Min(extended, 0x3C00);
                var high = (int)Math.Min((extended - (ulong)low) >> 6, 0xFFFF);
                foreach (var (slot, value) in stackalloc[] { (Slot.Rax, low), (Slot.Rcx, low), (Slot.Rbx, high), (Slot.Rdx, high) })
                    Set16(s, slot, value);
                return 0;
            case 0x2400 or 0x2401:
                setA20((s->Slots[Slot.Rax] & 1) != 0);
                SetHigh(s, 0);
                return 0;
        }

        if (function == 0x88)
        {
            Set16(s, Slot.Rax, (int)Math.Min(extended, 0xFFFF));
            return 0;
        }

        SetHigh(s, 0x86);
        return Carry;
    }

    private uint MemoryMap(CpuState* s)
    {
        const uint Signature = 0x534D4150;
        const int EntrySize = 20;
        var map = memory.Map();
        var index = (uint)s->Slots[Slot.Rbx];
        if ((uint)s->Slots[Slot.Rdx] != Signature || (uint)s->Slots[Slot.Rcx] < EntrySize || index >= map.Count)
        {
            SetHigh(s, 0x86);
            return Carry;
        }

        var range = map[(int)index];
        Span<byte> entry = stackalloc byte[EntrySize];
        BinaryPrimitives.WriteUInt64LittleEndian(entry, range.Start);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], range.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[16..], (uint)range.Kind);
        memory.TryWrite(s->Slots[Slot.EsBase] + (ushort)s->Slots[Slot.Rdi], entry);
        s->Slots[Slot.Rax] = Signature;
        s->Slots[Slot.Rbx] = index + 1 < map.Count ? index + 1 : 0;
        s->Slots[Slot.Rcx] = EntrySize;
        return 0;
    }

    private static void SetHigh(CpuState* s, byte value) => Set16(s, Slot.Rax, ((int)value << 8) | (byte)s->Slots[Slot.Rax]);

    private static void Set16(CpuState* s, int slot, int value) => s->Slots[slot] = (s->Slots[slot] & ~0xFFFFUL) | (ushort)value;
}
