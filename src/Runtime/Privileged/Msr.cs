namespace DynaTrans.Runtime.Privileged;

/// <summary>Numbers of model-specific registers (SDM Vol. 4, chapter 2).</summary>
internal static class Msr
{
    public const uint TimeStampCounter = 0x10;
    public const uint PlatformId = 0x17;
    public const uint ApicBase = 0x1B;
    public const uint TimeStampAdjust = 0x3B;
    public const uint MicrocodeUpdate = 0x79;
    public const uint MicrocodeRevision = 0x8B;
    public const uint MtrrCapabilities = 0xFE;
    public const uint SysenterCs = 0x174;
    public const uint SysenterEsp = 0x175;
    public const uint SysenterEip = 0x176;
    public const uint MachineCheckCapabilities = 0x179;
    public const uint MachineCheckStatus = 0x17A;
    public const uint MiscEnable = 0x1A0;
    public const uint MtrrVariable = 0x200;
    public const uint MtrrFixed64K = 0x250;
    public const uint MtrrFixed16K = 0x258;
    public const uint MtrrFixed4K = 0x268;
    public const uint Pat = 0x277;
    public const uint MtrrDefaultType = 0x2FF;
    public const uint TimeStampDeadline = 0x6E0;
    public const uint Efer = 0xC0000080;
    public const uint Star = 0xC0000081;
    public const uint LongStar = 0xC0000082;
    public const uint CompatibilityStar = 0xC0000083;
    public const uint SyscallMask = 0xC0000084;
    public const uint FsBase = 0xC0000100;
    public const uint GsBase = 0xC0000101;
    public const uint KernelGsBase = 0xC0000102;
    public const uint TimeStampAux = 0xC0000103;
}
