"""What a batch of one row takes, in seconds of processors: a process's first, and those after it.

python -m tests.bench.scoring.one_row MODEL FILE FOLDER
"""

import json
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from functions.scoring.ports import Ports
from functions.scoring.service import score_batch
from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.releases import Releases
from functions.shared.runtime.chance import new_name, utc_now
from infra.cli.local_folder import LocalFolder

BATCHES = 30


def batch_seconds(model: str, rows: bytes, releases: LocalFolder, folder: Path) -> list[float]:
    """Score the same rows as a new batch, again and again, as a function that stays warm does."""
    inbox, store = LocalFolder(folder / "inbox"), LocalFolder(folder / "store")
    release = Releases(releases).current(model)
    assert release is not None
    store.write(layout.release_key(model), release.to_json())
    ports = Ports(inbox=inbox, store=store, bundles=Bundles(releases), new_attempt=new_name, now=utc_now)
    seconds = []
    for number in range(BATCHES):
        info = inbox.write(f"{layout.BATCHES}/{model}/{number}.csv", rows)
        upload = StoredObject(bucket=inbox.bucket, key=info.key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)
        started = time.process_time()
        manifest = score_batch(upload, ports)
        seconds.append(time.process_time() - started)
        assert manifest.rows_scored == 1, manifest
    return seconds


if __name__ == "__main__":
    model, file, folder = sys.argv[1:]
    with Path(file).open("rb") as lines:
        head = lines.readline() + lines.readline()
    with TemporaryDirectory(dir=folder) as made:
        first, *others = batch_seconds(model, head, LocalFolder(Path(folder, "store")), Path(made))
    print(json.dumps({"the first of a process": first, "each further one": median(others)}))
