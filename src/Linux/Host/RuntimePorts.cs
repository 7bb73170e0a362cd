namespace DynaTrans.Linux.Host;

/// <summary>
/// The ways by which the .NET runtime lets other processes of the user attach to this one: the diagnostic socket (who connects may load a
/// library into the process) and the debugger's pipes. Guests run in this process and under the same user, so these must be out of their
/// reach before the first guest instruction. A setting in <c>runtimeconfig.json</c> does not exist (only DOTNET_EnableDiagnostics in the
/// environment), so the names are taken away: what listens has no name any more, and nothing can connect to it.
/// </summary>
public static unsafe class RuntimePorts
{
    private const string Ports = "DiagnosticPorts", PassedPorts = "DYNATRANS_DIAGNOSTIC_PORTS", Disabled = "DOTNET_EnableDiagnostics=0";
    private static readonly string[] s_prefixes = ["DOTNET_", "COMPlus_"];

    /// <summary>
    /// True when the environment makes the runtime open further ports (DOTNET_DiagnosticPorts): it connects to them again and again, so
    /// whoever makes a socket of that name gets the process. <see cref="Restart"/> helps.
    /// </summary>
    public static bool HasFurtherPorts
    {
        get
        {
            foreach (var prefix in s_prefixes)
                if (Environment.GetEnvironmentVariable(prefix + Ports) is { Length: > 0 } && !IsDisabled())
                    return true;
            return false;
        }
    }

    /// <summary>
    /// Removes the names of the diagnostic socket and of the debugger's pipes of this process; idempotent. Connections that exist already
    /// stay (<c>dynatrans dump</c> listens to the compiler by one).
    /// </summary>
    /// <exception cref="PlatformNotSupportedException">One of them cannot be removed.</exception>
    public static void Close()
    {
        if (HasFurtherPorts)
            throw new PlatformNotSupportedException($"DOTNET_{Ports} opens this process to its guests; unset it");
        RemoveNames();
    }

    /// <summary>
    /// Executes this process's program again with diagnostics switched off; the guest still gets the environment as it was
    /// (<see cref="Original"/>). Returns only when that fails, with a negative error number.
    /// </summary>
    public static long Restart()
    {
        RemoveNames();
        if (HostCalls.ReadText("/proc/self/cmdline") is not { } arguments || HostCalls.ReadText("/proc/self/environ") is not { } environment)
            return -Errno.ENOENT;
        var variables = new List<string>();
        foreach (var variable in environment.Split('\0', StringSplitOptions.RemoveEmptyEntries))
            variables.Add(IsOurs(variable) ? $"{PassedPorts}_{variables.Count}={variable}" : variable);
        variables.Add(Disabled);
        var argv = Pointers(arguments.EndsWith('\0') ? arguments[..^1].Split('\0') : arguments.Split('\0'));
        var envp = Pointers(variables);
        fixed (byte* path = HostCalls.Path("/proc/self/exe"))
        fixed (nint* a = argv, e = envp)
            return HostCalls.Call(HostSys.Execve, (nint)path, (nint)a, (nint)e);
    }

    /// <summary>
    /// A variable of the environment (NAME=VALUE) as it was before <see cref="Restart"/>; null when it was not there.
    /// </summary>
    public static string? Original(string variable)
    {
        if (variable.StartsWith(PassedPorts + "_", StringComparison.Ordinal))
            return variable[(variable.IndexOf('=', StringComparison.Ordinal) + 1)..];
        return variable == Disabled && WasRestarted ? null : variable;
    }

    private static bool WasRestarted { get; } =
        Environment.GetEnvironmentVariables().Keys.Cast<string>().Any(name => name.StartsWith(PassedPorts + "_", StringComparison.Ordinal));

    // Off in whichever way: the value is hexadecimal to the runtime.
    private static bool IsDisabled()
    {
        foreach (var prefix in s_prefixes)
            foreach (var name in (ReadOnlySpan<string>)["EnableDiagnostics", "EnableDiagnostics_IPC"])
                if (Environment.GetEnvironmentVariable(prefix + name) is { Length: > 0 } value && value.Trim('0').Length == 0)
                    return true;
        return false;
    }

    private static bool IsOurs(string variable)
    {
        foreach (var prefix in s_prefixes)
            if (variable.StartsWith(prefix + Ports + "=", StringComparison.Ordinal)
                || variable.StartsWith(prefix + "EnableDiagnostics", StringComparison.Ordinal))
                return true;
        return false;
    }

    private static void RemoveNames()
    {
        if (Key() is not { } key)
            throw new PlatformNotSupportedException("/proc/self/stat is needed to close the runtime's diagnostic socket");
        var directory = Environment.GetEnvironmentVariable("TMPDIR") is { Length: > 0 } set ? set : "/tmp";
        Remove($"{directory}/dotnet-diagnostic-{key}-socket");
        Remove($"{directory}/clr-debug-pipe-{key}-in");
        Remove($"{directory}/clr-debug-pipe-{key}-out");
    }

    // What the runtime puts into the names: the process, and its start time in clock ticks, the 22nd field of its status.
    private static string? Key()
    {
        if (HostCalls.ReadText("/proc/self/stat") is not { } status)
            return null;
        var fields = status[(status.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 19 ? $"{HostCalls.Call(HostSys.Getpid)}-{fields[19]}" : null;
    }

    private static void Remove(string path)
    {
        fixed (byte* p = HostCalls.Path(HostCalls.FromText(path)))
        {
            var error = HostCalls.Call(HostSys.Unlink, (nint)p);
            if (error < 0 && error is not (-Errno.ENOENT or -Errno.ENOTDIR))
                throw new PlatformNotSupportedException($"{path} opens this process to its guests and cannot be removed: {Errno.Message((int)-error)}");
        }
    }

    private static nint[] Pointers(IReadOnlyList<string> strings)
    {
        var pointers = new nint[strings.Count + 1];
        for (var i = 0; i < strings.Count; i++)
        {
            var bytes = HostCalls.Path(strings[i]);
            pointers[i] = (nint)System.Runtime.InteropServices.NativeMemory.Alloc((nuint)bytes.Length);
            bytes.CopyTo(new Span<byte>((void*)pointers[i], bytes.Length));
        }

        return pointers;
    }
}
