namespace DynaTrans.Cli.Commands;

/// <summary>Finds the program that a command line names.</summary>
internal static class ProgramFinder
{
    /// <summary>
    /// A name without a slash that is no file here is looked for in PATH, in the directories of <paramref name="root"/> first. Whatever
    /// cannot be found is given back as it is, for the loader to report.
    /// </summary>
    public static string Find(string program, string? root)
    {
        if (program.Contains('/') || Path.Exists(program))
            return program;
        foreach (var directory in (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':'))
        {
            if (!directory.StartsWith('/'))
                continue;
            var path = Path.Join(directory, program);
            if ((root != null && File.Exists(Path.Join(root, path))) || File.Exists(path))
                return path;
        }

        return program;
    }
}
