using System.Globalization;
using DynaTrans.Conformance.Running;
using DynaTrans.Conformance.Vectors;

namespace DynaTrans.Conformance;

/// <summary>Console mode of the suite: <c>eng/conformance</c> and <c>eng/vectors</c> start it.</summary>
public static class Program
{
    private const string Usage = """
        usage: conformance [--cases N] [--encodings N] [--seed N] [--filter REGEX] [--engine interp|jit|regions|lookaside|both|all|none] [--all] [--table FILE]
               vectors [--one-in N] [--filter REGEX] [--engine interp|jit|regions|lookaside|both|all|none] [--all] [--table FILE]
        """;

    /// <summary>Entry point. Status 0: no mismatch; 1: mismatches; 2: wrong usage or nothing to compare with.</summary>
    public static int Main(string[] args)
    {
        if (args.Length == 0 || args[0] is not ("conformance" or "vectors")) return Fail(Usage);
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 1; i < args.Length; i++)
        {
            if (args[i] == "--all") options[args[i]] = "";
            else if (args[i] is "--cases" or "--encodings" or "--seed" or "--filter" or "--engine" or "--one-in" or "--table" && i + 1 < args.Length) options[args[i]] = args[++i];
            else return Fail($"unknown option {args[i]}\n{Usage}");
        }
        try
        {
            return args[0] == "conformance" ? ConformanceReport.Run(options) : VectorReport.Run(options);
        }
        catch (FormatException e)
        {
            return Fail(e.Message);
        }
    }

    internal static int Number(Dictionary<string, string> options, string name, int standard) =>
        options.TryGetValue(name, out var text) ? int.Parse(text, NumberStyles.Integer, CultureInfo.InvariantCulture) : standard;

    internal static int Fail(string message)
    {
        Console.Error.WriteLine(message);
        return 2;
    }
}
