using System.Globalization;

namespace DynaTrans.Cli.Commands;

/// <summary>Sizes and times as the command line has them.</summary>
internal static class Quantities
{
    private const int LongestDays = 365 * 100;

    /// <summary>Reads a size: a decimal number of bytes, or of the 1024s, 1024^2s ... that K, M, G or T (KiB, MB and the like too) stand for.</summary>
    /// <returns>Null unless it is a positive number that fits.</returns>
    public static long? ReadSize(string text)
    {
        var digits = Digits(text, fraction: false);
        var shift = text[digits..].ToUpperInvariant() switch
        {
            "" or "B" => 0,
            "K" or "KB" or "KIB" => 10,
            "M" or "MB" or "MIB" => 20,
            "G" or "GB" or "GIB" => 30,
            "T" or "TB" or "TIB" => 40,
            _ => -1,
        };
        return shift >= 0 && long.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number > 0 && number <= long.MaxValue >> shift
                ? number << shift
                : null;
    }

    /// <summary>Reads a time as timeout(1) does: seconds, possibly with a fraction, or with s, m, h or d behind.</summary>
    /// <returns>Null unless it is a positive number of at most a hundred years.</returns>
    public static TimeSpan? ReadTime(string text)
    {
        var digits = Digits(text, fraction: true);
        var unit = text[digits..] switch
        {
            "" or "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86400,
            _ => 0,
        };
        if (unit == 0 || !double.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            return null;
        var seconds = number * unit;
        return seconds is > 0 and <= LongestDays * 86400.0 ? TimeSpan.FromSeconds(Math.Max(seconds, 1e-3)) : null;
    }

    private static int Digits(string text, bool fraction)
    {
        var i = 0;
        while (i < text.Length && (char.IsAsciiDigit(text[i]) || (fraction && text[i] == '.')))
            i++;
        return i;
    }
}
