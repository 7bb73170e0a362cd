using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.Memory;

/// <summary>
/// What executors need of a window, in the table that <see cref="AddressSpace.Windows"/> points to. The entry of a part of the address
/// space that has no window leads to permission bytes that are all zero: an access finds no permission there and takes the slow path.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct WindowEntry
{
    /// <summary>Added to a guest address gives the host address.</summary>
    public nint Host;

    /// <summary>Added to a page number (guest address / page size) gives the address of the page's permission byte.</summary>
    public nint Permissions;
}
