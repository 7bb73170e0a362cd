using DynaTrans.Frontend.Ir;
using DynaTrans.Linux.Processes;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Syscalls;

/// <summary>Segment bases: TLS of both architectures.</summary>
internal static unsafe class SegmentSyscalls
{
    private const int SetGs = 0x1001, SetFs = 0x1002, GetFs = 0x1003, GetGs = 0x1004;

    public static void Register(SyscallTable table)
    {
        table.Add("arch_prctl", &ArchPrctl, "xp", i386: 384, x64: 158);
        table.Add("set_thread_area", &SetArea, "p", i386: 243);
        table.Add("get_thread_area", &GetArea, "p", i386: 244);
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
        var s = thread.State;
        var index = d.Entry - CpuState.FirstTlsEntry;
        if (d.Entry == -1 && allocate)
        {
            for (index = 0; index < CpuState.TlsEntryCount && s->TlsDescriptors[index] != 0; index++)
            {
            }

            if (index == CpuState.TlsEntryCount)
                return -Errno.ESRCH;
            if (!memory.TryWrite(address, index + CpuState.FirstTlsEntry))
                return -Errno.EFAULT;
        }

        if (index is < 0 or >= CpuState.TlsEntryCount)
            return -Errno.EINVAL;
        if (!d.IsEmpty && !d.Is32Bit)
            return -Errno.EINVAL;
        s->TlsDescriptors[index] = d.IsEmpty ? 0 : d.Encode();

        // A segment register that names the entry sees its new base.
        for (var i = 0; i < 6; i++)
            if (i is 4 or 5 && CpuAccess.Segment(s, i)->Selector >> 3 == index + CpuState.FirstTlsEntry)
                SegmentHelpers.ReloadUser(s, i, CpuAccess.Segment(s, i)->Selector);
        return 0;
    }

    private static long ArchPrctl(in SyscallContext c)
    {
        var s = c.Thread.State;
        if (c.Process.Is32)
            return -Errno.EINVAL;
        switch (c.I0)
        {
            case SetFs or SetGs when c.A1 >= 1UL << 47:
                return -Errno.EPERM;
            case SetFs:
                s->Slots[Slot.FsBase] = c.A1;
                return 0;
            case SetGs:
                s->Slots[Slot.GsBase] = c.A1;
                return 0;
            case GetFs:
                return c.Memory.TryWrite(c.A1, s->Slots[Slot.FsBase]) ? 0 : -Errno.EFAULT;
            case GetGs:
                return c.Memory.TryWrite(c.A1, s->Slots[Slot.GsBase]) ? 0 : -Errno.EFAULT;
            default:
                return -Errno.EINVAL;
        }
    }

    private static long SetArea(in SyscallContext c) => SetThreadArea(c.Thread, c.A0, allocate: true);

    private static long GetArea(in SyscallContext c)
    {
        if (!c.Memory.TryRead(c.A0, out int entry))
            return -Errno.EFAULT;
        var index = entry - CpuState.FirstTlsEntry;
        if (index is < 0 or >= CpuState.TlsEntryCount)
            return -Errno.EINVAL;
        return c.Memory.TryWrite(c.A0, UserDescriptor.Decode(entry, c.Thread.State->TlsDescriptors[index])) ? 0 : -Errno.EFAULT;
    }

    // struct user_desc. Flags: seg_32bit, contents (2), read_exec_only, limit_in_pages, seg_not_present, useable.
    private readonly record struct UserDescriptor(int Entry, uint Base, uint Limit, uint Flags)
    {
        public bool Is32Bit => (Flags & 1) != 0;

        public bool IsEmpty => (Base == 0 && Limit == 0 && Flags is 0x28 or 0);

        public ulong Encode()
        {
            var contents = Flags >> 1 & 3;
            var readOnly = Flags >> 3 & 1;
            var type = (contents << 2) | ((readOnly ^ 1) << 1) | 1;
            var attributes = type | 0x10 | 0x60 | ((Flags >> 5 & 1 ^ 1) << 7) | ((Flags >> 6 & 1) << 12) | ((Flags & 1) << 14) | ((Flags >> 4 & 1) << 15);
            return (Limit & 0xFFFF) | ((ulong)(Base & 0xFFFFFF) << 16) | ((ulong)attributes << 40) | ((ulong)(Limit & 0xF0000) << 32)
                | ((ulong)(Base >> 24) << 56);
        }

        public static UserDescriptor Decode(int entry, ulong d)
        {
            if (d == 0)
                return new UserDescriptor(entry, 0, 0, 0x28);
            var a = (uint)(d >> 40);
            var flags = (a >> 14 & 1) | ((a >> 2 & 3) << 1) | ((a >> 1 & 1 ^ 1) << 3) | ((a >> 15 & 1) << 4) | ((a >> 7 & 1 ^ 1) << 5)
                | ((a >> 12 & 1) << 6);
            return new UserDescriptor(entry, SegmentHelpers.DescriptorBase(d), (uint)((d & 0xFFFF) | (d >> 32 & 0xF0000)), flags);
        }
    }
}
