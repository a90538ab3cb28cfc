"""Fuzz the readers, guided by coverage: `python -m tests.fuzz --seconds 60`.

The corpus is read and never written; what a run found on the way is kept in `build/fuzz`, where the next one goes on. An
input that breaks a promise is written there as `crash-…`: mend the reader, and add the file to the corpus.
"""

import argparse
import gzip
import sys
import zlib
from pathlib import Path

import atheris

HERE = Path(__file__).parent
FOUND = HERE.parents[1] / "build" / "fuzz"


def main() -> None:
    """Run libFuzzer until the time is up, or until a promise is broken."""
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    arguments.add_argument("--seconds", type=int, default=300)
    arguments.add_argument("--runs", type=int, default=-1, help="stop after this many inputs")
    arguments.add_argument("--seed", type=int, default=0, help="make up the same inputs every time; 0 takes new ones")
    arguments.add_argument("--found", type=Path, default=FOUND, help="where inputs that reach new code are kept")
    chosen = arguments.parse_args()
    chosen.found.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=["functions.shared.reading"]):
        from tests.fuzz.properties import check

    def target(data: bytes) -> None:
        # The bytes decide the rest too, so that a file alone repeats what was found.
        choice = zlib.crc32(data)
        check(gzip.compress(data, 1, mtime=0) if choice % 16 == 0 else data, 8 + choice % 199)

    options = [
        f"-max_total_time={chosen.seconds}",
        f"-runs={chosen.runs}",
        f"-seed={chosen.seed}",
        f"-dict={HERE / 'tokens.dict'}",
        f"-artifact_prefix={chosen.found}/",
        "-max_len=1024",
        "-timeout=60",
        "-rss_limit_mb=2048",
    ]
    atheris.Setup([sys.argv[0], *options, str(chosen.found), str(HERE / "corpus")], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
