using DynaTrans.Runtime.Translation;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace DynaTrans.Inspection.Assemblies;

/// <summary>
/// The class of an exported assembly that holds what its translations refer to outside themselves: a field for each entry cell
/// (cell_ADDRESS) and fault site (site_ADDRESS), made by the static constructor. So the assembly works in any process.
/// </summary>
internal sealed unsafe class AssemblyLinks
{
    private const FieldAttributes ConstantField = FieldAttributes.Public | FieldAttributes.Static | FieldAttributes.InitOnly;

    private readonly ModuleDefinition _module;
    private readonly TypeDefinition _type;
    private readonly ILProcessor _il;
    private readonly Dictionary<ulong, FieldDefinition> _cells = [];
    private readonly Dictionary<(ulong, FlagsForm, int), FieldDefinition> _sites = [];
    private readonly Dictionary<ulong, int> _sitesAt = [];

    /// <summary>Begins the class.</summary>
    public AssemblyLinks(ModuleDefinition module, string namespaceName)
    {
        _module = module;
        _type = new TypeDefinition(
            namespaceName, "Links",
            TypeAttributes.Public | TypeAttributes.Abstract | TypeAttributes.Sealed | TypeAttributes.BeforeFieldInit | TypeAttributes.Class,
            module.TypeSystem.Object);
        module.Types.Add(_type);
        const MethodAttributes constructor = MethodAttributes.Private | MethodAttributes.Static | MethodAttributes.HideBySig
            | MethodAttributes.SpecialName | MethodAttributes.RTSpecialName;
        var initialise = new MethodDefinition(".cctor", constructor, module.TypeSystem.Void);
        _type.Methods.Add(initialise);
        _il = initialise.Body.GetILProcessor();
    }

    /// <summary>The field of a cell.</summary>
    public FieldDefinition Cell(ulong target)
    {
        if (_cells.TryGetValue(target, out var field))
            return field;
        _cells[target] = field = Add($"cell_{target:x}");
        _il.Emit(OpCodes.Ldc_I8, (long)target);
        _il.Emit(OpCodes.Call, _module.ImportReference(typeof(DetachedLinks).GetMethod(nameof(DetachedLinks.Cell))));
        _il.Emit(OpCodes.Stsfld, field);
        return field;
    }

    /// <summary>The field of a fault site; sites with equal contents share one.</summary>
    public FieldDefinition Site(in FaultSite site)
    {
        var key = (site.Rip, site.Flags, site.NotExecuted);
        if (_sites.TryGetValue(key, out var field))
            return field;
        var number = _sitesAt[site.Rip] = _sitesAt.GetValueOrDefault(site.Rip) + 1;
        _sites[key] = field = Add(number == 1 ? $"site_{site.Rip:x}" : $"site_{site.Rip:x}_{number}");
        _il.Emit(OpCodes.Ldc_I8, (long)site.Rip);
        _il.Emit(OpCodes.Ldstr, DetachedLinks.Pack(site.Flags));
        _il.Emit(OpCodes.Ldc_I4, site.NotExecuted);
        _il.Emit(OpCodes.Call, _module.ImportReference(typeof(DetachedLinks).GetMethod(nameof(DetachedLinks.Site))));
        _il.Emit(OpCodes.Stsfld, field);
        return field;
    }

    /// <summary>Ends the class.</summary>
    public void Finish() => _il.Emit(OpCodes.Ret);

    private FieldDefinition Add(string name)
    {
        var field = new FieldDefinition(name, ConstantField, _module.TypeSystem.Int64);
        _type.Fields.Add(field);
        return field;
    }
}
