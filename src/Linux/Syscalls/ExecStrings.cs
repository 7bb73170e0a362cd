using DynaTrans.Linux.Processes;

namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// The arguments and environment of execve, with the kernel's limits: they are counted while they are read, so that a guest cannot make the
/// host hold more than a program may be given.
/// </summary>
internal static class ExecStrings
{
    /// <summary>Most bytes of one string, its terminating zero included (MAX_ARG_STRLEN: 32 pages).</summary>
    public const int MaxString = 32 * 4096;

    private const ulong MostOfAll = 6 << 20, LeastOfAll = MaxString;

    /// <summary>Reads both arrays; a null pointer is an empty array.</summary>
    /// <param name="c">The call.</param>
    /// <param name="path">The path of the program, which is on the new stack too.</param>
    /// <param name="argv">Guest address of the array of arguments.</param>
    /// <param name="envp">Guest address of the array of variables.</param>
    /// <param name="arguments">At least one: no arguments are one empty string.</param>
    /// <param name="environment">The variables.</param>
    /// <returns>0, -EFAULT or -E2BIG.</returns>
    public static int Read(in SyscallContext c, string path, ulong argv, ulong envp, out List<string> arguments, out List<string> environment)
    {
        arguments = [];
        environment = [];

        // Strings and pointers together: a quarter of the stack's limit, within bounds (bprm_stack_limits).
        var room = Math.Max(Math.Min(c.Process.Limits[ResourceLimits.Stack].Soft / 4, MostOfAll), LeastOfAll);
        var pointers = Count(c, argv, room);
        var variables = pointers < 0 ? pointers : Count(c, envp, room);
        if (variables < 0)
            return variables;
        var size = ((ulong)Math.Max(pointers, 1) + (ulong)variables) * 8;
        if (size >= room || (ulong)path.Length + 1 > room - size)
            return -Errno.E2BIG;
        room -= size + (ulong)path.Length + 1;

        // The kernel copies the environment first.
        var error = Read(c, envp, variables, ref room, environment);
        if (error == 0)
            error = Read(c, argv, pointers, ref room, arguments);
        if (error == 0 && arguments.Count == 0)
            arguments.Add(string.Empty);
        return error;
    }

    // The pointers before the null pointer, or a negative error number. More than there is room for need not be counted.
    private static int Count(in SyscallContext c, ulong array, ulong room)
    {
        if (array == 0)
            return 0;
        for (var i = 0; ; i++)
        {
            if (!c.TryReadLong(array + ((ulong)i * (uint)c.LongSize), out var pointer))
                return -Errno.EFAULT;
            if (pointer == 0)
                return i;
            if ((ulong)i * 8 > room)
                return -Errno.E2BIG;
        }
    }

    private static int Read(in SyscallContext c, ulong array, int count, ref ulong room, List<string> strings)
    {
        for (var i = 0; i < count; i++)
        {
            if (!c.TryReadLong(array + ((ulong)i * (uint)c.LongSize), out var pointer))
                return -Errno.EFAULT;
            var error = c.Memory.TryReadString(pointer, out var text, (int)Math.Min(MaxString, room));
            if (error < 0)
                return error == -Errno.ENAMETOOLONG ? -Errno.E2BIG : error;
            room -= (ulong)text.Length + 1;
            strings.Add(text);
        }

        return 0;
    }
}
