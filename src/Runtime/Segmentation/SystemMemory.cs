using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Access;
using DynaTrans.Runtime.Paging;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Segmentation;

/// <summary>
/// What the processor itself reads and writes with supervisor privilege: descriptor tables, task state segments, stacks of inner levels (SDM Vol. 3, 4.6).
/// Addresses have 64 bits in long mode whatever the code is, else 32; alignment is not checked. When a method gives false an exception is pending.
/// </summary>
internal static unsafe class SystemMemory
{
    private const ushort Wide = (ushort)(GuestMode.Code64 | GuestMode.Stack32 | GuestMode.Flat);
    private const ushort Narrow = (ushort)(GuestMode.Code32 | GuestMode.Stack32 | GuestMode.Flat);

    /// <summary>Reads at most 8 bytes.</summary>
    public static bool TryRead(CpuState* s, ulong linear, int size, out ulong value)
    {
        var view = new View(s, ref linear, asUser: false);
        var done = GuestMemory.TryRead(s, linear, size, out value, AccessIntent.Supervisor);
        view.Leave(s);
        return done;
    }

    /// <summary>Reads any number of bytes, all or none.</summary>
    public static bool TryRead(CpuState* s, ulong linear, byte* to, int size)
    {
        var view = new View(s, ref linear, asUser: false);
        var done = GuestMemory.TryRead(s, linear, to, size, AccessIntent.Supervisor);
        view.Leave(s);
        return done;
    }

    /// <summary>Writes at most 8 bytes.</summary>
    public static bool TryWrite(CpuState* s, ulong linear, int size, ulong value) => TryWrite(s, linear, (byte*)&value, size);

    /// <summary>Writes any number of bytes, all or none.</summary>
    /// <param name="s">The state.</param>
    /// <param name="linear">Address.</param>
    /// <param name="from">The bytes.</param>
    /// <param name="size">How many.</param>
    /// <param name="asUser">Onto a stack of ring 3, with user privilege.</param>
    public static bool TryWrite(CpuState* s, ulong linear, byte* from, int size, bool asUser = false)
    {
        var view = new View(s, ref linear, asUser);
        var done = GuestMemory.TryWrite(s, linear, from, size, IntentOf(asUser));
        view.Leave(s);
        return done;
    }

    /// <summary>Says whether a write would succeed.</summary>
    public static bool CheckWrite(CpuState* s, ulong linear, int size, bool asUser = false)
    {
        var view = new View(s, ref linear, asUser);
        var done = GuestMemory.CheckWrite(s, linear, size, IntentOf(asUser));
        view.Leave(s);
        return done;
    }

    private static AccessIntent IntentOf(bool asUser) => asUser ? AccessIntent.Stack : AccessIntent.Stack | AccessIntent.Supervisor;

    // Mode and translations for the time of the access only: no code runs in it.
    private readonly struct View
    {
        private readonly nint _lookaside;
        private readonly ushort _mode;

        public View(CpuState* s, ref ulong linear, bool asUser)
        {
            _mode = s->Mode;
            _lookaside = s->Execution.Lookaside;
            s->Mode = (ushort)((s->IsLongMode ? Wide : Narrow) | (asUser ? (ushort)GuestMode.User : 0));
            if (!s->IsLongMode)
                linear = (uint)linear;
            if (s->Execution.Mmu != 0 && !asUser)
                Mmu.Of(s).SelectSystemView();
        }

        public void Leave(CpuState* s)
        {
            s->Mode = _mode;
            s->Execution.Lookaside = _lookaside;
        }
    }
}
