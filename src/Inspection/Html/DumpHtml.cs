using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Inspection.Text;

namespace DynaTrans.Inspection.Html;

/// <summary>
/// Dumps as one self-contained HTML page: four columns (guest, IR, IL, host) for each region. What came from one guest instruction has
/// one colour in all columns; pointing at a line brings its counterparts forward.
/// </summary>
public static partial class DumpHtml
{
    // Hues of neighbouring instructions lie far apart: multiples of the golden angle.
    private const double HueStep = 137.5;

    /// <summary>Writes a page.</summary>
    /// <param name="to">Receives it.</param>
    /// <param name="title">Its title: the program.</param>
    /// <param name="dumps">What it shows, in this order.</param>
    public static void Write(TextWriter to, string title, IReadOnlyList<BlockDump> dumps)
    {
        to.WriteLine($"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{Escape(title)} - DynaTrans</title>");
        to.WriteLine("<meta name=\"viewport\" content=\"width=device-width\">");
        to.WriteLine($"<style>{Resource("dump.css")}</style></head><body>");
        to.WriteLine($"<header><h1>DynaTrans</h1><p>{Escape(title)}</p><nav>");
        foreach (var dump in dumps)
            to.WriteLine($"<a href=\"#{dump.Name}\">{Escape(dump.Input.Symbol ?? dump.Name[6..])}</a>");
        to.WriteLine("</nav></header>");
        foreach (var dump in dumps)
            WriteRegion(to, dump);
        to.WriteLine("<footer>Point at a line to see what it came from and what became of it; click to keep it. <del>Struck out</del>: removed by");
        to.WriteLine("an IR pass. <i>!f</i>: the op writes the flags record. Host code and IL are what the translation consists of when it runs.</footer>");
        to.WriteLine($"<script>{Resource("dump.js")}</script></body></html>");
    }

    private static void WriteRegion(TextWriter to, BlockDump dump)
    {
        var hues = new Dictionary<ulong, int>();
        foreach (var instruction in dump.Blocks.SelectMany(block => block.Instructions))
            hues[instruction.Rip] = (int)(hues.Count * HueStep % 360);
        to.WriteLine($"<section id=\"{dump.Name}\"><h2>{dump.Name}{(dump.Input.Symbol is { } symbol ? $" <span>{Escape(symbol)}</span>" : "")}</h2><p class=\"sum\">{Summary(dump)}{Pages(dump)}</p><div class=\"cols\">");
        WriteColumn(to, "Guest", "guest", () => WriteGuest(to, dump, hues));
        WriteColumn(to, "IR", "ir", () => WriteIr(to, dump, hues));
        WriteColumn(to, "IL", "il", () => WriteIl(to, dump, hues));
        WriteColumn(to, "Host", "host", () => WriteHost(to, dump, hues));
        to.WriteLine("</div></section>");
    }

    private static string Summary(BlockDump dump)
    {
        var bytes = dump.Blocks.Sum(block => (long)(block.Next - block.Start));
        var instructions = dump.Blocks.Sum(block => block.Instructions.Count);
        var lifted = dump.Blocks.Sum(block => block.Instructions.Sum(i => i.Ops.Count));
        var kept = dump.Blocks.Sum(block => block.Instructions.Sum(i => i.Ops.Count(op => op.Optimised != null)));
        return FormattableString.Invariant(
            $"{Count(dump.Blocks.Count, "block")} {Count(instructions, "guest instruction")} in {Count(bytes, "byte")} {Count(lifted, "IR op")}, <b>{kept}</b> after passes {Count(dump.Il.Count, "IL statement")} {Count(dump.Host.Count, "host instruction")} in {Count(dump.HostSize, "byte")}{(dump.Input.Executed is { } n ? $" {Count(n, "guest instruction")} executed" : "")}");
    }

    private static string Pages(BlockDump dump) => dump.Input.Pages.Count == 0
        ? ""
        : (dump.Region.Mode.IsUser() ? " user code" : " supervisor code") + string.Concat(
            dump.Input.Pages.Select(page => FormattableString.Invariant($" <b>{page.Linear:x}</b> at physical <b>{page.Physical:x}</b>")));

    private static string Count(long n, string what) => FormattableString.Invariant($"<b>{n}</b> {what}{(n == 1 ? "" : "s")}");

    private static void WriteColumn(TextWriter to, string title, string name, Action content)
    {
        to.WriteLine($"<div class=\"col {name}\"><h3>{title}</h3><div class=\"list\">");
        content();
        to.WriteLine("</div></div>");
    }

    private static void WriteGuest(TextWriter to, BlockDump dump, Dictionary<ulong, int> hues)
    {
        foreach (var block in dump.Blocks)
        {
            Head(to, $"{block.Start:x}");
            foreach (var i in block.Instructions)
            {
                var bytes = string.Join(' ', i.Bytes.Select(b => b.ToString("x2", CultureInfo.InvariantCulture)));
                Line(to, i.Rip, hues, $"<u>{i.Rip:x}</u><span>{Assembly(i.Text)}</span><s>{bytes}</s>");
            }
        }
    }

    private static void WriteIr(TextWriter to, BlockDump dump, Dictionary<ulong, int> hues)
    {
        foreach (var block in dump.Blocks)
        {
            Head(to, $"{block.Start:x}");
            foreach (var i in block.Instructions)
                foreach (var op in i.Ops)
                    Line(to, i.Rip, hues, IrHtml(op));
        }
    }

    private static string IrHtml(DumpedOp op)
    {
        var text = Escape(op.Lifted);
        if (op.Optimised == null)
            return $"<del>{text}</del>";
        var flags = op.Lifted == op.Optimised ? "<i>!f</i>" : "<del>!f</del>";
        return IrOperation().Replace(text, "<b>$1</b>", 1).Replace("!f", flags, StringComparison.Ordinal);
    }

    private static void WriteIl(TextWriter to, BlockDump dump, Dictionary<ulong, int> hues)
    {
        string? part = null;
        foreach (var s in dump.Il)
        {
            var now = s.OutOfLine ? "slow paths and exits" : s.Glue ?? "blocks";
            if (now != part)
                Head(to, now);
            part = now;
            var instructions = s.Text.Split("; ").Select(one =>
            {
                var space = one.IndexOf(' ');
                return space < 0 ? $"<b>{Escape(one)}</b>" : $"<b>{Escape(one[..space])}</b>{Escape(one[space..])}";
            });
            var label = s.Label.Length == 0 ? "" : $"<u>{Escape(s.Label)}</u>";
            var comment = s.Comment.Length == 0 ? "" : $"<s>{Escape(s.Comment)}</s>";
            Line(to, s.Rip, hues, label + string.Join("<q>;</q> ", instructions) + comment, s.OutOfLine);
        }
    }

    private static void WriteHost(TextWriter to, BlockDump dump, Dictionary<ulong, int> hues)
    {
        foreach (var h in dump.Host)
        {
            var comment = h.Text.IndexOf(" ; ", StringComparison.Ordinal);
            var text = comment < 0 ? Assembly(h.Text) : $"{Assembly(h.Text[..comment])}<s>{Escape(h.Text[(comment + 3)..])}</s>";
            Line(to, h.Rip, hues, $"<u>{h.Offset:x4}</u> {text}", h.OutOfLine);
        }
    }

    private static void Head(TextWriter to, string text) => to.WriteLine($"<h4>{Escape(text)}</h4>");

    private static void Line(TextWriter to, ulong? rip, Dictionary<ulong, int> hues, string html, bool outOfLine = false)
    {
        var cold = outOfLine ? " cold" : "";
        var key = rip is { } r && hues.TryGetValue(r, out var hue) ? $" data-k=\"{r:x}\" style=\"--h:{hue}\"" : "";
        to.WriteLine($"<div class=\"l{cold}\"{key}>{html}</div>");
    }

    private static string Assembly(string text)
    {
        var space = text.IndexOf(' ');
        return space < 0
            ? $"<b>{Escape(text)}</b>"
            : $"<b>{Escape(text[..space])}</b>{Number().Replace(Escape(text[space..]), "<i>$0</i>")}";
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private static string Resource(string name)
    {
        using var stream = typeof(DumpHtml).Assembly.GetManifestResourceStream($"DynaTrans.Inspection.Html.{name}")
            ?? throw new InvalidOperationException($"resource {name} is missing");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"\b0x[0-9a-f]+\b|\b\d+\b")]
    private static partial Regex Number();

    [GeneratedRegex(@"(?<= = |^)([a-z]+(?:\.[a-z0-9]+)*)(?= |$)")]
    private static partial Regex IrOperation();
}
