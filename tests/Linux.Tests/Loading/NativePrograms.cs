using System.Diagnostics;

namespace DynaTrans.Linux.Tests.Loading;

/// <summary>Compiles C programs of this assembly's resources, and runs programs natively.</summary>
internal static class NativePrograms
{
    /// <summary>Compiles NAME.c. Null: there is no compiler, or it cannot do what is asked.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="name">Name of the program.</param>
    /// <param name="options">Options of gcc.</param>
    public static string? TryCompile(string folder, string name, params string[] options)
    {
        foreach (var file in new[] { "memory.h", name + ".c" })
        {
            using var from = typeof(NativePrograms).Assembly.GetManifestResourceStream(file)!;
            using var to = File.Create(Path.Combine(folder, file));
            from.CopyTo(to);
        }

        var program = Path.Combine(folder, name);
        return Run("gcc", [.. options, program + ".c", "-o", program]) == 0 ? program : null;
    }

    /// <summary>Runs a program. Gives its status; -1 when it cannot be run. What it prints on standard error is dropped.</summary>
    public static int Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return -1;
        }
    }
}
