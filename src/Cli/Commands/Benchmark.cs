using System.ComponentModel;
using System.Globalization;
using Spectre.Console;

namespace DynaTrans.Cli.Commands;

/// <summary>Measures one guest by all executors there are, alternately, and shows medians in a table.</summary>
internal sealed class Benchmark
{
    private readonly string? _root;
    private readonly List<string> _guest;
    private readonly List<Contender> _contenders;

    /// <summary>Prepares a benchmark.</summary>
    /// <param name="program">Host path of the guest's program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="root">Where libraries are looked up first, or null.</param>
    /// <param name="withOthers">Measure the host CPU and qemu-user too, where they can run the guest.</param>
    /// <exception cref="CommandException">The program is no ELF file of a known architecture.</exception>
    public Benchmark(string program, IReadOnlyList<string> arguments, string? root, bool withOthers)
    {
        _root = root;
        _guest = [program, .. arguments];
        _contenders = [new Contender("interpreter", () => ChildRun.Self(Engines.Interpreter, root, _guest))];
        _contenders.Add(new Contender("translator", () => ChildRun.Self(Engines.Auto, root, _guest)));
        if (withOthers)
            AddOthers(GuestFile.IsElf32(program, root) ? "qemu-i386" : "qemu-x86_64");
    }

    /// <summary>Runs everything <paramref name="rounds"/> times.</summary>
    /// <exception cref="CommandException">An executor gave another output or status than the others.</exception>
    public void Run(int rounds)
    {
        for (var round = 0; round < rounds; round++)
            foreach (var contender in _contenders)
                contender.Measure();
        _contenders.RemoveAll(c => c.Measurements.Count == 0);
        var first = _contenders[0].Measurements[0];
        foreach (var contender in _contenders)
            foreach (var measurement in contender.Measurements)
                if ((measurement.Status, measurement.OutputHash) != (first.Status, first.OutputHash))
                    throw new CommandException(
                        ExitStatus.Failed,
                        $"{contender.Name} ended with status {measurement.Status}, the interpreter with {first.Status}, or their outputs differ");
    }

    /// <summary>The results as a table.</summary>
    public Table ToTable(bool markdown)
    {
        var table = new Table().Border(markdown ? TableBorder.Markdown : TableBorder.Rounded);
        table.AddColumn("executor");
        foreach (var name in new[] { "wall s", "MIPS", "vs interp.", "vs QEMU", "vs native", "compile" })
            table.AddColumn(new TableColumn(name).RightAligned());
        var instructions = Find("interpreter")!.Measurements[0].Counters?.Instructions;
        foreach (var contender in _contenders)
        {
            var seconds = contender.Seconds;
            var compile = contender.Measurements[0].Counters is { Translations: > 0 } counters ? counters.CompileSeconds / contender.Measurements[0].Seconds : (double?)null;
            table.AddRow(
                contender.Name, Text(seconds, "f3"), Text(instructions / seconds / 1e6, "f0"), Ratio("interpreter"), Ratio("qemu-"), Ratio("native"),
                compile is { } share ? Text(share * 100, "f0") + " %" : "-");

            string Ratio(string other) => Find(other) is { } o && o != contender ? Text(o.Seconds / seconds, "f2") : "-";
        }

        return table;
    }

    private static string Text(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "-";

    private Contender? Find(string name) => _contenders.Find(c => c.Name.StartsWith(name, StringComparison.Ordinal));

    private void AddOthers(string qemuName)
    {
        if (ChildRun.FindTool(qemuName) is { } qemu)
        {
            List<string> command = _root == null ? [qemu, .. _guest] : [qemu, "-L", _root, .. _guest];
            _contenders.Add(new Contender(qemuName, () => ChildRun.Run(command)));
        }

        // With another root the host would run its own libraries.
        if (_root == null)
            _contenders.Add(new Contender("native", () => ChildRun.Run(_guest)) { MayFail = true });
    }

    /// <summary>One way to run the guest.</summary>
    private sealed class Contender(string name, Func<Measurement> run)
    {
        public string Name { get; } = name;

        /// <summary>True when the host may be unable to run it: then it is left out.</summary>
        public bool MayFail { get; init; }

        public List<Measurement> Measurements { get; } = [];

        /// <summary>The median wall time.</summary>
        public double Seconds => Measurements.Select(m => m.Seconds).Order().ElementAt(Measurements.Count / 2);

        public void Measure()
        {
            try
            {
                Measurements.Add(run());
            }
            catch (Win32Exception) when (MayFail)
            {
                Measurements.Clear();
            }
        }
    }
}
