namespace DynaTrans.Cli.Commands;

/// <summary>What can be told of a guest program without loading it.</summary>
internal static class GuestFile
{
    private const byte Class32 = 1;
    private const byte Class64 = 2;

    /// <summary>True for a 32-bit ELF file, false for a 64-bit one.</summary>
    /// <exception cref="CommandException">It is neither, or cannot be read.</exception>
    public static bool IsElf32(string program, string? root)
    {
        var path = root != null && program.StartsWith('/') && File.Exists(Path.Join(root, program)) ? Path.Join(root, program) : program;
        try
        {
            using var file = File.OpenRead(path);
            Span<byte> head = stackalloc byte[5];
            if (file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length && head[..4].SequenceEqual("\u007fELF"u8)
                && head[4] is Class32 or Class64)
                return head[4] == Class32;
        }
        catch (FileNotFoundException)
        {
            throw new CommandException(ExitStatus.NotFound, $"{program}: no such file");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitStatus.CannotRun, $"{program}: {e.Message}");
        }

        throw new CommandException(ExitStatus.CannotRun, $"{program}: not an ELF file");
    }
}
