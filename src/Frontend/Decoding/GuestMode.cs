namespace DynaTrans.Frontend.Decoding;

/// <summary>What decoding and lifting depend on besides the bytes. Part of a translation's key.</summary>
[Flags]
public enum GuestMode : ushort
{
    /// <summary>16-bit code segment.</summary>
    Code16 = 0,

    /// <summary>32-bit code segment.</summary>
    Code32 = 1,

    /// <summary>64-bit code segment.</summary>
    Code64 = 2,

    /// <summary>Mask of the code size.</summary>
    CodeMask = 3,

    /// <summary>The stack segment is 32 bits wide (ESP); implied by <see cref="Code64"/>.</summary>
    Stack32 = 4,

    /// <summary>
    /// ES, CS, SS and DS have base 0 and limit 4 GiB, and data can be read and written in them; FS and GS have any base. Always in 64-bit mode.
    /// </summary>
    Flat = 8,

    /// <summary>Real-address mode, and with <see cref="User"/> virtual-8086 mode: segment base = selector * 16, limit 64 KiB.</summary>
    Real = 16,

    /// <summary>Code runs at ring 3 and may not use privileged instructions; else ring 0.</summary>
    User = 32,

    /// <summary>MXCSR has an exception unmasked: each SSE floating-point instruction checks for #XM.</summary>
    SseUnmasked = 64,

    /// <summary>EFLAGS.AC is set at ring 3 with CR0.AM: data accesses check alignment. Lifted like the mode without it, and interpreted.</summary>
    AlignmentChecked = 128,

    /// <summary>FS has a limit below 4 GiB or cannot be read and written (a null selector, say): accesses are checked. Not in 64-bit mode.</summary>
    CheckedFs = 256,

    /// <summary>The same of GS.</summary>
    CheckedGs = 512,

    /// <summary>CR0.TS or CR0.EM is set: x87 instructions raise #NM, and MMX and SSE instructions #NM (TS) or #UD (<see cref="NoSse"/>).</summary>
    NoFpu = 1024,

    /// <summary>
    /// CR4.OSFXSR is clear or CR0.EM set: SSE instructions raise #UD. No part of the key: it changes once in a boot, and code without such instructions
    /// stays valid then.
    /// </summary>
    NoSse = 2048,

    /// <summary>Ring 1 or 2: a supervisor to paging, but privileged instructions raise #GP.</summary>
    Unprivileged = 4096,

    /// <summary>
    /// Code of a system with descriptor tables of its own: system instructions do what the CPU does. Else the host provides the system, and they
    /// leave to it or raise what user code of it would see.
    /// </summary>
    System = 8192,

    /// <summary>A 32-bit Linux program's mode.</summary>
    Linux32 = Code32 | Stack32 | Flat | User,

    /// <summary>A 64-bit Linux program's mode.</summary>
    Linux64 = Code64 | Stack32 | Flat | User,
}

/// <summary>Questions about a <see cref="GuestMode"/>.</summary>
public static class GuestModeExtensions
{
    /// <summary>16, 32 or 64.</summary>
    public static int Bitness(this GuestMode mode) => 16 << (int)(mode & GuestMode.CodeMask);

    /// <summary>True in 64-bit code.</summary>
    public static bool Is64(this GuestMode mode) => (mode & GuestMode.CodeMask) == GuestMode.Code64;

    /// <summary>True at ring 3.</summary>
    public static bool IsUser(this GuestMode mode) => (mode & GuestMode.User) != 0;

    /// <summary>True at ring 0 and in real mode, where privileged instructions are allowed.</summary>
    public static bool IsPrivileged(this GuestMode mode) => (mode & (GuestMode.User | GuestMode.Unprivileged)) == 0;

    /// <summary>True in virtual-8086 mode.</summary>
    public static bool IsVirtual8086(this GuestMode mode) => (mode & (GuestMode.User | GuestMode.Real)) == (GuestMode.User | GuestMode.Real);

    /// <summary>True when code belongs to a system with tables of its own (<see cref="GuestMode.System"/>).</summary>
    public static bool IsSystem(this GuestMode mode) => (mode & GuestMode.System) != 0;

    /// <summary>Size of a stack pointer in bytes: 2, 4 or 8.</summary>
    public static int StackBytes(this GuestMode mode) => mode.Is64() ? 8 : (mode & GuestMode.Stack32) != 0 ? 4 : 2;
}
