"""Find the English sentences from which functions compose texts and errors.

They are stored in English, and translated where they are shown.
"""

import ast
import re
from collections.abc import Iterator

_NAMED = {"help", "code", "format"}
"""Arguments that are not sentences of errors: help is translated with its command."""
_CALLED = {
    "_",
    "plural",
    "Literal",
    "cast",
    "compile",
    "search",
    "fullmatch",
    "split",
    "sub",
    "replace",
    "removeprefix",
    "partition",
    "startswith",
    "debug",
    "info",
    "warning",
    "exception",
    "TypeVar",
}
"""Functions whose texts are translated elsewhere, or are never shown."""
_WORD = re.compile(r"[A-Za-z]{2,}")
_SIGN = re.compile(r"[:;()]")
_FIELD = re.compile(r"\{\d+\}")


def sentences(tree: ast.AST) -> Iterator[str]:
    """Yield texts of several words, with `{0}`, `{1}`, … for filled-in parts.

    A single word counts too if a sign sets it off.
    """
    for node in _texts(tree):
        text = _template(node)
        said = _FIELD.sub("", text)
        if " " in text.strip() and len(_WORD.findall(said)) > (not _FIELD.search(text) or not _SIGN.search(said)):
            yield text


def _texts(node: ast.AST) -> Iterator[ast.expr]:
    """Yield constants, f-strings and their sums, but not docstrings or annotations."""
    match node:
        case ast.expr() if any(isinstance(part, str) for part in _parts(node)):
            yield node
            within: list[ast.AST] = [part for part in _parts(node) if isinstance(part, ast.expr)]
        case ast.AugAssign(value=ast.JoinedStr() | ast.Constant(value=str())):
            within = [ast.BinOp(node.target, node.op, node.value)]
        case _:
            within = [] if _is_unsaid(node) else list(_values(node))
    for child in within:
        yield from _texts(child)


def _is_unsaid(node: ast.AST) -> bool:
    """Return whether texts inside are docstrings, names, or translated elsewhere."""
    match node:
        case ast.Expr():
            return isinstance(node.value, ast.Constant)
        case ast.Call():
            return _name(node.func) in _CALLED
        case ast.keyword():
            return node.arg in _NAMED
        case _:
            return False


def _values(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name not in {"annotation", "returns"}:
            yield from (child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST))


def _name(function: ast.expr) -> str:
    match function:
        case ast.Name():
            return function.id
        case ast.Attribute():
            return function.attr
        case _:
            return ""


def _template(node: ast.expr) -> str:
    """Return a text as a message.

    >>> _template(ast.parse('"so: " + f"{rows:,} rows of {name!r} {{all}}"', mode="eval").body)
    'so: {0} rows of {1} {{all}}'
    """
    fields = iter(range(1000))
    return "".join(part.replace("{", "{{").replace("}", "}}") if isinstance(part, str) else f"{{{next(fields)}}}" for part in _parts(node))


def _parts(node: ast.expr) -> Iterator[str | ast.expr]:
    """Yield a text's fixed parts and the expressions that fill in the others."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr():
            yield from (part.value if isinstance(part, ast.FormattedValue) else str(part.value) for part in node.values)  # type: ignore[attr-defined]
        case ast.BinOp(op=ast.Add()):
            yield from (*_parts(node.left), *_parts(node.right))
        case _:
            yield node
