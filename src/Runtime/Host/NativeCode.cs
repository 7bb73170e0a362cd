using System.Runtime.InteropServices;
using Iced.Intel;

namespace DynaTrans.Runtime.Host;

/// <summary>
/// Small pieces of host machine code for what .NET has no intrinsic for, assembled once and called through
/// <c>delegate* unmanaged[SuppressGCTransition]</c>. The memory is written first and then made executable, never both, and stays mapped
/// for the life of the process.
/// </summary>
public static unsafe partial class NativeCode
{
    private const int ProtRead = 1;
    private const int ProtWrite = 2;
    private const int ProtExec = 4;
    private const int MapPrivate = 2;
    private const int MapAnonymous = 0x20;
    private const int PageSize = 4096;

    /// <summary>True where host code can be made: Linux on x86-64.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>
    /// Assembles a routine that follows the System V AMD64 calling convention and returns its entry point.
    /// </summary>
    /// <param name="purpose">What it is for, named in the message when the host cannot run it.</param>
    /// <param name="emit">Appends the instructions.</param>
    /// <exception cref="PlatformNotSupportedException">The host is not Linux on x86-64, or denies executable memory.</exception>
    public static nint Assemble(string purpose, Action<Assembler> emit)
    {
        ArgumentNullException.ThrowIfNull(emit);
        var assembler = new Assembler(64);
        emit(assembler);
        using var bytes = new MemoryStream();
        // Routines are position independent: they address through their arguments only.
        assembler.Assemble(new StreamCodeWriter(bytes), 0);
        return Publish(purpose, bytes.ToArray());
    }

    /// <summary>
    /// Makes a routine from machine code: for those that every run needs, where starting an assembler would cost more than all else.
    /// </summary>
    /// <param name="purpose">What it is for, named in the message when the host cannot run it.</param>
    /// <param name="code">The routine, position independent.</param>
    /// <exception cref="PlatformNotSupportedException">The host is not Linux on x86-64, or denies executable memory.</exception>
    public static nint Publish(string purpose, ReadOnlySpan<byte> code)
    {
        if (!IsSupported)
            throw new PlatformNotSupportedException($"{purpose} needs a Linux host with an x86-64 processor.");
        var size = (nuint)(code.Length + PageSize - 1) / PageSize * PageSize;
        nint memory = Map(0, size, ProtRead | ProtWrite, MapPrivate | MapAnonymous, -1, 0);
        if (memory == -1)
            throw new PlatformNotSupportedException($"{purpose}: no memory for host code (errno {Marshal.GetLastSystemError()}).");
        code.CopyTo(new Span<byte>((void*)memory, code.Length));
        if (Protect(memory, size, ProtRead | ProtExec) != 0)
        {
            int error = Marshal.GetLastSystemError();
            Unmap(memory, size);
            throw new PlatformNotSupportedException($"{purpose}: the host denies executable memory (errno {error}).");
        }
        return memory;
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);
}
