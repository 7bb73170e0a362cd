namespace DynaTrans.Linux.Loading;

/// <summary>A program cannot be loaded.</summary>
/// <param name="message">One line for the user, without the program's name.</param>
/// <param name="error">What execve returns (positive).</param>
public sealed class LoadException(string message, int error) : Exception(message)
{
    /// <summary>What execve returns (positive).</summary>
    public int Error => error;
}
