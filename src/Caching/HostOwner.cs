using System.Runtime.InteropServices;

namespace DynaTrans.Caching;

/// <summary>Who owns a file of the host, and who may do what with it (stat(2), the layout of x86-64 Linux).</summary>
internal static unsafe partial class HostOwner
{
    private const int TypeMask = 0xF000, Directory = 0x4000, Regular = 0x8000, PermissionMask = 0xFFF;

    // struct stat has 144 bytes; st_mode lies at 24, st_uid at 28.
    private const int StatSize = 144, ModeOffset = 24, UserOffset = 28;

    /// <summary>The effective user.</summary>
    public static uint EffectiveUser => GetEffectiveUser();

    /// <summary>Why a directory cannot be trusted with code that is executed; null when it can.</summary>
    public static string? ProblemOfDirectory(string path) => ProblemOf(path, Directory, "a directory", 0x1C0);

    /// <summary>Why a file cannot be trusted; null when it can.</summary>
    public static string? ProblemOfFile(string path) => ProblemOf(path, Regular, "a file", 0x180);

    // The path itself must be it: a symbolic link is not followed.
    private static string? ProblemOf(string path, int type, string what, int mode)
    {
        var status = stackalloc byte[StatSize];
        if (LinkStatus(path, status) != 0)
            return "cannot be looked at";
        var (found, user) = (*(int*)(status + ModeOffset), *(uint*)(status + UserOffset));
        if ((found & TypeMask) != type)
            return $"is not {what}";
        if (user != EffectiveUser)
            return "belongs to another user";
        return (found & PermissionMask) == mode ? null : $"has mode {Octal(found & PermissionMask)}, not {Octal(mode)}";
    }

    private static string Octal(int mode) => Convert.ToString(mode, 8).PadLeft(4, '0');

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();

    [LibraryImport("libc", EntryPoint = "lstat", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkStatus(string path, byte* status);
}
