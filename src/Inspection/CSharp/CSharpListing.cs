using System.Reflection.Metadata;
using System.Runtime.InteropServices;
using DynaTrans.Inspection.Assemblies;
using DynaTrans.Inspection.Text;
using ICSharpCode.Decompiler;
using ICSharpCode.Decompiler.CSharp;
using ICSharpCode.Decompiler.CSharp.OutputVisitor;
using ICSharpCode.Decompiler.DebugInfo;
using ICSharpCode.Decompiler.Metadata;
using ICSharpCode.Decompiler.TypeSystem;

namespace DynaTrans.Inspection.CSharp;

/// <summary>Translations as C#: the exported assembly, decompiled, with the emitter's names of the locals.</summary>
public static class CSharpListing
{
    // C# has no tail calls; the decompiler says so at each. The jumps through cells at the exits are tail calls.
    private const string TailComment = "Ignored invalid 'tail' prefix";

    /// <summary>Writes the translations of an exported assembly as C#.</summary>
    /// <param name="to">Receives the text.</param>
    /// <param name="assembly">The file.</param>
    /// <param name="dumps">What it was made from.</param>
    public static void Write(TextWriter to, string assembly, IReadOnlyList<BlockDump> dumps)
    {
        using var module = new PEFile(assembly);
        var resolver = new UniversalAssemblyResolver(assembly, throwOnError: false, module.DetectTargetFrameworkId());
        resolver.AddSearchDirectory(AppContext.BaseDirectory);
        resolver.AddSearchDirectory(RuntimeEnvironment.GetRuntimeDirectory());
        var settings = new DecompilerSettings(LanguageVersion.CSharp12_0)
        {
            ThrowOnAssemblyResolveErrors = false,
            UseDebugSymbols = true,
            CSharpFormattingOptions = FormattingOptionsFactory.CreateAllman(),
        };
        settings.CSharpFormattingOptions.IndentationString = "    ";
        var decompiler = new CSharpDecompiler(module, resolver, settings) { DebugInfoProvider = new LocalNames(module, dumps) };
        var text = decompiler.DecompileTypeAsString(new FullTypeName($"{AssemblyExport.Namespace}.Translations"));
        foreach (var line in text.ReplaceLineEndings("\n").TrimEnd().Split('\n'))
            if (!line.Contains(TailComment, StringComparison.Ordinal))
                to.Write(line + "\n");
    }

    /// <summary>Tells the decompiler the names of the locals.</summary>
    private sealed class LocalNames(PEFile module, IReadOnlyList<BlockDump> dumps) : IDebugInfoProvider
    {
        private readonly Dictionary<string, BlockDump> _byName = dumps.ToDictionary(dump => dump.Name);

        public string Description => "names of the emitter";

        public string SourceFileName => string.Empty;

        public IList<ICSharpCode.Decompiler.DebugInfo.SequencePoint> GetSequencePoints(MethodDefinitionHandle method) => [];

        public IList<Variable> GetVariables(MethodDefinitionHandle method) =>
            Dump(method) is { } dump ? [.. dump.Locals.Select((name, index) => new Variable(index, Identifier(name)))] : [];

        public bool TryGetName(MethodDefinitionHandle method, int index, out string name)
        {
            var locals = Dump(method)?.Locals;
            name = locals != null && index < locals.Count ? Identifier(locals[index]) : string.Empty;
            return name.Length != 0;
        }

        public bool TryGetExtraTypeInfo(MethodDefinitionHandle method, int index, out PdbExtraTypeInfo extraTypeInfo)
        {
            extraTypeInfo = default;
            return false;
        }

        private static string Identifier(string name) => name.Replace('.', '_');

        private BlockDump? Dump(MethodDefinitionHandle method) =>
            _byName.GetValueOrDefault(module.Metadata.GetString(module.Metadata.GetMethodDefinition(method).Name));
    }
}
