namespace DynaTrans.Runtime.State;

/// <summary>Bits of CR0 (SDM Vol. 3, 2.5).</summary>
public static class Cr0
{
    /// <summary>Protected mode.</summary>
    public const ulong ProtectionEnable = 1;

    /// <summary>wait raises #NM when <see cref="TaskSwitched"/> is set.</summary>
    public const ulong MonitorCoprocessor = 1 << 1;

    /// <summary>There is no x87: its instructions raise #NM.</summary>
    public const ulong Emulation = 1 << 2;

    /// <summary>x87, MMX and SSE instructions raise #NM.</summary>
    public const ulong TaskSwitched = 1 << 3;

    /// <summary>Always set.</summary>
    public const ulong ExtensionType = 1 << 4;

    /// <summary>x87 errors raise #MF; else they are signalled by the FERR# pin.</summary>
    public const ulong NumericError = 1 << 5;

    /// <summary>Supervisors respect read-only pages.</summary>
    public const ulong WriteProtect = 1 << 16;

    /// <summary>EFLAGS.AC makes user code check alignment.</summary>
    public const ulong AlignmentMask = 1 << 18;

    /// <summary>Caches do not write through.</summary>
    public const ulong NotWriteThrough = 1 << 29;

    /// <summary>Caches are not filled.</summary>
    public const ulong CacheDisable = 1 << 30;

    /// <summary>Paging.</summary>
    public const ulong Paging = 1UL << 31;

    /// <summary>All bits that can be changed.</summary>
    public const ulong Writable = ProtectionEnable | MonitorCoprocessor | Emulation | TaskSwitched | NumericError | WriteProtect | AlignmentMask
        | NotWriteThrough | CacheDisable | Paging;
}

/// <summary>Bits of CR4 (SDM Vol. 3, 2.5).</summary>
public static class Cr4
{
    /// <summary>rdtsc at ring 0 only.</summary>
    public const ulong TimeStampDisable = 1 << 2;

    /// <summary>DR4 and DR5 raise #UD instead of being DR6 and DR7; breakpoints on ports.</summary>
    public const ulong DebuggingExtensions = 1 << 3;

    /// <summary>4 MiB pages.</summary>
    public const ulong PageSizeExtensions = 1 << 4;

    /// <summary>Page-table entries of 8 bytes.</summary>
    public const ulong PhysicalAddressExtension = 1 << 5;

    /// <summary>Machine checks.</summary>
    public const ulong MachineCheckEnable = 1 << 6;

    /// <summary>Global pages.</summary>
    public const ulong PageGlobalEnable = 1 << 7;

    /// <summary>rdpmc at all rings.</summary>
    public const ulong PerformanceCounterEnable = 1 << 8;

    /// <summary>The system saves SSE state: SSE instructions are allowed.</summary>
    public const ulong OsFxsr = 1 << 9;

    /// <summary>The system handles #XM; else unmasked SSE exceptions raise #UD.</summary>
    public const ulong OsXmmExceptions = 1 << 10;

    /// <summary>sgdt, sidt, sldt, smsw and str at ring 0 only.</summary>
    public const ulong UserInstructionPrevention = 1 << 11;

    /// <summary>rdfsbase and its like are allowed.</summary>
    public const ulong FsGsBase = 1 << 16;

    /// <summary>Supervisors do not execute pages of the user.</summary>
    public const ulong SupervisorExecutionPrevention = 1 << 20;

    /// <summary>Supervisors do not access pages of the user unless EFLAGS.AC is set.</summary>
    public const ulong SupervisorAccessPrevention = 1 << 21;
}

/// <summary>Bits of IA32_EFER (SDM Vol. 3, 2.2.1).</summary>
public static class Efer
{
    /// <summary>syscall and sysret are allowed.</summary>
    public const ulong SyscallEnable = 1;

    /// <summary>Paging turns long mode on.</summary>
    public const ulong LongModeEnable = 1 << 8;

    /// <summary>Long mode is on.</summary>
    public const ulong LongModeActive = 1 << 10;

    /// <summary>Pages can forbid execution.</summary>
    public const ulong NoExecuteEnable = 1 << 11;
}
