namespace DynaTrans.Linux.Signals;

/// <summary>SA_* flags of a signal action, the same for both interfaces.</summary>
public static class SignalFlags
{
    /// <summary>SA_NOCLDSTOP.</summary>
    public const uint NoChildStop = 1;

    /// <summary>SA_NOCLDWAIT.</summary>
    public const uint NoChildWait = 2;

    /// <summary>SA_SIGINFO.</summary>
    public const uint Info = 4;

    /// <summary>SA_RESTORER.</summary>
    public const uint Restorer = 0x0400_0000;

    /// <summary>SA_ONSTACK.</summary>
    public const uint OnStack = 0x0800_0000;

    /// <summary>SA_RESTART.</summary>
    public const uint Restart = 0x1000_0000;

    /// <summary>SA_NODEFER.</summary>
    public const uint NoDefer = 0x4000_0000;

    /// <summary>SA_RESETHAND.</summary>
    public const uint ResetHandler = 0x8000_0000;

    /// <summary>SA_EXPOSE_TAGBITS; without a meaning on x86.</summary>
    public const uint ExposeTagBits = 0x800;

    /// <summary>The flags that are kept; others read back as 0 (SA_UNSUPPORTED is how a program finds out).</summary>
    public const uint Known = NoChildStop | NoChildWait | Info | ExposeTagBits | Restorer | OnStack | Restart | NoDefer | ResetHandler;
}
