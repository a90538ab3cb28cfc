"""A person at a terminal, or nobody; and what a command says to either."""

import io
import shlex
import signal
import sys
from functools import cache

import pytest

from infra.cli.help import in_readers_language
from infra.cli.main import run
from infra.words import language

_built = cache(lambda app, _language: in_readers_language(app))
"""Building the command takes longer than most tests that run it."""


class _Typed(io.StringIO):
    def isatty(self) -> bool:
        return True


def ended(arguments: str, monkeypatch: pytest.MonkeyPatch, *, types: str | None = None) -> int:
    """How a command ends whose questions a person answers, or where nobody is there to be asked."""
    monkeypatch.setattr(sys, "argv", ["everscore", *shlex.split(arguments)])
    monkeypatch.setattr(sys, "stdin", io.StringIO() if types is None else _Typed(types + "\n"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: types is not None)
    monkeypatch.setattr("infra.cli.help.in_readers_language", lambda app: _built(app, language()))
    on_interrupt = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as end:
        run()
    signal.signal(signal.SIGINT, on_interrupt)  # a command that ends leaves Ctrl-C to end its process
    assert end.value.code is None or isinstance(end.value.code, int)
    return end.value.code or 0
