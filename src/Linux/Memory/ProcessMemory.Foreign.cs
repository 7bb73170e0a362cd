using DynaTrans.Linux.Host;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Memory;

/// <summary>Access from outside the process's own code: /proc/N/mem, process_vm_readv, process_vm_writev.</summary>
public sealed unsafe partial class ProcessMemory
{
    private static readonly int s_self = (int)HostCalls.Call(HostSys.Getpid);

    /// <summary>One more user, unless the memory is given back already.</summary>
    public bool TryAddUser()
    {
        while (true)
        {
            var now = Volatile.Read(ref _users);
            if (now == 0)
                return false;
            if (Interlocked.CompareExchange(ref _users, now + 1, now) == now)
                return true;
        }
    }

    /// <summary>
    /// Copies to or from a buffer of the host, as a debugger does: a private page may be read and written whatever its protection, a shared
    /// one as it is. Translated code that is overwritten is dropped.
    /// </summary>
    /// <param name="address">Guest address.</param>
    /// <param name="buffer">Host address.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="write">True to write to guest memory.</param>
    /// <param name="force">False: the pages' protection counts (process_vm_readv).</param>
    /// <returns>Bytes up to the first that cannot be accessed; -EIO when there are none.</returns>
    public long Transfer(ulong address, byte* buffer, ulong length, bool write, bool force = true)
    {
        ulong done = 0;
        while (done < length)
        {
            var at = address + done;
            var piece = Math.Min(length - done, Page - (at % Page));
            long moved;

            // Held over both steps: no code is translated from the old bytes between them.
            lock (Space.Lock)
            {
                if (!MayTouch(at, write, force))
                    break;
                if (write)
                    Space.DropCode(at, piece);
                moved = Copy(at, buffer + done, piece, write);
            }

            if (moved <= 0)
                break;
            if (write)
                Space.PrepareWrite(at, (ulong)moved);
            done += (ulong)moved;
        }

        return done > 0 ? (long)done : -Errno.EIO;
    }

    private bool MayTouch(ulong at, bool write, bool force)
    {
        var page = Space.Query(at);
        if ((page & PagePermission.Mapped) == 0)
            return false;
        var wanted = write ? PagePermission.Write : PagePermission.Read;
        if ((page & wanted) != 0)
            return true;
        return force && FindArea(at) is not { IsShared: true };
    }

    // By the host's kernel: a page of a file that ends before it is an error there, and not a signal.
    private long Copy(ulong at, byte* buffer, ulong length, bool write)
    {
        var local = stackalloc ulong[2] { (ulong)buffer, length };
        var remote = stackalloc ulong[2] { (ulong)Space.HostAt(at), length };
        return HostCalls.Call(write ? HostSys.ProcessVmWritev : HostSys.ProcessVmReadv, s_self, (nint)local, 1, (nint)remote, 1);
    }
}
