"""A person at a terminal, or nobody; and what a command says to either."""

import io
import sys

import pytest

from infra.cli.main import run


class _Typed(io.StringIO):
    def isatty(self) -> bool:
        return True


def ended(arguments: str, monkeypatch: pytest.MonkeyPatch, *, types: str | None = None) -> int:
    """How a command ends whose questions a person answers, or where nobody is there to be asked."""
    monkeypatch.setattr(sys, "argv", ["everscore", *arguments.split()])
    monkeypatch.setattr(sys, "stdin", io.StringIO() if types is None else _Typed(types + "\n"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: types is not None)
    with pytest.raises(SystemExit) as end:
        run()
    assert end.value.code is None or isinstance(end.value.code, int)
    return end.value.code or 0
