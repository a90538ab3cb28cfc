"""The long form: hurt a stack for an hour, audit it, and write what was seen into docs/security.md.

    python -m tests.chaos [--minutes 60] [--faults 10000] [--seed 1]

It ends with what is amiss, if anything is; then nothing is written.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.figures import Figures, render
from tests.chaos.play import play


def main() -> None:
    """Play once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--faults", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="everscore-chaos-"))
    os.environ["EVERSCORE_HOME"] = str(folder / "home")
    began = time.monotonic()
    played = play(folder, seed=options.seed, seconds=60 * options.minutes, faults=options.faults, progress=_say)
    _say(f"{played}")
    if played.found.amiss:
        sys.exit("\n".join([f"amiss (the stack's notes are in {folder}):", *played.found.amiss]))
    render(Figures.of(played, seed=options.seed, minutes=(time.monotonic() - began) / 60))


def _say(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
