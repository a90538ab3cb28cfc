"""Each code that documents may hold is given somewhere, by the code's own name and not by a loose string."""

import ast
from collections.abc import Iterator
from enum import StrEnum

import pytest

from functions.shared.domain.gate.codes import GateCode
from functions.shared.domain.rejections import FileCode, RowCode
from infra.places import CODE


def given(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield class and name of each attribute, apart from those that are only compared with."""
    compared = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Compare) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and id(node) not in compared:
            yield node.value.id, node.attr


GIVEN = {name for file in (CODE / "functions").rglob("*.py") for name in given(ast.parse(file.read_text(encoding="utf-8")))}


@pytest.mark.parametrize("kind", [FileCode, RowCode, GateCode])
def test_each_code_is_given_somewhere(kind: type[StrEnum]) -> None:
    assert {code.name for code in kind} - {name for owner, name in GIVEN if owner == kind.__name__} == set()


def test_a_comparison_gives_no_code() -> None:
    code = "if error.code == FileCode.WORKBOOK or error.code in {FileCode.NO_MODEL}: raise refused(FileCode.RETIRED)"
    assert ("FileCode", "RETIRED") in set(given(ast.parse(code)))
    assert {("FileCode", "WORKBOOK"), ("FileCode", "NO_MODEL")} & set(given(ast.parse(code))) == set()


def test_the_gate_never_writes_a_reason_as_a_loose_string() -> None:
    loose = [
        keyword.value.value
        for file in (CODE / "functions/shared/domain/gate").glob("*.py")
        for keyword in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(keyword, ast.keyword) and keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    ]
    assert loose == []
