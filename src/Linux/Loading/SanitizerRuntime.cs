using System.Buffers;
using DynaTrans.Linux.Host;

namespace DynaTrans.Linux.Loading;

/// <summary>
/// Recognises programs whose run-time library lays out the whole address space itself, with shadow memory for the places where Linux puts
/// things: AddressSanitizer, ThreadSanitizer and their like. Such a program names the library's entry point among its dynamic symbols; or the
/// library is part of it, and starts itself before all others (DT_PREINIT_ARRAY), which hardly anything else does.
/// </summary>
internal static class SanitizerRuntime
{
    private const int MaxTable = 64 << 20;

    private static readonly byte[][] s_entryPoints =
        ["\0__asan_init\0"u8.ToArray(), "\0__tsan_init\0"u8.ToArray(), "\0__msan_init\0"u8.ToArray(), "\0__hwasan_init\0"u8.ToArray()];

    /// <summary>True when a program is built with such a library.</summary>
    public static bool IsUsedBy(ElfFile elf)
    {
        var (offset, size) = elf.ReadDynamic(out var startsBeforeLibraries);
        if (startsBeforeLibraries)
            return true;
        if (size is 0 or > MaxTable)
            return false;
        var names = ArrayPool<byte>.Shared.Rent((int)size);
        try
        {
            var table = names.AsSpan(0, (int)size);
            if (HostCalls.ReadAt(elf.File.HostFd, table, offset) != table.Length)
                return false;
            foreach (var name in s_entryPoints)
                if (table.IndexOf(name) >= 0)
                    return true;
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(names);
        }
    }
}
