using DynaTrans.Linux.Host;

namespace DynaTrans.Cli.Commands;

/// <summary>The host's standard output while a guest runs whose output is not what the command prints.</summary>
internal static class StandardOutput
{
    private const int Output = 1;
    private const int Error = 2;

    /// <summary>Runs something with descriptor 1 leading to standard error.</summary>
    public static T WithOutputOnError<T>(Func<T> run)
    {
        Console.Out.Flush();
        var saved = (int)HostCalls.Call(HostSys.Dup, Output);
        HostCalls.Call(HostSys.Dup3, Error, Output, 0);
        try
        {
            return run();
        }
        finally
        {
            if (saved >= 0)
            {
                HostCalls.Call(HostSys.Dup3, saved, Output, 0);
                HostCalls.Close(saved);
            }
        }
    }
}
