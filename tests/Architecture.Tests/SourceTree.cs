using System.Text.RegularExpressions;

namespace DynaTrans.Architecture.Tests;

/// <summary>A C# file of <c>src</c>, without its comments.</summary>
/// <param name="Project">The project.</param>
/// <param name="Folder">The folder in the project, without subfolders; empty for the project's own.</param>
/// <param name="Path">The path from <c>src</c>, with slashes.</param>
/// <param name="Text">The code.</param>
internal sealed record SourceFile(string Project, string Folder, string Path, string Text)
{
    /// <summary>The namespace that the file's place asks for.</summary>
    public string ExpectedNamespace => "DynaTrans." + Path[..Path.LastIndexOf('/')].Replace('/', '.');
}

/// <summary>The sources of the repository.</summary>
internal static partial class SourceTree
{
    private static readonly Lazy<SourceFile[]> s_files = new(() => [.. Read()]);

    /// <summary>The repository's root.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The C# files of <c>src</c>.</summary>
    public static IReadOnlyList<SourceFile> Files => s_files.Value;

    /// <summary>The names of the types that a file declares.</summary>
    public static IEnumerable<string> DeclaredTypes(SourceFile file) => Declaration().Matches(file.Text).Select(m => m.Groups[1].Value);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "DynaTrans.sln")))
                return folder.FullName;
        throw new DirectoryNotFoundException($"no DynaTrans.sln above {AppContext.BaseDirectory}");
    }

    private static IEnumerable<SourceFile> Read()
    {
        var source = Path.Combine(Root, "src");
        foreach (var path in Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var parts = Path.GetRelativePath(source, path).Split(Path.DirectorySeparatorChar);
            if (parts.Length > 2 && parts[1] is "bin" or "obj")
                continue;
            yield return new SourceFile(parts[0], parts.Length > 2 ? parts[1] : "", string.Join('/', parts), Comment().Replace(File.ReadAllText(path), ""));
        }
    }

    [GeneratedRegex(@"//.*|/\*[\s\S]*?\*/")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\b(?:class|struct|enum|interface|record)\s+(?:struct\s+|class\s+)?([A-Z]\w*)")]
    private static partial Regex Declaration();
}
