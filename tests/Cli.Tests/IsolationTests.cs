using System.Diagnostics;
using System.Text.RegularExpressions;
using DynaTrans.Cli.Guests;
using DynaTrans.Cli.Tests.Tools;

namespace DynaTrans.Cli.Tests;

/// <summary>
/// What the .NET runtime offers to other processes of the user must not be there for a guest, however the command is started. The guests are
/// programs of the host.
/// </summary>
public sealed class IsolationTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("dynatrans-ports-").FullName;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [InlineData(true, "DOTNET_EnableDiagnostics=1")]
    [InlineData(false, "DOTNET_EnableDiagnostics=0")]
    [InlineData(false, "DOTNET_DiagnosticPorts=PORT,connect,nosuspend")]
    [InlineData(true, "DOTNET_DiagnosticPorts=PORT,listen,nosuspend")]
    [InlineData(false, "DOTNET_DiagnosticPorts=PORT,nosuspend", "DOTNET_EnableDiagnostics=1")]
    public void NothingOfTheRuntimeHasAName(bool ownHost, params string[] settings)
    {
        var result = Run(ownHost, settings, "run", "/bin/ls", "-A", _directory);
        Assert.Equal((0, "", ""), result);
        Assert.Empty(Directory.GetFileSystemEntries(_directory));
    }

    [Fact]
    public void AGuestSeesItsEnvironmentAsItWasGiven()
    {
        string[] settings = ["DOTNET_DiagnosticPorts=PORT,connect,nosuspend", "DOTNET_EnableDiagnostics_Debugger=1"];
        var (status, output, _) = Run(false, settings, "run", "--env", "DOTNET_EnableDiagnostics=9", "/usr/bin/env");
        Assert.Equal(0, status);

        // What the tests themselves are run with belongs to the guest's environment, too.
        const string Ours = "DYNATRANS_CACHE(_BUILD)?=off\n";
        output = Regex.Replace(output, Ours, "");
        var lines = output.Split('\n');
        foreach (var setting in settings)
            Assert.Contains(setting.Replace("PORT", Path.Join(_directory, "port")), lines);
        Assert.Contains("DOTNET_EnableDiagnostics=9", lines);
        Assert.DoesNotContain("DYNATRANS_", output);
        (_, output, _) = Run(false, settings, "run", "/usr/bin/env");
        Assert.DoesNotContain("EnableDiagnostics=0", output);
        Assert.DoesNotContain("DYNATRANS_", Regex.Replace(output, Ours, ""));
    }

    [Fact]
    public void VariablesForTheGuestAreNotForTheHost()
    {
        // The host would end at once with a bad start-up hook, and connect to the port.
        var port = Path.Join(_directory, "port");
        using var listener = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
        listener.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(port));
        listener.Listen();
        var (status, output, error) = Run(
            false, [], "run", "--env", $"DOTNET_DiagnosticPorts={port},connect,suspend", "--env", "DOTNET_STARTUP_HOOKS=/nonexistent.dll",
            "--env", "DOTNET_EnableDiagnostics=1", "/bin/sh", "-c", "echo $DOTNET_STARTUP_HOOKS");
        Assert.Equal((0, "/nonexistent.dll\n", ""), (status, output, error));
        Assert.False(listener.Poll(0, System.Net.Sockets.SelectMode.SelectRead));
    }

    [Fact]
    public void DumpShowsHostCodeAfterAGuestRan()
    {
        using var guest = new DemoGuest("demo-i386");
        var (status, output, _) = Run(true, [], "dump", "--hot", "1", guest.Path);
        Assert.Equal(0, status);
        Assert.Contains("bytes of host code", output);
        Assert.Contains("push rbp", output);
    }

    [Fact]
    public void AGuestKeepsItsDescriptorsButNotTheHosts()
    {
        // 200 descriptors for all: the guest's limit is lower, exact, and its error its own; the host goes on.
        const string script = "ulimit -n 200; exec \"$@\"";
        var info = Start("/bin/sh", []);
        foreach (var argument in (string[])["-c", script, "sh", "dotnet", ShippedCommand.Library, "run", "/bin/sh", "-c", "ulimit -n; ulimit -Hn; /bin/true; echo $?"])
            info.ArgumentList.Add(argument);
        var (status, output, error) = Finish(info);
        Assert.Equal((0, ""), (status, error));
        var numbers = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).ToArray();
        Assert.InRange(numbers[0], 32, 190);
        Assert.Equal([numbers[0], 0], numbers[1..]);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private (int Status, string Output, string Error) Run(bool ownHost, string[] settings, params string[] arguments)
    {
        var info = Start(ownHost ? ShippedCommand.Program : "dotnet", settings);
        if (!ownHost)
            info.ArgumentList.Add(ShippedCommand.Library);
        foreach (var argument in arguments)
            info.ArgumentList.Add(argument);
        return Finish(info);
    }

    private ProcessStartInfo Start(string program, string[] settings)
    {
        var info = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        info.Environment["TMPDIR"] = _directory;
        foreach (var name in info.Environment.Keys.Where(name => name.Contains("Diagnostic", StringComparison.Ordinal)).ToArray())
            info.Environment.Remove(name);
        foreach (var setting in settings)
        {
            var parts = setting.Split('=', 2);
            info.Environment[parts[0]] = parts[1].Replace("PORT", Path.Join(_directory, "port"));
        }

        return info;
    }

    private static (int Status, string Output, string Error) Finish(ProcessStartInfo info)
    {
        using var process = Process.Start(info)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }
}
