namespace DynaTrans.Cli.Guests;

/// <summary>The guest that comes with DynaTrans, put into a file for as long as the object lives.</summary>
internal sealed class DemoGuest : IDisposable
{
    /// <summary>Writes the program to a temporary file.</summary>
    /// <param name="name">demo-i386 or demo-x86_64.</param>
    public DemoGuest(string name)
    {
        var directory = Directory.CreateTempSubdirectory("dynatrans-");
        Path = System.IO.Path.Join(directory.FullName, name);
        using (var source = typeof(DemoGuest).Assembly.GetManifestResourceStream(name) ?? throw new ArgumentException(name, nameof(name)))
        using (var target = File.Create(Path))
            source.CopyTo(target);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Path of the program.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(System.IO.Path.GetDirectoryName(Path)!, recursive: true);
}
