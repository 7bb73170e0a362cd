namespace DynaTrans.Devices;

/// <summary>A state record that cannot be loaded: corrupt, too new, or of another machine. The message is one line for the user.</summary>
public sealed class StateException(string message) : Exception(message);
