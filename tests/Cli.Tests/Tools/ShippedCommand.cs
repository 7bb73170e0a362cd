namespace DynaTrans.Cli.Tests.Tools;

/// <summary>The command as users get it: compiled ahead of time, in the output folder of src/Cli. The copy beside the tests is not.</summary>
internal static class ShippedCommand
{
    /// <summary>The native program.</summary>
    internal static string Program { get; } = Find();

    /// <summary>What <c>dotnet</c> runs.</summary>
    internal static string Library => Program + ".dll";

    private static string Find()
    {
        // .../bin/CONFIGURATION/FRAMEWORK/
        var tests = new DirectoryInfo(AppContext.BaseDirectory);
        var path = Repository.At("src", "Cli", "bin", tests.Parent!.Name, tests.Name, "dynatrans");
        return File.Exists(path) ? path : throw new FileNotFoundException("the built command is missing", path);
    }
}
