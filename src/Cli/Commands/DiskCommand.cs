using System.CommandLine;
using System.Globalization;
using DynaTrans.Disks;
using Spectre.Console;

namespace DynaTrans.Cli.Commands;

/// <summary><c>dynatrans disk</c>: disk images, raw and qcow2.</summary>
internal static class DiskCommand
{
    private static readonly Argument<string> File = new("FILE") { Description = "The image." };

    private static readonly Option<string[]> Allowed = new("--allow-backing")
    {
        Description = "A file, or a directory with all in it, that backing files may be; may be repeated.",
        HelpName = "PATH",
        DefaultValueFactory = static _ => [],
    };

    /// <summary>Describes the verb.</summary>
    public static Verb Create()
    {
        var command = new Command("disk", "Disk images, raw and qcow2: disk create|info|check|convert|resize|snapshot.")
        {
            CreateImage(), Info(), Check(), Convert(), Resize(), Snapshot(),
        };
        return new Verb(command, static (_, _) => CommandLine.Fail(ExitStatus.Usage, "disk: create, info, check, convert, resize or snapshot expected"), TakesGuest: false);
    }

    private static Command CreateImage()
    {
        var options = new DiskOptions();
        var size = new Argument<string>("SIZE") { Description = "The length of the disk, such as 10G." };
        var backing = new Option<string?>("--backing") { Description = "The backing file, as the image is to name it (qcow2).", HelpName = "FILE" };
        var backingFormat = new Option<string>("--backing-format") { Description = "The backing file's format: raw or qcow2.", HelpName = "FORMAT", DefaultValueFactory = static _ => "qcow2" };
        var command = new Command("create", "Makes an empty image.") { File, size, backing, backingFormat, Allowed };
        options.AddTo(command);
        return Act(command, result =>
        {
            var name = result.GetValue(backing);
            using var image = DiskImage.Create(
                result.GetValue(File)!,
                SizeOf(result.GetValue(size)!),
                options.Format(result),
                options.Read(result) with { BackingName = name, BackingFormat = DiskOptions.FormatNamed(result.GetValue(backingFormat)!) },
                AllowedPaths(result));
            return ExitStatus.Ok;
        });
    }

    private static Command Info() => Act(new Command("info", "Says what an image is.") { File }, static result =>
    {
        using var image = DiskImage.Open(result.GetValue(File)!, new DiskOpenOptions { IsReadOnly = true, LeavesOutBacking = true });
        Print($"format: {Name(image.Format)}");
        Print($"length: {image.Length} bytes");
        Print($"file: {image.FileLength} bytes");
        foreach (var (name, value) in image.Properties)
            Print($"{name}: {value}");
        foreach (var snapshot in image.Snapshots)
            Print($"snapshot: {Describe(snapshot)}");
        return ExitStatus.Ok;
    });

    private static Command Check()
    {
        var repair = new Option<bool>("--repair") { Description = "Rebuilds what can be rebuilt." };
        return Act(new Command("check", "Compares an image's tables with each other (status 1: something is wrong).") { File, repair }, result =>
        {
            var path = result.GetValue(File)!;
            if (WithProgress("check", progress => DiskTools.Check(path, result.GetValue(repair), progress)) is not { } found)
            {
                Print($"{path}: raw, nothing to check");
                return ExitStatus.Ok;
            }

            foreach (var problem in found.Problems)
                Print($"{problem}");
            Print($"{found.Allocated} of {found.Clusters} clusters stored, {found.Compressed} of them compressed; {found.Corruptions} corruptions, {found.Leaks} leaks");
            return found.IsClean ? ExitStatus.Ok : ExitStatus.Failed;
        });
    }

    private static Command Convert()
    {
        var options = new DiskOptions();
        var target = new Argument<string>("TARGET") { Description = "The new image." };
        var from = new Option<string?>("--from") { Description = "The source's format: raw or qcow2; the default is what the file looks like.", HelpName = "FORMAT" };
        var command = new Command("convert", "Copies a disk into a new image.") { File, target, from, Allowed };
        options.AddTo(command);
        return Act(command, result =>
        {
            var format = result.GetValue(from) is { } name ? DiskOptions.FormatNamed(name) : (DiskFormat?)null;
            using var source = DiskImage.Open(result.GetValue(File)!, new DiskOpenOptions { IsReadOnly = true, Format = format, AllowedBacking = AllowedPaths(result) });
            using var made = DiskImage.Create(result.GetValue(target)!, source.Length, options.Format(result), options.Read(result));
            return WithProgress("convert", progress =>
            {
                DiskTools.Copy(source, made, progress);
                return ExitStatus.Ok;
            });
        });
    }

    private static Command Resize()
    {
        var size = new Argument<string>("SIZE") { Description = "The new length of the disk." };
        var shrink = new Option<bool>("--shrink") { Description = "The new length may be less: what lies behind it is lost." };
        return Act(new Command("resize", "Changes the length of a disk.") { File, size, shrink, Allowed }, result =>
        {
            using var image = DiskImage.Open(result.GetValue(File)!, new DiskOpenOptions { AllowedBacking = AllowedPaths(result) });
            var length = SizeOf(result.GetValue(size)!);
            if (length < image.Length && !result.GetValue(shrink))
                throw new DiskImageException($"{image.Path}: {length} bytes are less than {image.Length}; --shrink allows that");
            image.Resize(length);
            return ExitStatus.Ok;
        });
    }

    private static Command Snapshot()
    {
        var name = new Argument<string>("NAME") { Description = "The snapshot's name, or number." };
        var list = Act(new Command("list", "Lists the snapshots.") { File }, static result =>
        {
            using var image = DiskImage.Open(result.GetValue(File)!, new DiskOpenOptions { IsReadOnly = true, LeavesOutBacking = true });
            foreach (var snapshot in image.Snapshots)
                Print($"{Describe(snapshot)}");
            return ExitStatus.Ok;
        });
        return new Command("snapshot", "Internal snapshots: disk snapshot list|create|apply|delete.")
        {
            list,
            Change("create", "Keeps the disk as it is now.", static (image, text) => image.CreateSnapshot(text, DateTimeOffset.UtcNow)),
            Change("apply", "Makes the disk what it was.", static (image, text) => image.ApplySnapshot(text)),
            Change("delete", "Removes a snapshot.", static (image, text) => image.DeleteSnapshot(text)),
        };

        Command Change(string verb, string description, Action<DiskImage, string> change) =>
            Act(new Command(verb, description) { File, name, Allowed }, result =>
            {
                using var image = DiskImage.Open(result.GetValue(File)!, new DiskOpenOptions { AllowedBacking = AllowedPaths(result) });
                change(image, result.GetValue(name)!);
                return ExitStatus.Ok;
            });
    }

    private static Command Act(Command command, Func<ParseResult, int> action)
    {
        command.SetAction(result =>
        {
            try
            {
                return action(result);
            }
            catch (DiskImageException e)
            {
                return CommandLine.Fail(ExitStatus.Failed, $"disk {command.Name}: {e.Message}");
            }
        });
        return command;
    }

    private static T WithProgress<T>(string title, Func<Action<double>?, T> action)
    {
        if (Console.IsErrorRedirected)
            return action(null);
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return console.Progress().AutoClear(true).Start(context =>
        {
            var task = context.AddTask(title, maxValue: 1);
            return action(done => task.Value = done);
        });
    }

    private static IReadOnlyList<string> AllowedPaths(ParseResult result) => result.GetValue(Allowed) ?? [];

    private static long SizeOf(string text) => Quantities.ReadSize(text) ?? throw new CommandException(ExitStatus.Usage, $"disk: '{text}' is no size");

    private static string Name(DiskFormat format) => format == DiskFormat.Raw ? "raw" : "qcow2";

    private static string Describe(DiskSnapshot snapshot) =>
        string.Create(CultureInfo.InvariantCulture, $"{snapshot.Id,3}  {Printable(snapshot.Name)}  {snapshot.Date:yyyy-MM-dd HH:mm:ss}  {snapshot.Length} bytes");

    // Names come from the image: they must not control the terminal.
    private static string Printable(string text) => string.Concat(text.Select(static c => char.IsControl(c) ? '?' : c));

    private static void Print(FormattableString line) => Console.WriteLine(Printable(line.ToString(CultureInfo.InvariantCulture)));
}
