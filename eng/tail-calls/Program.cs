using Mono.Cecil;
using Mono.Cecil.Cil;

// Part of the build: makes tail calls of the calls by pointer that stand right before a return, in one class of an assembly. C# has no word for
// that. The assembly is rewritten in place.
if (args is not [var path, var className, .. var folders])
{
    Console.Error.WriteLine("usage: tail-calls ASSEMBLY CLASS FOLDER...");
    return 1;
}

using var resolver = new DefaultAssemblyResolver();
foreach (var folder in folders)
    resolver.AddSearchDirectory(folder);

var symbols = Path.ChangeExtension(path, ".pdb");
using var module = ModuleDefinition.ReadModule(new MemoryStream(File.ReadAllBytes(path)), new ReaderParameters(ReadingMode.Immediate)
{
    AssemblyResolver = resolver,
    SymbolReaderProvider = new PortablePdbReaderProvider(),
    SymbolStream = new MemoryStream(File.ReadAllBytes(symbols)),
});
if (module.GetType(className) is not { } type)
{
    Console.Error.WriteLine($"tail-calls: no class {className} in {path}");
    return 1;
}

foreach (var method in type.Methods.Where(method => method.HasBody))
{
    var calls = method.Body.Instructions.Where(i => i.OpCode == OpCodes.Calli && IsLike(method, (CallSite)i.Operand)).ToList();
    foreach (var call in calls)
    {
        if (call.Next?.OpCode != OpCodes.Ret)
        {
            Console.Error.WriteLine($"tail-calls: {method.FullName}: a call by pointer is not the last thing before a return");
            return 1;
        }

        if (call.Previous.OpCode != OpCodes.Tail)
            method.Body.GetILProcessor().InsertBefore(call, Instruction.Create(OpCodes.Tail));
    }
}

using var image = new MemoryStream();
using var symbolImage = new MemoryStream();
module.Write(image, new WriterParameters { SymbolWriterProvider = new PortablePdbWriterProvider(), SymbolStream = symbolImage });
File.WriteAllBytes(path, image.ToArray());
File.WriteAllBytes(symbols, symbolImage.ToArray());
return 0;

// Only a method of the same signature can take the place of its caller.
static bool IsLike(MethodDefinition method, CallSite site) => site.ReturnType.FullName == method.ReturnType.FullName
    && site.Parameters.Select(p => p.ParameterType.FullName).SequenceEqual(method.Parameters.Select(p => p.ParameterType.FullName));
