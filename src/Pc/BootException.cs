namespace DynaTrans.Pc;

/// <summary>A kernel, initial RAM disk, ROM or option that a machine cannot be started with. The message is one line for the user.</summary>
public sealed class BootException(string message) : Exception(message);
