namespace DynaTrans.Inspection.Assemblies;

/// <summary>On a method of an exported assembly: the guest code that it is the translation of.</summary>
/// <param name="mode">The mode of the code, as in <see cref="Frontend.Decoding.GuestMode"/>.</param>
/// <param name="listing">Address and assembly text of each instruction.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class GuestCodeAttribute(string mode, params string[] listing) : Attribute
{
    /// <summary>The mode of the code.</summary>
    public string Mode { get; } = mode;

    /// <summary>The instructions.</summary>
    public IReadOnlyList<string> Listing { get; } = listing;
}
