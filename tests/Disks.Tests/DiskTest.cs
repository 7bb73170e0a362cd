namespace DynaTrans.Disks.Tests;

/// <summary>A directory for a test's images, and random work on them.</summary>
public abstract class DiskTest : IDisposable
{
    // In memory: images are flushed many thousand times.
    private readonly string _directory = Directory.CreateDirectory(
        System.IO.Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : System.IO.Path.GetTempPath(), $"dynatrans-disks-{Guid.NewGuid():N}")).FullName;

    /// <summary>The directory.</summary>
    protected string Folder => _directory;

    /// <inheritdoc/>
    public void Dispose()
    {
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>A file's name.</summary>
    protected string At(string name) => System.IO.Path.Combine(_directory, name);

    /// <summary>Writes, makes zero and discards at random, on the image and on a copy in memory.</summary>
    protected static void Work(DiskImage image, byte[] model, Random random, int steps, int largest = 300_000)
    {
        for (var i = 0; i < steps; i++)
        {
            var offset = random.Next(model.Length);
            var count = Math.Min(random.Next(1, largest), model.Length - offset);
            var what = random.Next(10);
            if (what == 0)
            {
                image.WriteZeroes(offset, count);
                model.AsSpan(offset, count).Clear();
            }
            else if (what == 1)
            {
                image.Discard(offset, count);
                image.Read(offset, model.AsSpan(offset, count));
            }
            else
            {
                random.NextBytes(model.AsSpan(offset, count));
                image.Write(offset, model.AsSpan(offset, count));
            }

            if (what == 2)
                image.Flush();
        }
    }

    /// <summary>All bytes of an image.</summary>
    protected static byte[] ReadAll(DiskImage image)
    {
        var bytes = new byte[image.Length];
        image.Read(0, bytes);
        return bytes;
    }
}
