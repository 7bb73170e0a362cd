namespace DynaTrans.Linux.Signals;

/// <summary>An alternate signal stack (sigaltstack(2)).</summary>
/// <param name="Address">Lowest address.</param>
/// <param name="Size">Bytes; 0: there is none.</param>
/// <param name="Flags">The flags that it was set with: a mode, which nothing goes by, and SS_AUTODISARM.</param>
internal readonly record struct AlternateStack(ulong Address, ulong Size, uint Flags)
{
    public const uint OnStack = 1, Disable = 2, AutoDisarm = 0x8000_0000;

    /// <summary>MINSIGSTKSZ.</summary>
    public static ulong MinimalSize => 2048;

    public static AlternateStack None => default;

    /// <summary>What a handler on a stack with SS_AUTODISARM finds.</summary>
    public static AlternateStack Disarmed => new(0, 0, Disable);

    /// <summary>True when a stack pointer is in it.</summary>
    public bool Holds(ulong sp) => sp > Address && sp - Address <= Size;

    /// <summary>True when code with this stack pointer counts as running on it. With SS_AUTODISARM none does.</summary>
    public bool IsInUse(ulong sp) => (Flags & AutoDisarm) == 0 && Holds(sp);

    /// <summary>The flags as sigaltstack reports them.</summary>
    public uint Report(ulong sp) => (Flags & AutoDisarm) | (Size == 0 ? Disable : IsInUse(sp) ? OnStack : 0);

    /// <summary>Changes the stack of a thread whose stack pointer is <paramref name="sp"/>. 0 or a negative error number.</summary>
    public static int TryChange(ref AlternateStack stack, AlternateStack to, ulong sp)
    {
        if (stack.IsInUse(sp))
            return -Errno.EPERM;
        switch (to.Flags & ~AutoDisarm)
        {
            case Disable:
                stack = new AlternateStack(0, 0, to.Flags);
                return 0;
            case 0 or OnStack when stack == to:
                return 0;
            case 0 or OnStack when to.Size < MinimalSize:
                return -Errno.ENOMEM;
            case 0 or OnStack:
                stack = to;
                return 0;
            default:
                return -Errno.EINVAL;
        }
    }
}
