"""Time who answers during a rollout, and write it into docs/updating.md.

    python -m tests.bench.canary_share [--rounds 15] [--print]

The processor's time of the thread is counted, the least of all rounds: other work on the machine costs least then. Blocks are
as long as scoring's.
"""

import argparse
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from functions.shared.domain.rollout.canary import answered_by_challenger
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.scoring.processes import machine

DOCUMENT = Path(__file__).parents[2] / "docs" / "updating.md"
ROWS, BLOCKS = 50_000, 20


def ids() -> dict[str, pa.Array]:
    """A block of ids of each usual kind."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 10**9, ROWS)
    return {
        "whole numbers": pa.array(numbers),
        "text of 8 to 11 letters": pa.array([f"C-{number}" for number in numbers]),
        "UUIDs as text": pa.array([str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(ROWS)]),
    }


def microseconds_a_row(block: pa.Array, rounds: int) -> float:
    """Of the processor, to say for each row of a block who answers it."""
    spent = []
    for _ in range(rounds):
        began = time.thread_time()
        for _ in range(BLOCKS):
            answered_by_challenger(block, salt="rollout", share=0.05)
        spent.append(time.thread_time() - began)
    return min(spent) / (BLOCKS * ROWS) * 1e6


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--print", action="store_true", help="print, write nothing")
    arguments = parser.parse_args()
    rows = [[kind, f"{microseconds_a_row(block, arguments.rounds):.2f}"] for kind, block in ids().items()]
    when = f"{ROWS:,} rows a block, one thread, {datetime.now(UTC):%Y-%m-%d}, {machine()}."
    text = f"{markdown_table(['ids', 'µs a row'], rows)}\n\n{when}"
    print(text)
    if not arguments.print:
        replace_measured(DOCUMENT, "share", text)


if __name__ == "__main__":
    main()
