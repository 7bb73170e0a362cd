"""Makes Markdown of the results of perf/system. A line: part, group, kind, name, QEMU's figure, ours, and of boots with a translation cache: with an
empty one, with what was built of the first; `-` is missing (older files have no such columns). The first line, behind #, says how it was measured."""
import math

# Groups whose ratios have a target together: title, target, groups.
MEANS = (
    ("integer kernels inside the guest, geometric mean", 1.6, ("integer",)),
    ("floating-point and vector kernels inside the guest, geometric mean", 4.0, ("sse", "x87")),
    ("of these on SSE, geometric mean", None, ("sse",)),
    ("of these on x87, geometric mean", None, ("x87",)),
    ("real programs inside the guest, geometric mean", 1.1, ("programs",)),
    ("system calls, page faults, pipes, fork, exec inside the guest, geometric mean", 0.8, ("system",)),
)


class Row:
    """A workload."""

    def __init__(self, line):
        self.part, self.group, self.kind, self.name, *figures = line.split("\t")
        self.qemu, self.ours, self.first, self.second = ([None if text == "-" else float(text) for text in figures] + [None, None])[:4]
        self.ratio = self.qemu / self.ours if self.qemu and self.ours else None


def figure(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def aim(what, target, reached, met, remark):
    """A line of the summary."""
    verdict = "-" if reached == "-" or target == "-" else "yes" if met else "no"
    return f"| {what} | {target} | {reached} | {verdict} | {remark} |"


def ratio_line(what, target, rows):
    rows = [row for row in rows if row.ratio]
    mean = math.exp(sum(math.log(row.ratio) for row in rows) / len(rows)) if rows else None
    remark = ""
    if len(rows) > 1:
        least = min(rows, key=lambda row: row.ratio)
        remark = f"{len(rows)} workloads, least {least.ratio:.2f}: {least.name} ({least.kind})"
    elif rows:
        remark = f"{rows[0].qemu:.2f} s by QEMU, {rows[0].ours:.2f} s by DynaTrans"
    return aim(what, "-" if target is None else f"{target:.1f}", figure(mean), mean is not None and target is not None and mean >= target, remark)


def second_boot_line(row):
    """The first boot, with an empty cache, divided by the second."""
    known = row.first and row.second
    return aim(f"second boot from the translation cache, as many times as fast as the first, {row.kind}", "1.5", figure(row.first / row.second if known else None),
               known and row.first / row.second >= 1.5, f"{row.first:.2f} s, then {row.second:.2f} s" if known else "")


def limit_line(what, limit, rows, digits):
    """The largest of our figures is to be under LIMIT."""
    rows = [row for row in rows if row.ours is not None]
    worst = max(rows, key=lambda row: row.ours, default=None)
    remark = "" if worst is None else f"{worst.kind}; QEMU: {figure(worst.qemu, digits)}"
    return aim(what, f"under {limit}", figure(worst and worst.ours, digits), worst is not None and worst.ours < limit, remark)


def slower(rows):
    """Where QEMU is faster, the worst first."""
    rows = sorted((row for row in rows if row.ratio and row.ratio < 1), key=lambda row: row.ratio)
    return "**Slower than QEMU**: " + ", ".join(f"{row.name} ({row.kind}) {row.ratio:.2f}" for row in rows) + "." if rows else ""


def render(lines, summary, table):
    """The Markdown of the summary, the table of all workloads, or both."""
    conditions = next((line[2:] for line in lines if line.startswith("#")), "")
    rows = [Row(line) for line in lines if line and not line.startswith("#")]
    out = []
    if summary:
        out += ["Time of qemu-system (TCG, one thread) divided by that of DynaTrans, both as PCs with Debian's kernels; boots are whole processes.", "",
                "| what | target | reached | met | |", "|---|---:|---:|---|---|"]
        for row in rows:
            if row.part == "boot":
                out.append(ratio_line(f"boot to the init's first line, {row.kind}", 1.0, [row]))
        out += [second_boot_line(row) for row in rows if row.part == "boot"]
        out += [ratio_line(what, target, [row for row in rows if row.group in groups])
                for what, target, groups in MEANS]
        out.append(limit_line("idle at a prompt, % of one core", 2, [row for row in rows if row.part == "idle"], 2))
        out.append(limit_line("host memory beyond the guest's RAM, MiB", 250, [row for row in rows if row.part == "memory"], 0))
        out += ["", text, ""] if (text := slower(row for row in rows if row.part not in ("idle", "memory"))) else [""]
    if table:
        out += ["| workload | kind | QEMU s | DynaTrans s | first boot s | second boot s | QEMU / ours |", "|---|---|---:|---:|---:|---:|---:|"]
        out += [f"| {row.name} | {row.kind if row.part != 'boot' else 'boot ' + row.kind} | {figure(row.qemu, 3)} | {figure(row.ours, 3)} "
                f"| {figure(row.first, 3)} | {figure(row.second, 3)} | **{figure(row.ratio)}** |"
                for row in rows if row.part not in ("idle", "memory")]
        out.append("")
    return "\n".join([*out, conditions + "."])
