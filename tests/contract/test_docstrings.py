"""A docstring's first line is a sentence that one reads at a glance."""

import ast
from collections.abc import Iterator

import pytest

from tests.contract.template import ROOT

LONGEST = 79
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def first_lines(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
            yield text.split("\n", 1)[0]


@pytest.mark.parametrize("top", ["functions", "infra"])
def test_the_first_line_of_a_docstring_fits_in_79_characters(top: str) -> None:
    lines = {line: path.name for path in (ROOT / top).rglob("*.py") for line in first_lines(path.read_text())}
    assert len(lines) > 100
    assert {line: name for line, name in lines.items() if len(line) > LONGEST} == {}
