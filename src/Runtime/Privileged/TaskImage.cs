using System.Buffers.Binary;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>What a task switch takes from a task state segment (SDM Vol. 3, figures 7-2 and 7-10).</summary>
internal unsafe struct TaskImage
{
    /// <summary>Bytes of a 32-bit TSS up to the debug trap flag; its descriptor has at least this as limit.</summary>
    public const int WideSize = 0x68;

    /// <summary>The same of a 16-bit TSS.</summary>
    public const int NarrowSize = 0x2C;

    /// <summary>Selector of the task to return to.</summary>
    public ushort Link;

    /// <summary>CR3, of a 32-bit TSS.</summary>
    public uint PageDirectory;

    /// <summary>EIP.</summary>
    public uint InstructionPointer;

    /// <summary>EFLAGS.</summary>
    public uint Flags;

    /// <summary>EAX to EDI in encoding order.</summary>
    public fixed uint Registers[8];

    /// <summary>ES CS SS DS FS GS.</summary>
    public fixed ushort Selectors[6];

    /// <summary>Selector of the local descriptor table.</summary>
    public ushort LocalTable;

    /// <summary>T: a debug exception before the first instruction.</summary>
    public bool IsTraced;

    // Where EIP, EFLAGS and the registers, and where the selectors begin.
    private const int WideState = 0x20, WideSelectors = 0x48, NarrowState = 0x0E, NarrowSelectors = 0x22;
    private const int WideCount = 6, NarrowCount = 4;

    /// <summary>Reads the segment at an address; false with a page fault pending.</summary>
    public static bool TryRead(CpuState* s, ulong address, bool isWide, out TaskImage image)
    {
        image = default;
        Span<byte> bytes = stackalloc byte[WideSize];
        fixed (byte* p = bytes)
            if (!SystemMemory.TryRead(s, address, p, isWide ? WideSize : NarrowSize))
                return false;
        image.Link = BinaryPrimitives.ReadUInt16LittleEndian(bytes);
        var size = isWide ? 4 : 2;
        var state = bytes[(isWide ? WideState : NarrowState)..];
        image.InstructionPointer = Word(state, 0, size);
        image.Flags = Word(state, 1, size);
        for (var i = 0; i < 8; i++)
            image.Registers[i] = Word(state, i + 2, size);
        var selectors = bytes[(isWide ? WideSelectors : NarrowSelectors)..];
        var count = isWide ? WideCount : NarrowCount;
        for (var i = 0; i < count; i++)
            image.Selectors[i] = BinaryPrimitives.ReadUInt16LittleEndian(selectors[(i * size)..]);
        image.LocalTable = BinaryPrimitives.ReadUInt16LittleEndian(selectors[(count * size)..]);
        image.PageDirectory = isWide ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[0x1C..]) : 0;
        image.IsTraced = isWide && (bytes[0x64] & 1) != 0;
        return true;
    }

    /// <summary>Says whether <see cref="Save"/> would succeed; else a page fault is pending.</summary>
    public static bool CheckSave(CpuState* s, ulong address, bool isWide) =>
        SystemMemory.CheckWrite(s, address + (isWide ? (uint)WideState : NarrowState), isWide ? 0x3E : 0x1C);

    /// <summary>Writes the state of the present task into the segment at an address; what is not written there stays. After <see cref="CheckSave"/>.</summary>
    public static void Save(CpuState* s, ulong address, bool isWide, uint next, uint flags)
    {
        var size = isWide ? 4 : 2;
        var state = stackalloc uint[10];
        state[0] = next;
        state[1] = flags;
        for (var i = 0; i < 8; i++)
            state[i + 2] = (uint)s->Slots[Slot.Rax + i];
        var bytes = stackalloc byte[40];
        for (var i = 0; i < 10; i++)
            if (isWide)
                *(uint*)(bytes + (i * 4)) = state[i];
            else
                *(ushort*)(bytes + (i * 2)) = (ushort)state[i];
        SystemMemory.TryWrite(s, address + (isWide ? (uint)WideState : NarrowState), bytes, 10 * size);
        var count = isWide ? WideCount : NarrowCount;
        for (var i = 0; i < count; i++)
            SystemMemory.TryWrite(s, address + (uint)((isWide ? WideSelectors : NarrowSelectors) + (i * size)), 2, CpuAccess.Segment(s, i)->Selector);
    }

    private static uint Word(ReadOnlySpan<byte> bytes, int index, int size) => size == 4
        ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[(index * 4)..])
        : BinaryPrimitives.ReadUInt16LittleEndian(bytes[(index * 2)..]);
}
