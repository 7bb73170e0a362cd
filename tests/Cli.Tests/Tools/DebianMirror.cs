using System.Security.Cryptography;
using System.Text;

namespace DynaTrans.Cli.Tests.Tools;

/// <summary>A folder that apt takes for a mirror: an index, and packages that hold one file each.</summary>
internal sealed class DebianMirror
{
    private readonly string _folder;
    private readonly StringBuilder _index = new();

    /// <summary>Makes an empty mirror in a folder that does not exist yet.</summary>
    internal DebianMirror(string folder)
    {
        _folder = folder;
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Join(folder, "Packages"), "");
    }

    /// <summary>Adds a package whose file /usr/share/NAME holds "NAME VERSION".</summary>
    /// <param name="depends">What it depends on, as Debian writes it; empty: nothing.</param>
    internal void Add(string name, string version, string architecture, string depends = "")
    {
        var tree = Path.Join(_folder, "tree");
        Directory.CreateDirectory(Path.Join(tree, "DEBIAN"));
        Directory.CreateDirectory(Path.Join(tree, "usr/share"));
        File.WriteAllText(Path.Join(tree, "usr/share", name), $"{name} {version}\n");
        var control = $"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: Nobody <nobody@localhost>\n"
            + (depends == "" ? "" : $"Depends: {depends}\n") + "Description: a package of the tests\n";
        File.WriteAllText(Path.Join(tree, "DEBIAN/control"), control);
        var file = FileName(name, version, architecture);
        Command.Output("dpkg-deb", "-b", tree, Path.Join(_folder, file));
        Directory.Delete(tree, recursive: true);
        var bytes = File.ReadAllBytes(Path.Join(_folder, file));
        _index.Append(control).Append($"Filename: {file}\nSize: {bytes.Length}\nSHA256: {Convert.ToHexStringLower(SHA256.HashData(bytes))}\n\n");
        File.WriteAllText(Path.Join(_folder, "Packages"), _index.ToString());
    }

    /// <summary>Takes a package's file away; the index still has it.</summary>
    internal void Lose(string name, string version, string architecture) => File.Delete(Path.Join(_folder, FileName(name, version, architecture)));

    private static string FileName(string name, string version, string architecture) => $"{name}_{version}_{architecture}.deb";
}
