namespace DynaTrans.Caching;

/// <summary>A cache directory that is not used; the message is one line that says why.</summary>
public sealed class CacheException(string message) : Exception(message);
