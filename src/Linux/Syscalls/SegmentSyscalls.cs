using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Processes;
using DynaTrans.Runtime.Segmentation;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Segment bases and descriptors: arch_prctl, set_thread_area, modify_ldt (Linux arch/x86/kernel/tls.c, ldt.c).</summary>
internal static unsafe class SegmentSyscalls
{
    private const int SetGs = 0x1001, SetFs = 0x1002, GetFs = 0x1003, GetGs = 0x1004;
    private const int Fs = 4, Gs = 5;

    public static void Register(SyscallTable table)
    {
        table.Add("arch_prctl", &ArchPrctl, "xp", i386: 384, x64: 158);
        table.Add("set_thread_area", &SetArea, "p", i386: 243);
        table.Add("get_thread_area", &GetArea, "p", i386: 244);
        table.Add("modify_ldt", &ModifyLdt, "dpu", i386: 123, x64: 154);
    }

    /// <summary>
    /// Enters a TLS descriptor (struct user_desc at a guest address) into a thread's table.
    /// </summary>
    /// <param name="thread">The thread; memory is that of its process.</param>
    /// <param name="address">Guest address of the user_desc.</param>
    /// <param name="allocate">True when an entry number of -1 asks for a free one, which is written back.</param>
    public static long SetThreadArea(GuestThread thread, ulong address, bool allocate)
    {
        var memory = thread.Process.Memory.User;
        if (!memory.TryRead(address, out UserDescriptor d))
            return -Errno.EFAULT;
        var empties = d.IsEmpty || d.IsZero;
        if (!empties && (!d.Is32Bit || d.Contents > 1 || d.IsNotPresent))
            return -Errno.EINVAL;
        var s = thread.State;
        var entries = ThreadDescriptors.OfThread(s);
        var index = d.Entry - ThreadDescriptors.FirstThreadEntry;
        if (d.Entry == -1 && allocate)
        {
            index = entries.IndexOf(0UL);
            if (index < 0)
                return -Errno.ESRCH;
            if (!memory.TryWrite(address, index + ThreadDescriptors.FirstThreadEntry))
                return -Errno.EFAULT;
        }

        if (index is < 0 or >= ThreadDescriptors.ThreadEntries)
            return -Errno.EINVAL;
        entries[index] = empties ? 0 : d.Encode();

        // A segment register that names the entry sees what is in it now.
        var selector = ((index + ThreadDescriptors.FirstThreadEntry) << 3) | 3;
        foreach (var i in (ReadOnlySpan<int>)[0, 3, Fs, Gs])
            if (CpuAccess.Segment(s, i)->Selector == selector)
                SegmentLoads.ReloadUser(s, i, (ushort)selector);
        return 0;
    }

    private static long ArchPrctl(in SyscallContext c)
    {
        var s = c.Thread.State;
        if (c.Is32)
            return -Errno.EINVAL;
        switch (c.I0)
        {
            case SetFs or SetGs when c.A1 >= 1UL << 47:
                return -Errno.EPERM;
            case SetFs:
                SetBase(s, Fs, c.A1);
                return 0;
            case SetGs:
                SetBase(s, Gs, c.A1);
                return 0;
            case GetFs:
                return c.Memory.TryWrite(c.A1, s->Slots[Slot.FsBase]) ? 0 : -Errno.EFAULT;
            case GetGs:
                return c.Memory.TryWrite(c.A1, s->Slots[Slot.GsBase]) ? 0 : -Errno.EFAULT;
            default:
                return -Errno.EINVAL;
        }
    }

    // The selector becomes null.
    private static void SetBase(CpuState* s, int index, ulong value)
    {
        SegmentLoads.ReloadUser(s, index, 0);
        s->Slots[Slot.EsBase + index] = value;
    }

    private static long SetArea(in SyscallContext c) => SetThreadArea(c.Thread, c.A0, allocate: true);

    private static long GetArea(in SyscallContext c)
    {
        if (!c.Memory.TryRead(c.A0, out int entry))
            return -Errno.EFAULT;
        var index = entry - ThreadDescriptors.FirstThreadEntry;
        if (index is < 0 or >= ThreadDescriptors.ThreadEntries)
            return -Errno.EINVAL;
        return c.Memory.TryWrite(c.A0, UserDescriptor.Decode(entry, ThreadDescriptors.OfThread(c.Thread.State)[index])) ? 0 : -Errno.EFAULT;
    }

    // The result is an int and is not sign-extended, whatever the interface.
    private static long ModifyLdt(in SyscallContext c) => (uint)(c.I0 switch
    {
        0 => ReadLdt(c, c.A1, c.A2),
        1 => WriteLdt(c, c.A1, c.A2, oldMode: true),
        2 => ReadDefaultLdt(c, c.A1, c.A2),
        0x11 => WriteLdt(c, c.A1, c.A2, oldMode: false),
        _ => -Errno.ENOSYS,
    });

    // What is behind the table's end reads as zeros.
    private static long ReadLdt(in SyscallContext c, ulong address, ulong length)
    {
        const int TableSize = DescriptorTable.MaxEntries * sizeof(ulong);
        var table = c.Process.Memory.LocalDescriptors;
        if (table.Count == 0)
            return 0;
        var bytes = new byte[Math.Min(length, TableSize)];
        table.Read(bytes);
        return c.Memory.TryWrite(address, bytes) ? bytes.Length : -Errno.EFAULT;
    }

    private static long ReadDefaultLdt(in SyscallContext c, ulong address, ulong length)
    {
        const int DefaultSize = 128;
        var bytes = new byte[Math.Min(length, DefaultSize)];
        return c.Memory.TryWrite(address, bytes) ? bytes.Length : -Errno.EFAULT;
    }

    private static long WriteLdt(in SyscallContext c, ulong address, ulong length, bool oldMode)
    {
        const uint Useable = 0x40;
        if (length != (ulong)sizeof(UserDescriptor))
            return -Errno.EINVAL;
        if (!c.Memory.TryRead(address, out UserDescriptor d))
            return -Errno.EFAULT;
        if ((uint)d.Entry >= DescriptorTable.MaxEntries || (d.Contents == 3 && (oldMode || !d.IsNotPresent)))
            return -Errno.EINVAL;
        var descriptor = d.IsEmpty || (oldMode && d.Base == 0 && d.Limit == 0)
            ? 0
            : (oldMode ? d with { Flags = d.Flags & ~Useable } : d).Encode();
        c.Process.Memory.LocalDescriptors.Write(d.Entry, descriptor);
        c.Thread.LocalDescriptorsChanged();
        return 0;
    }
}
