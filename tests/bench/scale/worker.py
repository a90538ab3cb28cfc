"""A warm worker on one processor: scores the partitions that it is sent, one JSON line each, by the function's own code.

    python -m tests.bench.scale.worker INBOX STORE PROCESSOR MODEL FILE

Scores the file first, as a warm function has scored others before, and answers `ready`, then a line for each partition; at the end its processor seconds since it was ready, and its most memory in MB.
"""

import json
import os
import resource
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from functions.scoring.partition import score_partition
from functions.scoring.ports import Ports
from functions.shared.domain.partition import Partition
from functions.shared.repositories.bundles import Bundles
from infra.cli.local_folder import LocalFolder
from infra.cli.offline import score_offline


def main() -> None:
    """Work until there is no more."""
    inbox, store = (LocalFolder(Path(folder)) for folder in sys.argv[1:3])
    os.sched_setaffinity(0, {int(sys.argv[3])})
    ports = Ports(inbox, store, Bundles(store), lambda: uuid.uuid4().hex, partial(datetime.now, UTC))
    with tempfile.TemporaryDirectory() as folder:
        assert score_offline(sys.argv[4], Path(sys.argv[5]), Path(folder, "scored.parquet"), releases=store).error is None
    print("ready", flush=True)
    began = time.process_time()
    for line in sys.stdin:
        partition = Partition.from_json(line)
        result = score_partition(partition, ports)
        print(result.counts.rows_in, flush=True)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu_s": time.process_time() - began, "peak_mb": peak_mb}), flush=True)


if __name__ == "__main__":
    main()
