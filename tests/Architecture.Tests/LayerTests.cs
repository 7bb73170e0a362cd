using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace DynaTrans.Architecture.Tests;

/// <summary>Holds the sources to the table in <see cref="Layers"/>.</summary>
public sealed class LayerTests
{
    [Fact]
    public void ProjectsReferToWhatTheTableSays()
    {
        var found = new List<string>();
        var expected = new List<string>();
        foreach (var path in Directory.EnumerateFiles(Path.Combine(SourceTree.Root, "src"), "*.csproj", SearchOption.AllDirectories))
        {
            var project = XDocument.Load(path);
            var name = Path.GetFileNameWithoutExtension(path);
            found.AddRange(Includes(project, "ProjectReference").Select(p => $"{name} -> {Path.GetFileNameWithoutExtension(p)}"));
            found.AddRange(Includes(project, "PackageReference").Select(p => $"{name} -> package {p}"));
            Assert.True(Layers.Projects.ContainsKey(name), $"{name} has no line in Layers.Projects");
        }

        foreach (var (name, (projects, packages)) in Layers.Projects)
        {
            expected.AddRange(projects.Select(p => $"{name} -> {p}"));
            expected.AddRange(packages.Select(p => $"{name} -> package {p}"));
        }

        Assert.Equal(expected.Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
    }

    // A reference to a project brings along what that one refers to: its namespaces are for those who refer to it themselves.
    [Fact]
    public void ProjectsUseOnlyWhatTheyReferTo()
    {
        var problems = new List<string>();
        foreach (var file in SourceTree.Files)
        {
            var (projects, packages) = Layers.Projects[file.Project];
            foreach (Match match in Regex.Matches(file.Text, @"\bDynaTrans\.([A-Z]\w*)"))
                if (match.Groups[1].Value is var used && used != file.Project && Layers.Projects.ContainsKey(used) && !projects.Contains(used))
                    problems.Add($"{file.Path} uses {used}");
            if (Regex.IsMatch(file.Text, @"\bMono\.Cecil\b") && !packages.Contains("Mono.Cecil"))
                problems.Add($"{file.Path} uses Mono.Cecil");
        }

        Assert.True(problems.Count == 0, string.Join("\n", problems));
    }

    [Fact]
    public void FilesAreInTheNamespaceOfTheirFolder()
    {
        var problems = new List<string>();
        foreach (var file in SourceTree.Files)
        {
            if (Regex.IsMatch(file.Text, @"^\s*global\s+using\b", RegexOptions.Multiline))
                problems.Add($"{file.Path}: a global using hides who uses what");
            var name = Regex.Match(file.Text, @"^namespace\s+([\w.]+)", RegexOptions.Multiline);

            // (A few attributes must be where the runtime looks for them.)
            if (name.Success && name.Groups[1].Value != file.ExpectedNamespace && !name.Groups[1].Value.StartsWith("System.", StringComparison.Ordinal))
                problems.Add($"{file.Path} is in {name.Groups[1].Value}, not in {file.ExpectedNamespace}");
        }

        Assert.True(problems.Count == 0, string.Join("\n", problems));
    }

    [Theory]
    [InlineData("Frontend")]
    [InlineData("Runtime")]
    [InlineData("IlBackend")]
    public void FoldersUseOnlyWhatTheTableAllows(string project)
    {
        var table = Layers.Folders[project];
        var files = SourceTree.Files.Where(f => f.Project == project).ToArray();
        var types = files.GroupBy(f => f.Folder).ToDictionary(g => g.Key, g => g.SelectMany(SourceTree.DeclaredTypes).ToHashSet());
        var problems = new List<string>();
        var excused = new HashSet<(string, string)>();
        foreach (var file in files)
        {
            if (!table.TryGetValue(file.Folder, out var allowed))
            {
                problems.Add($"{file.Path}: folder {file.Folder} of {project} has no line in Layers.Folders");
                continue;
            }

            foreach (var used in table.Keys.Where(f => f != file.Folder && !allowed.Contains(f) && Uses(file, f, types.GetValueOrDefault(f, []))))
                if (Layers.Exceptions.Contains((file.Path, used)))
                    excused.Add((file.Path, used));
                else
                    problems.Add($"{file.Path} uses {used}: {file.Folder} may use {string.Join(", ", allowed.DefaultIfEmpty("nothing"))}");
        }

        problems.AddRange(Layers.Exceptions.Where(e => e.File.StartsWith(project + "/", StringComparison.Ordinal) && !excused.Contains(e))
            .Select(e => $"{e.File} no longer uses {e.Uses}: delete the exception"));
        Assert.True(problems.Count == 0, string.Join("\n", problems));
    }

    [Fact]
    public void FoldersOfTheTableExist()
    {
        foreach (var (project, folders) in Layers.Folders)
            foreach (var (folder, uses) in folders)
                foreach (var name in uses.Append(folder))
                    Assert.True(Directory.Exists(Path.Combine(SourceTree.Root, "src", project, name)), $"{project}/{name}, named in Layers, does not exist");
    }

    // By its namespace, whole or as seen from a sibling ("State.CpuState").
    private static bool Uses(SourceFile file, string folder, HashSet<string> types) =>
        Regex.IsMatch(file.Text, $@"\bDynaTrans\.{file.Project}\.{folder}\b")
        || Regex.Matches(file.Text, $@"(?<![\w.>]){folder}\.(?:[A-Z]\w*\.)?([A-Z]\w*)").Any(m => types.Contains(m.Groups[1].Value));

    private static IEnumerable<string> Includes(XDocument project, string element) =>
        project.Descendants(element).Select(e => (string?)e.Attribute("Include")).OfType<string>();
}
