using System.Globalization;

namespace DynaTrans.Devices;

/// <summary>What a machine's real-time clock shows when the machine starts: the host's time in UTC or of its time zone, or a fixed one.</summary>
public readonly record struct RtcBase
{
    private readonly bool _isLocal;
    private readonly DateTime? _fixed;

    private RtcBase(bool isLocal, DateTime? at)
    {
        _isLocal = isLocal;
        _fixed = at;
    }

    /// <summary>The host's time in UTC.</summary>
    public static RtcBase Utc => default;

    /// <summary>The host's time in its time zone.</summary>
    public static RtcBase Local => new(true, null);

    /// <summary>A fixed time: two runs see the same.</summary>
    public static RtcBase Fixed(DateTime at) => new(false, at);

    /// <summary>Reads <c>utc</c>, <c>localtime</c>, or a date with or without a time (<c>2026-01-31</c>, <c>2026-01-31T12:00:00</c>).</summary>
    /// <returns>False for anything else.</returns>
    public static bool TryParse(string text, out RtcBase value)
    {
        value = text == "localtime" ? Local : Utc;
        if (text is "utc" or "localtime")
            return true;
        string[] formats = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss'Z'"];
        if (!DateTime.TryParseExact(text, formats, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal, out var at))
            return false;
        value = Fixed(at);
        return true;
    }

    /// <summary>The time to start with, asked now.</summary>
    public DateTime Start() => _fixed ?? (_isLocal ? DateTime.Now : DateTime.UtcNow);
}
