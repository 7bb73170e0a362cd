namespace DynaTrans.IlBackend.Emission;

/// <summary>How translated code finds guest memory in the host.</summary>
public enum AccessForm : byte
{
    /// <summary>One host reservation with a permission byte a page: for address spaces that are dense, or seldom change.</summary>
    Window,

    /// <summary>
    /// The vCPU's <see cref="Runtime.Memory.TranslationLookaside"/>: any page may be anywhere in the host, and all may change at any time.
    /// </summary>
    Lookaside,
}
