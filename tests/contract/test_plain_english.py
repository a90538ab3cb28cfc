"""Words that make an engineer read a line twice stand nowhere; docs/glossary.md has the house's words."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.template import ROOT

HUNTED = re.compile(r"\b(?:told|beside|anew|of then|for want of|who has none)\b", re.IGNORECASE)
STORED = {"told_at"}  # a field of documents that stand in people's buckets
PROSE = {tokenize.COMMENT, tokenize.STRING, tokenize.FSTRING_MIDDLE}
PAGES = ("README.md", "CONTRIBUTING.md", "Makefile", "template.yaml", "docs/*.md", "docs/decisions/*.md")


def prose(code: str) -> Iterator[tuple[int, str]]:
    """Comments and texts of a module, with their lines."""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type in PROSE:
            yield token.start[0], token.string


def hits(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    parts = prose(text) if path.suffix == ".py" else enumerate(text.splitlines(), 1)
    return [f"{path.relative_to(ROOT)}:{line}: {found[0]}" for line, part in parts for found in HUNTED.finditer(part)]


@pytest.mark.parametrize("top", ["functions", "infra", "tests"])
def test_comments_docstrings_help_and_messages_are_plain(top: str) -> None:
    modules = [path for path in sorted((ROOT / top).rglob("*.py")) if path != Path(__file__)]
    assert len(modules) > 100
    assert [hit for path in modules for hit in hits(path)] == []


@pytest.mark.parametrize("pattern", PAGES)
def test_pages_are_plain(pattern: str) -> None:
    pages = sorted(ROOT.glob(pattern))
    assert pages
    assert [hit for page in pages for hit in hits(page)] == []


@pytest.mark.parametrize("top", ["functions", "infra", "tests"])
def test_names_are_plain(top: str) -> None:
    modules = [path for path in (ROOT / top).rglob("*.py") if path != Path(__file__)]
    names = {name for path in modules for name in re.findall(r"\b[A-Za-z_]\w*", path.read_text(encoding="utf-8"))} - STORED
    assert len(names) > 1000
    assert sorted(name for name in names if HUNTED.search(name.replace("_", " "))) == []
