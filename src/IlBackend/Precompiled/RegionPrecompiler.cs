using System.Diagnostics;
using System.Globalization;
using System.IO.Hashing;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>How code is compiled ahead of time.</summary>
/// <param name="Compiler">The compiler (<see cref="Crossgen2.Find"/>).</param>
/// <param name="Model">The CPU that the code ran on; null: that of processes.</param>
/// <param name="MaxWeight">Size limit of a region, in the measure of <see cref="RegionBuilder.MaxWeight"/>.</param>
/// <param name="Parallelism">Threads of the compiler.</param>
public sealed record PrecompileOptions(
    string Compiler, CpuModel? Model = null, int MaxWeight = PrecompileOptions.DefaultMaxWeight, int Parallelism = 1)
{
    /// <summary>Size limit that pays: above it code hardly gets faster, and compiling takes longer for each instruction.</summary>
    public const int DefaultMaxWeight = 24_000;
}

/// <summary>What compiling took.</summary>
/// <param name="Regions">Regions in the image.</param>
/// <param name="Refused">Regions that were left out, because the emitter or the compiler could not make code of them.</param>
/// <param name="Instructions">Guest instructions in the image.</param>
/// <param name="Bytes">Size of the assembly.</param>
/// <param name="EmitTime">Time for lifting the code, forming and emitting regions.</param>
/// <param name="CompileTime">Time of the compiler.</param>
public readonly record struct PrecompileStatistics(int Regions, int Refused, int Instructions, long Bytes, TimeSpan EmitTime, TimeSpan CompileTime);

/// <summary>Makes an assembly with precompiled regions of what a run has executed.</summary>
public static class RegionPrecompiler
{
    private const string ClassName = PrecompiledCode.ClassName;

    /// <summary>Compiles a record.</summary>
    /// <param name="record">What was executed.</param>
    /// <param name="directory">Where the assembly is written; it appears whole or not at all.</param>
    /// <param name="name">Name of the assembly, without extension; no other assembly of a process that loads it has it.</param>
    /// <param name="options">How.</param>
    /// <param name="statistics">What it took.</param>
    /// <param name="cancellation">Ends it; nothing is left behind.</param>
    /// <returns>What the assembly has; null when there is nothing to compile.</returns>
    /// <exception cref="InvalidOperationException">The compiler failed.</exception>
    /// <exception cref="IOException">The assembly cannot be written.</exception>
    public static PrecompiledImage? Build(
        CodeRecord record, string directory, string name, PrecompileOptions options, out PrecompileStatistics statistics, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentNullException.ThrowIfNull(options);
        statistics = default;
        var start = Stopwatch.GetTimestamp();
        var blocks = LiftedBlock.Lift(record, options.Model ?? CpuModel.Process);
        var regions = RegionPartition.Form(record, blocks, options.MaxWeight);
        if (regions.Count == 0)
            return null;
        var scratch = Path.Combine(directory, $".{name}-{Environment.ProcessId}");
        if (OperatingSystem.IsLinux())
            Directory.CreateDirectory(scratch, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            var input = Path.Combine(scratch, name + ".dll");
            var emitted = Emit(record, regions, name, input, cancellation);
            var emitTime = Stopwatch.GetElapsedTime(start);
            var output = Path.Combine(scratch, name + ".out");
            var compileTime = Crossgen2.Run(options.Compiler, input, output, BubbleFiles(), FrameworkFiles(), options.Parallelism, cancellation);
            var bytes = File.ReadAllBytes(output);
            var found = Finish(bytes, emitted, blocks);
            WriteWhole(bytes, Path.Combine(scratch, name + ".done"), Path.Combine(directory, name + ".dll"));
            statistics = new PrecompileStatistics(
                found.Count, regions.Count - found.Count, found.Sum(region => region.Instructions), bytes.Length, emitTime, compileTime);
            return new PrecompiledImage(name + ".dll", XxHash128.HashToUInt128(bytes), record.Contexts, [.. found.Select(region => region.Region)])
            {
                Form = record.Form, Accesses = record.Accesses,
            };
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    // A method that fails half-way cannot be taken out: it is emitted without the region again.
    private static List<(Region Region, LinkList Links)> Emit(
        CodeRecord record, List<Region> regions, string name, string path, CancellationToken cancellation)
    {
        var histories = record.Contexts.Select((_, context) => new RecordedHistory(record, (ushort)context)).ToArray();
        var failed = new HashSet<Region>();
        while (true)
        {
            var emitted = new List<(Region, LinkList)>();
            var called = new HashSet<MethodInfo>();
            var (assembly, type) = NewAssembly(name);
            var failures = failed.Count;
            foreach (var region in regions)
            {
                if (failed.Contains(region))
                    continue;
                cancellation.ThrowIfCancellationRequested();
                var method = type.DefineMethod(NameOf(emitted.Count), MethodAttributes.Public | MethodAttributes.Static, typeof(void), IlGeneratorSink.Parameters);
                try
                {
                    emitted.Add((region, RegionEmitter.Emit(new PersistedSink(method, called), region, histories[region.Context], record.Form.Options).Links));
                }
                catch (Exception e) when (e is InvalidOperationException or ArgumentException or KeyNotFoundException or IndexOutOfRangeException or NotSupportedException)
                {
                    failed.Add(region);
                    break;
                }
            }

            if (failed.Count != failures)
                continue;
            EmitPreparation(type, called);
            type.CreateType();
            assembly.Save(path);
            return emitted;
        }
    }

    // What regions call must be ready before they run: under the guest's MXCSR nothing may be compiled or looked up.
    private static void EmitPreparation(TypeBuilder type, IEnumerable<MethodInfo> called)
    {
        var prepare = typeof(Preparation).GetMethod(nameof(Preparation.Prepare), [typeof(RuntimeMethodHandle), typeof(RuntimeTypeHandle)])!;
        var il = type.DefineMethod(PrecompiledCode.PreparationName, MethodAttributes.Public | MethodAttributes.Static, typeof(void), []).GetILGenerator();
        foreach (var method in called)
        {
            il.Emit(OpCodes.Ldtoken, method);
            il.Emit(OpCodes.Ldtoken, method.DeclaringType!);
            il.Emit(OpCodes.Call, prepare);
        }

        il.Emit(OpCodes.Ret);
    }

    private static string NameOf(int index) => string.Create(CultureInfo.InvariantCulture, $"r{index}");

    private static (PersistedAssemblyBuilder Assembly, TypeBuilder Type) NewAssembly(string name)
    {
        var assembly = new PersistedAssemblyBuilder(new AssemblyName(name), typeof(object).Assembly);
        var attribute = typeof(IgnoresAccessChecksToAttribute).GetConstructor([typeof(string)])!;
        foreach (var other in OwnAssemblies())
            assembly.SetCustomAttribute(new CustomAttributeBuilder(attribute, [other.GetName().Name]));
        var module = assembly.DefineDynamicModule(name);
        const TypeAttributes StaticClass = TypeAttributes.Public | TypeAttributes.Abstract | TypeAttributes.Sealed | TypeAttributes.BeforeFieldInit;
        return (assembly, module.DefineType(ClassName, StaticClass));
    }

    private static Assembly[] OwnAssemblies() => [typeof(IrOp).Assembly, typeof(EntryCell).Assembly, typeof(RegionPrecompiler).Assembly];

    // The signatures of helpers have vectors in them, which only code that is compiled together may pass; and what is inlined is of these.
    private static IEnumerable<string> BubbleFiles() =>
        [typeof(object).Assembly.Location, Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "System.Runtime.dll"), .. OwnAssemblies().Select(assembly => assembly.Location)];

    private static IEnumerable<string> FrameworkFiles() =>
        Directory.EnumerateFiles(RuntimeEnvironment.GetRuntimeDirectory(), "System.*.dll").Except(BubbleFiles())
            .Append(typeof(Iced.Intel.Code).Assembly.Location);

    private static List<(PrecompiledRegion Region, int Instructions)> Finish(byte[] bytes, List<(Region Region, LinkList Links)> emitted, List<LiftedBlock> blocks)
    {
        const int MethodTable = 0x06 << 24;
        var done = new List<(PrecompiledRegion, int)>();
        using var file = new ReadyToRunFile(bytes);
        var rows = file.MethodRows();
        for (var i = 0; i < emitted.Count; i++)
        {
            var row = rows[NameOf(i)];
            if (!file.HasCode(row))
                continue;
            file.MarkOptimised(row);
            var (region, links) = emitted[i];
            done.Add((
                new PrecompiledRegion(
                    MethodTable | row, region.Context, [.. region.Entries.Select(entry => new PrecompiledEntry(entry.Start, (ushort)entry.Entry))],
                    RangesOf(region.Blocks.Select(block => blocks[(int)block.Source].Recorded)), links.Targets, links.Sites.ToArray()),
                region.Blocks.Sum(block => block.Addresses.Length)));
        }

        return done;
    }

    // Blocks may overlap: one may begin in the middle of another.
    private static List<PrecompiledRange> RangesOf(IEnumerable<RecordedBlock> blocks)
    {
        var ranges = new List<PrecompiledRange>();
        var bytes = new List<byte>();
        var start = 0UL;
        foreach (var block in blocks.OrderBy(block => block.Linear))
        {
            var known = block.Linear - start;
            if (bytes.Count == 0 || known > (ulong)bytes.Count)
            {
                Close();
                start = block.Linear;
                known = 0;
            }

            var fresh = bytes.Count - (int)known;
            if (fresh < block.Bytes.Length)
                bytes.AddRange(block.Bytes.AsSpan(fresh));
        }

        Close();
        return ranges;

        void Close()
        {
            if (bytes.Count > 0)
                ranges.Add(new PrecompiledRange(start, [.. bytes]));
            bytes.Clear();
        }
    }

    private static void WriteWhole(byte[] bytes, string temporary, string path)
    {
        var create = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, PreallocationSize = bytes.Length };
        if (!OperatingSystem.IsWindows())
            create.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new FileStream(temporary, create))
        {
            file.Write(bytes);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
