namespace DynaTrans.Linux.Syscalls;

/// <summary>Lists the families of system calls. One line a family.</summary>
internal static class SyscallFamilies
{
    public static void Register(SyscallTable table)
    {
        FileSyscalls.Register(table);
        ForeignMemory.Register(table);
        CommunicationSyscalls.Register(table);
        MemorySyscalls.Register(table);
        CloneSyscalls.Register(table);
        SegmentSyscalls.Register(table);
        SignalSyscalls.Register(table);
        WaitSyscalls.Register(table);
        PidfdSyscalls.Register(table);
        PtraceSyscall.Register(table);
        FutexSyscalls.Register(table);
        FutexVectorSyscall.Register(table);
        TimeSyscalls.Register(table);
        ClockAdjustment.Register(table);
        TimerSyscalls.Register(table);
        IdentitySyscalls.Register(table);
        NarrowIdentitySyscalls.Register(table);
        ProcessSyscalls.Register(table);
        PrctlSyscall.Register(table);
        KcmpSyscall.Register(table);
        SchedulingSyscalls.Register(table);
        PrioritySyscalls.Register(table);
        SystemSyscalls.Register(table);
        IpcSyscalls.Register(table);
        PosixQueues.Register(table);
    }
}
