using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.Host;

/// <summary>
/// Gives memory that nobody uses back to the host. Emitting and compiling code takes much for a short time, from the managed heap and, in the
/// just-in-time compiler, from the C library's; both keep what was freed for the next time.
/// </summary>
public static partial class HostHeaps
{
    // A collection holds up the guest: garbage of fewer bytes is left alone.
    private const long WorthCollecting = 32 << 20;

    private static readonly Lock s_gate = new();
    private static long s_allocated;
    private static bool s_cannotTrim;

    /// <summary>Gives back what is free, if much was allocated since the last time.</summary>
    public static void Trim()
    {
        lock (s_gate)
        {
            var allocated = GC.GetTotalAllocatedBytes();
            if (allocated - s_allocated < WorthCollecting)
                return;
            s_allocated = allocated;
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive);
            TrimNative();
        }
    }

    // Of glibc; other C libraries keep little.
    private static void TrimNative()
    {
        if (s_cannotTrim)
            return;
        try
        {
            _ = MallocTrim(0);
        }
        catch (EntryPointNotFoundException)
        {
            s_cannotTrim = true;
        }
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int MallocTrim(nuint pad);
}
