using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Segmentation;

/// <summary>Bits of <see cref="SegmentRegister.Attributes"/>, and what they say together.</summary>
public static class SegmentAttributes
{
    /// <summary>P: the segment can be used; clear after a null selector.</summary>
    public const int Present = 0x80;

    /// <summary>L: 64-bit code.</summary>
    public const int Long = 0x2000;

    /// <summary>D/B: 32-bit code or stack pointers.</summary>
    public const int Big = 0x4000;

    /// <summary>S: a segment of code or data.</summary>
    public const int CodeOrData = 0x10;

    private const int Code = 8, ExpandDown = 4, Conforming = 4, ReadOrWrite = 2;

    /// <summary>Data that can be read and written up to the limit.</summary>
    public static bool IsPlainData(int attributes) =>
        (attributes & (Present | CodeOrData | Code | ExpandDown | ReadOrWrite)) == (Present | CodeOrData | ReadOrWrite);

    /// <summary>Code that can be read too.</summary>
    public static bool IsReadableCode(int attributes) =>
        (attributes & (Present | CodeOrData | Code | ReadOrWrite)) == (Present | CodeOrData | Code | ReadOrWrite);

    /// <summary>Code that keeps the privilege level of its caller.</summary>
    public static bool IsConforming(int attributes) =>
        (attributes & (CodeOrData | Code | Conforming)) == (CodeOrData | Code | Conforming);

    /// <summary>Data with the valid offsets above the limit.</summary>
    public static bool IsExpandDown(int attributes) => (attributes & (CodeOrData | Code | ExpandDown)) == (CodeOrData | ExpandDown);

    /// <summary>May be read: data, or code with the R bit.</summary>
    public static bool IsReadable(int attributes) =>
        (attributes & Present) != 0 && (attributes & (Code | ReadOrWrite)) != Code;

    /// <summary>May be written.</summary>
    public static bool IsWritable(int attributes) =>
        (attributes & Present) != 0 && (attributes & (Code | ReadOrWrite)) == ReadOrWrite;
}
