"""How the `everscore` command begins.

Little is imported here: until `run` has begun, Ctrl-C prints a traceback.
"""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def run() -> None:
    """Run a command and end the process with its exit code; Ctrl-C ends it quietly."""
    at_work = signal.signal(signal.SIGINT, _end_at_once)  # nothing has begun that would have to be cleared up
    from infra.cli.app import app
    from infra.cli.ending import exit_code_of
    from infra.cli.help import in_readers_language

    command = in_readers_language(app)
    try:
        signal.signal(signal.SIGINT, at_work)
        code = exit_code_of(command)
    except KeyboardInterrupt:
        code = INTERRUPTED
    signal.signal(signal.SIGINT, _end_at_once)
    sys.exit(code)


def _end_at_once(_signal: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
