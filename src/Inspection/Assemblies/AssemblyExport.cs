using System.Runtime.CompilerServices;
using System.Runtime.Versioning;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Inspection.Text;
using DynaTrans.Runtime.Translation;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace DynaTrans.Inspection.Assemblies;

/// <summary>
/// Writes translations as an ordinary assembly: class <c>Translations</c> with a public static method for each region,
/// <c>void guest_ADDRESS(CpuState* state, EntryCell* cell, nint entry)</c>, and class <c>Links</c> with what they refer to. A method runs a
/// guest from the state's RIP until it leaves the region; it then returns with RIP where the guest goes on. After a fault the state's
/// FaultSite is set: <see cref="FaultSite.Repair"/> makes the state exact, as for any translation.
/// </summary>
public static class AssemblyExport
{
    /// <summary>The namespace of the classes.</summary>
    public const string Namespace = "Guest";

    private static readonly string[] Internals = ["DynaTrans.Frontend", "DynaTrans.Runtime", "DynaTrans.IlBackend"];

    /// <summary>Writes an assembly.</summary>
    /// <param name="path">The file; its directory exists.</param>
    /// <param name="dumps">The regions; no two begin at the same address.</param>
    public static void Write(string path, IReadOnlyList<BlockDump> dumps)
    {
        var name = Path.GetFileNameWithoutExtension(path);
        using var assembly = AssemblyDefinition.CreateAssembly(
            new AssemblyNameDefinition(name, new Version(1, 0)), Path.GetFileName(path), ModuleKind.Dll);
        var module = assembly.MainModule;
        AddAttribute(module, assembly, typeof(TargetFrameworkAttribute), ".NETCoreApp,Version=v" + Environment.Version.ToString(2));
        foreach (var other in Internals)
            AddAttribute(module, assembly, typeof(IgnoresAccessChecksToAttribute), other);
        const TypeAttributes staticClass = TypeAttributes.Public | TypeAttributes.Abstract | TypeAttributes.Sealed
            | TypeAttributes.BeforeFieldInit | TypeAttributes.Class;
        var translations = new TypeDefinition(Namespace, "Translations", staticClass, module.TypeSystem.Object);
        module.Types.Add(translations);
        var links = new AssemblyLinks(module, Namespace);
        foreach (var dump in dumps)
        {
            var sink = new CecilSink(module, dump.Name, links);
            RegionEmitter.Emit(sink, dump.Region, new KnownHistories(dump.Input.Histories), dump.Input.Options with { WindowPages = 0 });
            sink.Finish();
            sink.Method.CustomAttributes.Add(GuestCode(module, dump));
            translations.Methods.Add(sink.Method);
        }

        links.Finish();
        assembly.Write(path, new WriterParameters { WriteSymbols = true, SymbolWriterProvider = new EmbeddedPortablePdbWriterProvider() });
    }

    private static void AddAttribute(ModuleDefinition module, AssemblyDefinition assembly, Type type, string argument)
    {
        var attribute = new CustomAttribute(module.ImportReference(type.GetConstructor([typeof(string)])));
        attribute.ConstructorArguments.Add(new CustomAttributeArgument(module.TypeSystem.String, argument));
        assembly.CustomAttributes.Add(attribute);
    }

    private static CustomAttribute GuestCode(ModuleDefinition module, BlockDump dump)
    {
        var text = module.TypeSystem.String;
        var lines = dump.Blocks.SelectMany(block => block.Instructions)
            .Select(i => new CustomAttributeArgument(text, FormattableString.Invariant($"{i.Rip:x}: {i.Text}")));
        var attribute = new CustomAttribute(module.ImportReference(typeof(GuestCodeAttribute).GetConstructor([typeof(string), typeof(string[])])));
        attribute.ConstructorArguments.Add(new CustomAttributeArgument(text, dump.Region.Mode.ToString()));
        attribute.ConstructorArguments.Add(new CustomAttributeArgument(new ArrayType(text), lines.ToArray()));
        return attribute;
    }
}
