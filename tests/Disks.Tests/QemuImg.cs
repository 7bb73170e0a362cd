using System.ComponentModel;
using System.Diagnostics;

namespace DynaTrans.Disks.Tests;

/// <summary>qemu-img, the oracle; tests that need it are skipped where it is not installed.</summary>
internal static class QemuImg
{
    public const string Missing = "qemu-img is not installed (Debian: qemu-utils)";

    /// <summary>True when it is there.</summary>
    public static bool IsThere { get; } = Find();

    /// <summary>Runs it, and wants success.</summary>
    public static string Run(params string[] arguments)
    {
        var (status, output) = Try(arguments);
        Assert.True(status == 0, $"qemu-img {string.Join(' ', arguments)}: status {status}: {output}");
        return output;
    }

    /// <summary>Runs it.</summary>
    public static (int Status, string Output) Try(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("qemu-img", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.Result);
    }

    private static bool Find()
    {
        try
        {
            return Try("--version").Status == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
