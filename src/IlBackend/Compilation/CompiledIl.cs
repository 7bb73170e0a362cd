using System.Reflection;
using System.Reflection.Emit;

namespace DynaTrans.IlBackend.Compilation;

/// <summary>
/// Gives up the IL of a dynamic method that has its host code. The runtime keeps the method's generator and a copy of the IL for as long as the
/// method, several times the size of the code, and never reads them again: dynamic methods are compiled once.
/// </summary>
internal static class CompiledIl
{
    // Not public; a runtime that calls them otherwise keeps the IL.
    private static readonly FieldInfo? s_generator = Field(typeof(DynamicMethod), "_ilGenerator");
    private static readonly FieldInfo? s_resolver = Field(typeof(DynamicMethod), "_resolver");
    private static readonly FieldInfo? s_code = Field(s_resolver?.FieldType, "m_code");
    private static readonly byte[] s_none = [];

    /// <summary>Gives it up.</summary>
    public static void Drop(DynamicMethod method)
    {
        s_generator?.SetValue(method, null);
        if (s_code is { } code && s_resolver!.GetValue(method) is { } resolver)
            code.SetValue(resolver, s_none);
    }

    private static FieldInfo? Field(Type? type, string name) => type?.GetField(name, BindingFlags.Instance | BindingFlags.NonPublic);
}
