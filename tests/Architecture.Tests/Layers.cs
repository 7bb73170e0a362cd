namespace DynaTrans.Architecture.Tests;

/// <summary>
/// What may depend on what: the one table of it. An entry names what its key may use directly; what is not in the list is forbidden. Who adds a
/// project or a folder gives it a line here.
/// </summary>
internal static class Layers
{
    /// <summary>The projects in <c>src</c>: the other projects and the packages that each refers to.</summary>
    public static readonly Dictionary<string, (string[] Projects, string[] Packages)> Projects = new()
    {
        ["Frontend"] = ([], ["Iced"]),
        // TailCalls is a tool that the build runs.
        ["Runtime"] = (["Frontend", "TailCalls"], ["Iced"]),
        ["IlBackend"] = (["Frontend", "Runtime"], ["System.IO.Hashing"]),
        ["Caching"] = (["Frontend", "Runtime", "IlBackend"], ["System.IO.Hashing"]),
        ["Devices"] = (["Runtime"], []),
        ["Disks"] = ([], ["ZstdSharp.Port"]),
        ["Linux"] = (["Frontend", "Runtime"], []),
        ["Pc"] = (["Frontend", "Runtime", "Devices"], ["SharpCompress", "K4os.Compression.LZ4", "ZstdSharp.Port"]),
        ["Inspection"] = (["Frontend", "Runtime", "IlBackend"], ["ICSharpCode.Decompiler", "Mono.Cecil"]),
        ["Cli"] = (["Frontend", "Runtime", "IlBackend", "Inspection", "Caching", "Linux", "Devices", "Disks", "Pc"], ["System.CommandLine", "Spectre.Console"]),
    };

    /// <summary>The folders of a project (subfolders count as part of them): the other folders of the project that each may use.</summary>
    public static readonly Dictionary<string, Dictionary<string, string[]>> Folders = new()
    {
        ["Frontend"] = new()
        {
            ["Decoding"] = [],
            ["Ir"] = ["Decoding"],
            ["Passes"] = ["Ir"],
            ["Lifting"] = ["Decoding", "Ir"],
        },
        ["Runtime"] = new()
        {
            ["SoftFloat"] = [],
            ["State"] = ["SoftFloat"],
            ["Memory"] = ["State"],
            ["Host"] = ["State"],
            ["Paging"] = ["State", "Memory"],

            // What executors and helpers do about an access: a store may have to drop translations, or be logged by the vCPU.
            ["Access"] = ["State", "Memory", "Host", "Paging", "Execution"],
            ["Segmentation"] = ["State", "Memory", "Paging", "Access"],

            // What system instructions do to registers; they ask the vCPU for its model and for what drives its pins.
            ["Privileged"] = ["State", "Memory", "Host", "Access", "Segmentation", "Execution"],
            ["Helpers"] = ["SoftFloat", "State", "Memory", "Host", "Access", "Segmentation", "Privileged", "Execution"],

            // A cache knows the vCPUs that execute from it: they drop what they know of blocks that are gone.
            ["Translation"] = ["State", "Memory", "Paging", "Execution"],

            // The interpreter's loop runs on behalf of a vCPU and follows its caches from block to block.
            ["Interpretation"] = ["State", "Memory", "Host", "Access", "Helpers", "Translation", "Execution"],
            ["Execution"] = ["State", "Memory", "Host", "Paging", "Access", "Segmentation", "Privileged", "Helpers", "Translation", "Interpretation"],

            // What interrupts and exceptions of a system lead to, between guest instructions.
            ["Interrupts"] = ["State", "Memory", "Access", "Segmentation", "Privileged", "Helpers", "Execution"],
        },
        ["IlBackend"] = new()
        {
            ["Regions"] = [],
            ["Emission"] = ["Regions"],
            ["Precompiled"] = ["Regions", "Emission", "Compilation"],
            ["Compilation"] = ["Regions", "Emission", "Precompiled"],
        },
    };

    /// <summary>
    /// Edges that exist and should not: (file, folder it uses). A line whose file no longer uses the folder fails the test: delete it.
    /// </summary>
    public static readonly (string File, string Uses)[] Exceptions =
    [
    ];
}
