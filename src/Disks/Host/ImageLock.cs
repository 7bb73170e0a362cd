namespace DynaTrans.Disks.Host;

/// <summary>
/// Advisory locks on an image, in the scheme that QEMU's tools use, so that each refuses what the other has open for writing: a shared lock on byte
/// 100 + p says "I use permission p", one on byte 200 + p says "nobody else may use p" (qemu-img(1), "force-share"; QEMU's documentation of image locking).
/// They are open-file-description locks (fcntl(2), F_OFD_SETLK), which end with the descriptor, and so with the process.
/// </summary>
internal static class ImageLock
{
    private const int UsedBase = 100, UnsharedBase = 200;
    private const int ConsistentRead = 0, Write = 1, Resize = 3;

    /// <summary>Takes the locks of a reader or of a writer.</summary>
    /// <returns>False when somebody has the image open in a way that excludes this one.</returns>
    public static bool TryTake(int descriptor, bool writes)
    {
        ReadOnlySpan<int> used = writes ? [ConsistentRead, Write, Resize] : [ConsistentRead];
        ReadOnlySpan<int> unshared = [Write, Resize];

        // All are set before any is tested: of two that come at the same time at least one sees the other.
        foreach (var permission in used)
        {
            if (!Set(descriptor, UsedBase + permission))
                return false;
        }

        foreach (var permission in unshared)
        {
            if (!Set(descriptor, UnsharedBase + permission))
                return false;
        }

        foreach (var permission in used)
        {
            if (IsTaken(descriptor, UnsharedBase + permission))
                return false;
        }

        foreach (var permission in unshared)
        {
            if (IsTaken(descriptor, UsedBase + permission))
                return false;
        }

        return true;
    }

    private static bool Set(int descriptor, int position)
    {
        var request = new NativeMethods.FileLock { Type = NativeMethods.SharedLock, Start = position, Length = 1 };

        // A file system without locks does not keep an image from being used.
        return NativeMethods.Control(descriptor, NativeMethods.SetLock, ref request) == 0
            || System.Runtime.InteropServices.Marshal.GetLastPInvokeError() is not (NativeMethods.Again or NativeMethods.AccessDenied);
    }

    private static bool IsTaken(int descriptor, int position)
    {
        var request = new NativeMethods.FileLock { Type = NativeMethods.ExclusiveLock, Start = position, Length = 1 };
        return NativeMethods.Control(descriptor, NativeMethods.GetLock, ref request) == 0 && request.Type != NativeMethods.Unlocked;
    }
}
