namespace DynaTrans.Disks;

/// <summary>A disk image that cannot be opened, read or changed: missing, locked, malformed, refused, or an error of the host's disk. The message is one line for the user.</summary>
public sealed class DiskImageException : Exception
{
    /// <summary>Makes the exception; control characters in the message (names come from images) are replaced.</summary>
    public DiskImageException(string message)
        : base(string.Create(message.Length, message, static (to, from) =>
        {
            for (var i = 0; i < to.Length; i++)
                to[i] = char.IsControl(from[i]) || from[i] is '\u2028' or '\u2029' ? '?' : from[i];
        }))
    {
    }
}
