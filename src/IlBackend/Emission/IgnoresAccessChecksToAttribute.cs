namespace System.Runtime.CompilerServices;

/// <summary>On an assembly: the runtime lets it call internal members of the assembly named. Known to the runtime by this name.</summary>
/// <param name="assemblyName">The assembly whose members are called.</param>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
public sealed class IgnoresAccessChecksToAttribute(string assemblyName) : Attribute
{
    /// <summary>The assembly whose members are called.</summary>
    public string AssemblyName { get; } = assemblyName;
}
