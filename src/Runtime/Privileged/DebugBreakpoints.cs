using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Privileged;

/// <summary>
/// The four breakpoints of DR0 to DR3 and DR7 (SDM Vol. 3, 17.2.4 and 17.2.5). Answers are masks of breakpoints, as DR6 has them in bits 3:0.
/// </summary>
public static unsafe class DebugBreakpoints
{
    private const ulong Enables = 0xFF;
    private const int Execute = 0, Write = 1, Port = 2;

    /// <summary>True when one is enabled: then instructions are executed one by one.</summary>
    public static bool AreActive(CpuState* s) => (s->System.Dr7 & Enables) != 0;

    /// <summary>Those on an instruction at a linear address; when one of them is enabled, the others too, as DR6 shows them (SDM Vol. 3, 17.2.3).</summary>
    public static uint AtInstruction(CpuState* s, ulong linear)
    {
        var (hit, isEnabled) = (0u, false);
        for (var i = 0; i < 4; i++)
            if (Kind(s, i) == Execute && s->System.DebugAddresses[i] == linear)
            {
                hit |= 1u << i;
                isEnabled |= IsEnabled(s, i);
            }

        return isEnabled ? hit : 0;
    }

    /// <summary>Those on data that an access touches.</summary>
    /// <param name="s">The state.</param>
    /// <param name="linear">First byte of the access.</param>
    /// <param name="size">Bytes of it.</param>
    /// <param name="write">It writes.</param>
    public static uint AtData(CpuState* s, ulong linear, int size, bool write)
    {
        var hit = 0u;
        for (var i = 0; i < 4; i++)
            if (IsEnabled(s, i) && Kind(s, i) is var kind && (kind > Port || (kind == Write && write)) && Overlaps(s, i, linear, size))
                hit |= 1u << i;
        return hit;
    }

    /// <summary>Those on I/O ports that an access touches; they need CR4.DE.</summary>
    public static uint AtPorts(CpuState* s, ushort port, int size)
    {
        var hit = 0u;
        if ((s->System.Cr4 & Cr4.DebuggingExtensions) == 0)
            return hit;
        for (var i = 0; i < 4; i++)
            if (IsEnabled(s, i) && Kind(s, i) == Port && Overlaps(s, i, port, size))
                hit |= 1u << i;
        return hit;
    }

    /// <summary>True when an access touches a breakpoint on data.</summary>
    public static bool Covers(CpuState* s, ulong linear, int size, bool write) => AtData(s, linear, size, write) != 0;

    private static bool IsEnabled(CpuState* s, int index) => (s->System.Dr7 >> (index * 2) & 3) != 0;

    private static int Kind(CpuState* s, int index) => (int)(s->System.Dr7 >> (16 + (index * 4)) & 3);

    // Lengths 1, 2, 8 and 4; the address is aligned to the length.
    private static bool Overlaps(CpuState* s, int index, ulong first, int size)
    {
        var length = (s->System.Dr7 >> (18 + (index * 4)) & 3) switch { 0 => 1UL, 1 => 2UL, 2 => 8UL, _ => 4UL };
        var start = s->System.DebugAddresses[index] & ~(length - 1);
        return first < start + length && start < first + (ulong)size;
    }
}
