using System.CommandLine;
using System.Globalization;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Inspection;
using DynaTrans.Inspection.Assemblies;
using DynaTrans.Inspection.CSharp;
using DynaTrans.Inspection.HostCode;
using DynaTrans.Inspection.Html;
using DynaTrans.Inspection.Text;
using DynaTrans.Linux;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Loading;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Cli.Commands;

/// <summary><c>dynatrans dump</c>: blocks and regions of a program at every stage from guest bytes to host code.</summary>
internal static class DumpCommand
{
    private const int MaxHot = 1000;
    private const int MaxBlocks = 128;

    private static readonly Argument<string> Program = new("PROGRAM") { Description = "The program." };

    private static readonly Argument<string[]> Arguments = new("ARG")
    {
        Description = "Its arguments (with --hot), behind --.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string?> At = new("--at")
    {
        Description = "The block at this address (hexadecimal; of the file, or as loaded).",
        HelpName = "ADDR",
    };

    private static readonly Option<string?> Symbol = new("--symbol") { Description = "The function of this name, as one region.", HelpName = "NAME" };

    private static readonly Option<int?> Hot = new("--hot")
    {
        Description = "Run the program, its output to standard error, and show the N regions that executed most instructions.",
        HelpName = "N",
    };

    private static readonly Option<string?> Root = new("--root")
    {
        Description = "With --hot: look up the interpreter, libraries and absolute paths in this directory first.",
        HelpName = "DIR",
    };

    private static readonly Option<bool> Boot = new("--boot")
    {
        Description = "PROGRAM is a kernel: boot it with the options of boot behind --, its output to standard error, and show what was hot when the machine ended.",
    };

    private static readonly Option<string?> Html = new("--html") { Description = "Write one HTML page.", HelpName = "FILE" };

    private static readonly Option<bool> CSharp = new("--csharp") { Description = "Print the translation as C#." };

    private static readonly Option<string?> Assembly = new("--assembly") { Description = "Write the translation as a .NET assembly.", HelpName = "FILE" };

    /// <summary>Describes the verb.</summary>
    public static Verb Create()
    {
        var command = new Command("dump", "Shows translations: guest assembly, IR, IL and host code; without a choice, the block at the entry point.")
        {
            Program, Arguments, At, Symbol, Hot, Boot, Root, Html, CSharp, Assembly,
        };
        return new Verb(command, (result, _) => Run(result), TakesGuest: false);
    }

    private static int Run(ParseResult result)
    {
        var path = result.GetValue(Program)!;
        var choices = new object?[] { result.GetValue(At), result.GetValue(Symbol), result.GetValue(Hot) }.Count(choice => choice != null);
        if (choices > 1)
            throw new CommandException(ExitStatus.Usage, "dump: only one of --at, --symbol and --hot can be given");
        if (result.GetValue(Boot))
            return Write(result, Path.GetFileName(path), BlockDump.Create(BootForHot(result, path)));
        var root = result.GetValue(Root);
        var program = ProgramFinder.Find(path, root);
        using var image = LoadImage(program, root);
        var dumps = result.GetValue(Hot) is { } hot ? Dump(image, RunForHot(result, path, program, hot)) : DumpChoice(result, image);
        return Write(result, Path.GetFileName(program), dumps);
    }

    private static IReadOnlyList<BlockDump> Dump(ProgramImage image, IEnumerable<DumpInput> inputs) =>
        BlockDump.Create([.. inputs.Select(input => input with { Symbol = image.NameOf(input.Region.Blocks[0].Start) })]);

    // A large function is cut to what the translator would compile as one region.
    private static IReadOnlyList<BlockDump> DumpChoice(ParseResult result, ProgramImage image)
    {
        for (var blocks = MaxBlocks; ; blocks /= 2)
        {
            var dumps = Dump(image, [Choose(result, image, blocks)]);
            if (dumps[0].IsWithinLimits || blocks == 1)
                return dumps;
        }
    }

    private static ProgramImage LoadImage(string program, string? root)
    {
        var inRoot = root != null && program.StartsWith('/') ? Path.Join(root, program) : program;
        try
        {
            return ProgramImage.Load(File.Exists(inRoot) ? inRoot : program);
        }
        catch (LoadException e)
        {
            throw new CommandException(e.Error == Errno.ENOENT ? ExitStatus.NotFound : ExitStatus.CannotRun, $"{program}: {e.Message}");
        }
    }

    private static DumpInput Choose(ParseResult result, ProgramImage image, int maxBlocks)
    {
        var mode = image.Is32 ? GuestMode.Linux32 : GuestMode.Linux64;
        if (result.GetValue(Symbol) is { } name)
        {
            var symbol = image.Symbols.FirstOrDefault(s => s.Name == name);
            if (symbol.Name == null)
                throw new CommandException(ExitStatus.Usage, $"--symbol {name}: the program has no such function");
            var start = symbol.Address + image.Bias;
            return Lift(image, start, mode, start + symbol.Size, maxBlocks);
        }

        if (result.GetValue(At) is not { } text)
            return Lift(image, image.Entry, mode, 0, 1);
        var digits = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text[2..] : text;
        if (!ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var address))
            throw new CommandException(ExitStatus.Usage, $"--at {text}: a hexadecimal address expected");
        var isOfFile = !image.Memory.Allows(address, 1, PagePermission.Execute);
        return Lift(image, isOfFile ? address + image.Bias : address, mode, 0, 1);
    }

    private static DumpInput Lift(ProgramImage image, ulong start, GuestMode mode, ulong end, int maxBlocks)
    {
        try
        {
            var options = new EmitOptions(WindowPages: image.Memory.WindowSize / AddressSpace.PageSize, PermissionsOffset: image.Memory.PermissionsOffset, IsEntered: true);
            return new DumpInput(BlockDump.Lift(image.Memory, start, mode, start, end, maxBlocks), image.Memory.Read) { Options = options };
        }
        catch (ArgumentException e)
        {
            throw new CommandException(ExitStatus.Usage, e.Message);
        }
    }

    private static List<DumpInput> RunForHot(ParseResult result, string name, string program, int count)
    {
        CheckCount(count);
        var hot = new HotRegions();
        var options = new LinuxOptions
        {
            Program = program,
            Argument0 = name,
            Arguments = result.GetValue(Arguments) ?? [],
            Root = result.GetValue(Root),
            TranslatorFactory = _ => Engines.Make(Engines.Auto, heatCounter: hot.CounterOf),
            VcpuCreated = hot.Watch,
        };
        JitSession.Connect();
        CacheSettings.HideAll(null);
        var status = StandardOutput.WithOutputOnError(() => LinuxHost.Run(options));
        var regions = hot.Regions;
        if (regions.Count == 0)
            throw new CommandException(ExitStatus.Failed, $"{name} ended with status {status} before anything became hot");
        return [.. regions.Take(count)];
    }

    private static List<DumpInput> BootForHot(ParseResult result, string kernel)
    {
        if (result.GetValue(Hot) is not { } count || result.GetValue(Root) != null)
            throw new CommandException(ExitStatus.Usage, "dump: --boot needs --hot and nothing else to choose by");
        CheckCount(count);
        var hot = new HotRegions();
        JitSession.Connect();
        StandardOutput.WithOutputOnError(() => BootCommand.Run(BootOptions.Parse(kernel, result.GetValue(Arguments) ?? []), hot));
        return hot.Regions is { Count: > 0 } regions
            ? [.. regions.Take(count)]
            : throw new CommandException(ExitStatus.Failed, $"{kernel}: the machine ended before anything became hot");
    }

    private static void CheckCount(int count)
    {
        if (count is < 1 or > MaxHot)
            throw new CommandException(ExitStatus.Usage, $"--hot {count}: a number from 1 to {MaxHot} expected");
    }

    private static int Write(ParseResult result, string title, IReadOnlyList<BlockDump> dumps)
    {
        var html = result.GetValue(Html);
        var assembly = result.GetValue(Assembly);
        var csharp = result.GetValue(CSharp);
        if (html != null)
        {
            using var to = new StreamWriter(html);
            DumpHtml.Write(to, title, dumps);
        }

        if (assembly != null)
            AssemblyExport.Write(assembly, dumps);
        if (csharp)
            WriteCSharp(assembly, dumps);
        if (html != null || assembly != null || csharp)
            return ExitStatus.Ok;
        foreach (var dump in dumps)
            DumpText.Write(Console.Out, dump);
        return ExitStatus.Ok;
    }

    private static void WriteCSharp(string? assembly, IReadOnlyList<BlockDump> dumps)
    {
        if (assembly != null)
        {
            CSharpListing.Write(Console.Out, assembly, dumps);
            return;
        }

        var directory = Directory.CreateTempSubdirectory("dynatrans");
        try
        {
            var file = Path.Join(directory.FullName, "guest.dll");
            AssemblyExport.Write(file, dumps);
            CSharpListing.Write(Console.Out, file, dumps);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
