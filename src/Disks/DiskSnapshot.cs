namespace DynaTrans.Disks;

/// <summary>An internal snapshot: the disk as it was.</summary>
/// <param name="Id">A number, as text; unique in the image.</param>
/// <param name="Name">The name that it was given.</param>
/// <param name="Date">When it was made.</param>
/// <param name="Length">The length of the disk then, in bytes.</param>
public sealed record DiskSnapshot(string Id, string Name, DateTimeOffset Date, long Length);
