namespace DynaTrans.Cli.Tests.Tools;

/// <summary>The work tree that the tests were built from.</summary>
internal static class Repository
{
    /// <summary>Its folder: the nearest one above the tests' assembly that holds the solution.</summary>
    internal static string Root { get; } = Find();

    /// <summary>A path below it.</summary>
    internal static string At(params string[] parts) => Path.Join([Root, .. parts]);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder != null; folder = folder.Parent)
        {
            if (File.Exists(Path.Join(folder.FullName, "DynaTrans.sln")))
                return folder.FullName;
        }

        throw new InvalidOperationException($"DynaTrans.sln is not above {AppContext.BaseDirectory}");
    }
}
