using System.Globalization;
using System.Text;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Inspection.HostCode;

namespace DynaTrans.Inspection.Text;

/// <summary>A dump as text: three columns (IR, IL, host code) below each guest instruction.</summary>
public static class DumpText
{
    private const int IrWidth = 46;
    private const int IlWidth = 66;

    /// <summary>Writes a dump.</summary>
    public static void Write(TextWriter to, BlockDump dump)
    {
        var instructions = dump.Blocks.Sum(block => block.Instructions.Count);
        to.WriteLine(Invariant(
            $"{dump.Name}{(dump.Input.Symbol is { } symbol ? $" ({symbol})" : "")}: {Count(dump.Blocks.Count, "block")}, {Count(instructions, "guest instruction")}, {Mode(dump)}, {Count(dump.Il.Count, "IL statement")}, {dump.HostSize} bytes of host code"));
        if (dump.Input.Executed is { } executed)
            to.WriteLine(Invariant($"{executed} guest instructions executed"));
        foreach (var page in dump.Input.Pages)
            to.WriteLine(Invariant($"page 0x{page.Linear:x} at physical 0x{page.Physical:x}"));
        to.WriteLine("IR: !f writes the flags record, (!f) the record is dead and not written, [removed] the op is not executed");
        to.WriteLine();
        Row(to, "IR", "IL", dump.HostIsAligned ? "host" : "");
        Row(to, new string('-', IrWidth), new string('-', IlWidth), dump.HostIsAligned ? new string('-', 40) : "");
        Section(to, "entry", [], dump.Il.Where(s => s is { Rip: null, OutOfLine: false }), HostOf(dump, h => h is { Rip: null, OutOfLine: false }));
        foreach (var block in dump.Blocks)
        {
            to.WriteLine(Invariant($"block 0x{block.Start:x}..0x{block.Next:x}"));
            foreach (var instruction in block.Instructions)
            {
                var bytes = string.Join(' ', instruction.Bytes.Select(b => b.ToString("x2", CultureInfo.InvariantCulture)));
                Section(
                    to, Invariant($"{instruction.Rip:x}: {bytes,-24} {instruction.Text}"), instruction.Ops.Select(Ir),
                    dump.Il.Where(s => s.Rip == instruction.Rip && !s.OutOfLine),
                    HostOf(dump, h => h.Rip == instruction.Rip && !h.OutOfLine));
            }
        }

        Section(to, "slow paths and exits", [], dump.Il.Where(s => s.OutOfLine), HostOf(dump, h => h.OutOfLine));
        if (dump.HostIsAligned || dump.Host.Count == 0)
            return;
        to.WriteLine("host code");
        foreach (var host in dump.Host)
            to.WriteLine("    " + Host(host));
        to.WriteLine();
    }

    /// <summary>Writes what fits a narrow terminal: guest instructions with their IR, and beside it the host code without slow paths.</summary>
    public static void WriteBrief(TextWriter to, BlockDump dump)
    {
        foreach (var block in dump.Blocks)
        {
            foreach (var instruction in block.Instructions)
            {
                to.WriteLine(Invariant($"{instruction.Rip:x}: {instruction.Text}"));
                var left = instruction.Ops.Select(Ir).ToList();
                var right = HostOf(dump, h => h.Rip == instruction.Rip && !h.OutOfLine).Select(Host).ToList();
                for (var i = 0; i < Math.Max(left.Count, right.Count); i++)
                    to.WriteLine($"    {left.ElementAtOrDefault(i) ?? "",-IrWidth}  {right.ElementAtOrDefault(i) ?? ""}".TrimEnd());
            }

            to.WriteLine();
        }
    }

    private static IEnumerable<HostInstruction> HostOf(BlockDump dump, Func<HostInstruction, bool> which) =>
        dump.HostIsAligned ? dump.Host.Where(which) : [];

    private static string Ir(DumpedOp op) =>
        op.Optimised == null ? $"{op.Lifted} [removed]" : op.Optimised == op.Lifted ? op.Lifted : op.Lifted.Replace(" !f", " (!f)", StringComparison.Ordinal);

    private static string Host(HostInstruction host) => Invariant($"+{host.Offset:x4}  {host.Text}");

    private static void Section(
        TextWriter to, string head, IEnumerable<string> ir, IEnumerable<IlStatement> il, IEnumerable<HostInstruction> host)
    {
        to.WriteLine(head);
        var left = ir.SelectMany(line => Wrap(line, IrWidth, " ")).ToList();
        var middle = il.SelectMany(s => Wrap(s.Comment.Length == 0 ? s.Label + s.Text : $"{s.Label}{s.Text} // {s.Comment}", IlWidth, "; ")).ToList();
        var right = host.Select(Host).ToList();
        for (var i = 0; i < Math.Max(left.Count, Math.Max(middle.Count, right.Count)); i++)
            Row(to, left.ElementAtOrDefault(i) ?? "", middle.ElementAtOrDefault(i) ?? "", right.ElementAtOrDefault(i) ?? "");
        to.WriteLine();
    }

    private static void Row(TextWriter to, string ir, string il, string host) =>
        to.WriteLine($"  {ir.PadRight(IrWidth)}  {il.PadRight(IlWidth)}  {host}".TrimEnd());

    private static IEnumerable<string> Wrap(string line, int width, string separator)
    {
        var rest = line;
        while (rest.Length > width)
        {
            var cut = rest.LastIndexOf(separator, width - separator.Length, StringComparison.Ordinal);
            if (cut <= 4)
                break;
            yield return rest[..(cut + separator.Length)].TrimEnd();
            rest = "  " + rest[(cut + separator.Length)..];
        }

        yield return rest;
    }

    // With paging the privilege level says which pages it may touch.
    private static string Mode(BlockDump dump)
    {
        var mode = dump.Region.Mode;
        var privilege = dump.Input.Pages.Count == 0 ? "" : mode.IsUser() ? ", ring 3" : (mode & GuestMode.Unprivileged) != 0 ? ", ring 1 or 2" : ", ring 0";
        return mode.ToString().ToLowerInvariant() + privilege;
    }

    private static string Count(int n, string what) => Invariant($"{n} {what}{(n == 1 ? "" : "s")}");

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
