using System.CommandLine;
using DynaTrans.Disks;
using DynaTrans.Disks.Qcow2;

namespace DynaTrans.Cli.Commands;

/// <summary>The options that say what a new image is like.</summary>
internal sealed class DiskOptions
{
    private readonly Option<string> _format = new("--format") { Description = "raw or qcow2.", HelpName = "FORMAT", DefaultValueFactory = static _ => "qcow2" };
    private readonly Option<string> _clusterSize = new("--cluster-size") { Description = "512 to 2M (qcow2).", HelpName = "SIZE", DefaultValueFactory = static _ => "64K" };
    private readonly Option<int> _version = new("--compat") { Description = "The version of qcow2, 2 or 3.", HelpName = "N", DefaultValueFactory = static _ => 3 };
    private readonly Option<int> _refcountBits = new("--refcount-bits") { Description = "The width of refcounts, 1 to 64 (qcow2).", HelpName = "N", DefaultValueFactory = static _ => 16 };
    private readonly Option<bool> _lazy = new("--lazy-refcounts") { Description = "Refcounts are written when the image is closed (qcow2)." };
    private readonly Option<bool> _force = new("--force") { Description = "A file that exists is replaced." };

    /// <summary>The format of a name.</summary>
    public static DiskFormat FormatNamed(string name) => name switch
    {
        "raw" => DiskFormat.Raw,
        "qcow2" => DiskFormat.Qcow2,
        _ => throw new CommandException(ExitStatus.Usage, $"disk: the format '{name}' is not known; raw or qcow2 expected"),
    };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _format, _clusterSize, _version, _refcountBits, _lazy, _force })
            command.Add(option);
    }

    /// <summary>The format that was asked for.</summary>
    public DiskFormat Format(ParseResult result) => FormatNamed(result.GetValue(_format)!);

    /// <summary>The rest of what was asked for.</summary>
    public Qcow2CreateOptions Read(ParseResult result) => new()
    {
        ClusterSize = Quantities.ReadSize(result.GetValue(_clusterSize)!) is { } size and <= int.MaxValue
            ? (int)size
            : throw new CommandException(ExitStatus.Usage, $"disk: '{result.GetValue(_clusterSize)}' is no cluster size"),
        Version = result.GetValue(_version),
        RefcountBits = result.GetValue(_refcountBits),
        IsLazy = result.GetValue(_lazy),
        Replaces = result.GetValue(_force),
    };
}
