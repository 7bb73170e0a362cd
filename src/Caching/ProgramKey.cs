using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace DynaTrans.Caching;

/// <summary>
/// Names the record and the translations of a program: by the contents of its file, not by its name or time. Of a large file samples are
/// enough, for what is used of the translations is compared with the guest's memory byte by byte: a key only finds them.
/// </summary>
/// <param name="Text">32 hexadecimal digits.</param>
public readonly record struct ProgramKey(string Text)
{
    private const int Samples = 16, SampleSize = 64 << 10;

    /// <summary>Digits of a key.</summary>
    public const int Length = 32;

    /// <summary>The key of an open file.</summary>
    /// <param name="file">The file; it is read by position.</param>
    /// <param name="form">What else distinguishes the code: how the program is laid out, the executor.</param>
    /// <returns>Null when the file cannot be read.</returns>
    public static ProgramKey? Of(SafeFileHandle file, string form)
    {
        try
        {
            var hash = new XxHash128();
            hash.Append(Encoding.UTF8.GetBytes(form));
            var length = RandomAccess.GetLength(file);
            Span<byte> start = stackalloc byte[sizeof(long)];
            MemoryMarshal.Write(start, length);
            hash.Append(start);
            var sample = new byte[SampleSize];
            var step = Math.Max(SampleSize, length / Samples);
            for (var at = 0L; at < length; at += step)
                hash.Append(sample.AsSpan(0, RandomAccess.Read(file, sample, at)));
            return new ProgramKey(hash.GetCurrentHashAsUInt128().ToString("x32", CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>True for the text of a key.</summary>
    public static bool IsKey(string text) => text.Length == Length && text.All(char.IsAsciiHexDigitLower);
}
