"""Puts what a script has made into a document, between two lines that name the script: `<!-- NAME -->` and `<!-- end of NAME -->`."""


def update(path, name, text):
    """Replaces what is between the marks of NAME in the document by TEXT."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    with open(path, encoding="utf-8") as file:
        document = file.read()
    before, mark, rest = document.partition(start)
    _, last, after = rest.partition(end)
    if not mark or not last:
        raise SystemExit(f"{name}: {path} has no {start.strip()} and {end}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{start}{text}\n{end}{after}")
