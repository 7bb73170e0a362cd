namespace DynaTrans.Linux.Loading;

/// <summary>What an address space was made for: one object for each execve, which copies of the address space by fork share.</summary>
/// <param name="hostFd">The program's file in the host, open while the first translator is made.</param>
/// <param name="is32">An i386 program.</param>
/// <param name="layout">How it is laid out.</param>
public sealed class GuestProgram(int hostFd, bool is32, AddressLayout layout)
{
    /// <summary>The program's file in the host. Open only while the first translator for the program is made.</summary>
    public int HostFd { get; } = hostFd;

    /// <summary>An i386 program.</summary>
    public bool Is32 { get; } = is32;

    /// <summary>How it is laid out.</summary>
    public AddressLayout Layout { get; } = layout;

    /// <summary>What the factory of translators keeps for the program.</summary>
    public object? Translations { get; set; }
}
