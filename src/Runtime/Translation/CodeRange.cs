namespace DynaTrans.Runtime.Translation;

/// <summary>Guest code that a translation made in another run came from, without a gap.</summary>
public unsafe struct CodeRange
{
    /// <summary>Linear address of the first byte.</summary>
    public ulong Linear;

    /// <summary>The bytes, in unmanaged memory.</summary>
    public byte* Bytes;

    /// <summary>Their number, at least 1.</summary>
    public int Length;
}

/// <summary>What has become of a wish to use a translation made in another run (<see cref="BlockCache.TryEnter"/>).</summary>
public enum CodeRangeResult
{
    /// <summary>The guest has other bytes there, or none that can be executed.</summary>
    Differs,

    /// <summary>The bytes may be read only after <see cref="BlockCache.AwaitOthers"/>.</summary>
    MustWait,

    /// <summary>The bytes are the same, and a change of one of them will be noticed.</summary>
    Entered,
}
