"""Measured tables inside a document, between markers, so that a script can write them again."""

from collections.abc import Sequence
from pathlib import Path


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def measured_rows(document: Path, name: str) -> list[list[str]]:
    """The rows of the one table that stands between the markers, without its header."""
    text = document.read_text().partition(f"<!-- measured: {name} -->")[2].partition(f"<!-- end: {name} -->")[0]
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")][2:]


def replace_measured(document: Path, name: str, text: str) -> None:
    """Put `text` between `<!-- measured: name -->` and `<!-- end: name -->`.

    Raises:
        ValueError: if the document lacks the markers.
    """
    begin, end = f"<!-- measured: {name} -->", f"<!-- end: {name} -->"
    before, found, rest = document.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        message = f"{document} has no markers {begin} … {end}"
        raise ValueError(message)
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}")
