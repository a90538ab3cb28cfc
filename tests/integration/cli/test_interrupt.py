"""Ctrl-C at any moment ends the command quietly."""

import subprocess
import sys

import pytest

from infra.cli.main import INTERRUPTED

BEGIN = """
import os, signal, sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
sys.meta_path.insert(0, Interrupted())
sys.argv = ["everscore", *{arguments!r}]
from infra.cli.main import run
run()
"""


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"]])
@pytest.mark.parametrize("module", ["typing", "json", "typer", "rich.console", "infra.cli.app", "infra.cli.versions", "infra.cli.operator"])
def test_an_interrupt_during_imports_ends_with_130_and_no_traceback(module: str, arguments: list[str]) -> None:
    program = BEGIN.format(module=module, arguments=arguments)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.strip()) == (INTERRUPTED, "", "")


def test_nothing_is_imported_before_an_interrupt_ends_the_command_quietly() -> None:
    program = "import sys, signal; known = {*sys.modules}; import infra.cli.main; print(*sorted({*sys.modules} - known))"
    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert imported == ["infra", "infra.cli", "infra.cli.main"]


LATE = """
import atexit, os, signal
from infra.cli import ending
from infra.cli.main import run

signal.signal(signal.SIGINT, signal.default_int_handler)
ending.exit_code_of = lambda command: {at_work}
atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))
run()
"""


@pytest.mark.parametrize("at_work", ["0", "os.kill(os.getpid(), signal.SIGINT)"])
def test_an_interrupt_at_work_or_afterwards_ends_with_130_and_no_traceback(at_work: str) -> None:
    ended = subprocess.run([sys.executable, "-c", LATE.format(at_work=at_work)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.strip()) == (INTERRUPTED, "", "")
