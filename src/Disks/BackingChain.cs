using DynaTrans.Disks.Host;
using DynaTrans.Disks.Qcow2;

namespace DynaTrans.Disks;

/// <summary>Opens an image and those behind it. What is behind is opened only where the user allows it, read-only, once, and not endlessly deep.</summary>
internal static class BackingChain
{
    private const int Deepest = 64;

    /// <summary>Opens an image.</summary>
    public static DiskImage Open(string path, DiskOpenOptions options)
    {
        if ((options.IgnoresLocks || options.LeavesOutBacking) && !options.IsReadOnly)
            throw new ArgumentException("locks and backing files are left out of read-only images only", nameof(options));
        return Open(HostFile.Open(path, !options.IsReadOnly, !options.IgnoresLocks), options, options.Format, []);
    }

    private static DiskImage Open(HostFile file, DiskOpenOptions options, DiskFormat? format, HashSet<string> open)
    {
        DiskImage? backing = null;
        try
        {
            if (!open.Add(file.RealPath))
                throw file.Failure("the backing files form a loop");
            if (open.Count > Deepest)
                throw file.Failure($"more than {Deepest} backing files");
            if ((format ?? FormatOf(file)) == DiskFormat.Raw)
                return new RawImage(file, isGuessed: format == null);
            var header = Qcow2Header.Read(file);
            if (header.BackingName != null && !options.LeavesOutBacking)
                backing = OpenBacking(file, header.BackingName, FormatNamed(file, header.BackingFormat), options, open);
            var image = new Qcow2Image(file, header, backing);
            if (file.IsWritable)
                image.PrepareForWriting();
            return image;
        }
        catch
        {
            backing?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens the backing image that a new image is going to have.</summary>
    public static DiskImage OpenBacking(string imagePath, string name, DiskFormat? format, DiskOpenOptions options) =>
        Open(OpenFile(Locate(imagePath, name), options), options, format, []);

    private static DiskImage OpenBacking(HostFile file, string name, DiskFormat? format, DiskOpenOptions options, HashSet<string> open)
    {
        // A name with a protocol is one for QEMU.
        var colon = name.IndexOf(':', StringComparison.Ordinal);
        if (colon >= 0 && name.IndexOf('/', StringComparison.Ordinal) is var slash && (slash < 0 || colon < slash))
            throw file.Failure($"the backing file '{name}' is no file name");
        var path = Locate(file.Path, name);
        if (!IsAllowed(NativeMethods.Resolve(path), options))
            throw file.Failure($"the backing file '{name}' is not among those that are allowed");
        return Open(OpenFile(path, options), options, format, open);
    }

    private static HostFile OpenFile(string path, DiskOpenOptions options)
    {
        var file = HostFile.Open(path, writes: false, !options.IgnoresLocks);

        // What was asked for may have been replaced by a link in the meantime.
        if (IsAllowed(file.RealPath, options))
            return file;
        file.Dispose();
        throw new DiskImageException($"{path}: is not among the backing files that are allowed");
    }

    private static string Locate(string imagePath, string name) => Path.Combine(Path.GetDirectoryName(Path.GetFullPath(imagePath))!, name);

    private static bool IsAllowed(string? path, DiskOpenOptions options)
    {
        if (path == null)
            return false;
        foreach (var entry in options.AllowedBacking)
        {
            if (NativeMethods.Resolve(entry) is not { } allowed)
                continue;
            if (path == allowed || (Directory.Exists(allowed) && path.StartsWith(allowed.EndsWith('/') ? allowed : allowed + "/", StringComparison.Ordinal)))
                return true;
        }

        return false;
    }

    private static DiskFormat FormatOf(HostFile file)
    {
        Span<byte> start = stackalloc byte[Qcow2Header.MagicLength];
        file.Read(0, start);
        return Qcow2Header.HasMagic(start) ? DiskFormat.Qcow2 : DiskFormat.Raw;
    }

    private static DiskFormat? FormatNamed(HostFile file, string? name) => name switch
    {
        null => null,
        "raw" => DiskFormat.Raw,
        "qcow2" => DiskFormat.Qcow2,
        _ => throw file.Failure($"the backing file's format '{name}' is not supported"),
    };
}
