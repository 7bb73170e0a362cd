"""The results of eng/boot-tests: a line a cell, tab-separated, and the Markdown table of them.

A line: kernel, engine, seconds to the first line of init (memtest86+: of its screen; `-`: it did not come), seconds in all, checks passed, checks failed,
what was wrong.
"""
import os

COLUMNS = 7

ENGINES = {"interp": "interpreter", "auto": "translator", "icount": "translator, `--icount`"}


def read(paths):
    """The rows of the files by kernel and engine; a later line replaces an earlier one of the same cell."""
    rows = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                row = line.rstrip("\n").split("\t")
                if len(row) != COLUMNS:
                    raise SystemExit(f"boot-tests: {path}, line {number}: {COLUMNS} columns are expected")
                rows[row[0], row[1]] = row
    return rows


def write(path, rows):
    """Puts rows into a file, in place of those of the same cells; all others stay."""
    merged = read([path]) if os.path.exists(path) else {}
    merged.update({(row[0], row[1]): row for row in rows})
    with open(path, "w", encoding="utf-8") as file:
        for row in merged.values():
            file.write("\t".join(text.replace("\t", " ").replace("\n", " ") for text in row) + "\n")


def render(rows, order):
    """The table; ORDER has the kernels and engines as they come in it."""
    out = ["| what is booted | engine | checks passed | s to the first line | s in all |", "|---|---|---:|---:|---:|"]
    for cell in sorted(rows, key=order.index):
        kernel, engine, first, seconds, passed, failed, _ = rows[cell]
        verdict = passed if failed == "0" else f"**{passed} of {int(passed) + int(failed)}**"
        out.append(f"| {kernel} | {ENGINES[engine]} | {verdict} | {first} | {seconds} |")
    return "\n".join(out)
