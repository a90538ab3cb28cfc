"""What a process has imported when it has done its work: imports decide the cold start."""

import io
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.shared.engines.engine import EngineKind
from tests.fakes.documents import serve
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, make_version

ROOT = Path(__file__).parents[2]

HANDLERS = """
import sys
import functions.{function}.handler
"""

SCORING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from functions.scoring.service import score_batch
from functions.shared.envelopes import StoredObject
from functions.shared.repositories.bundles import Bundles
from tests.fakes.memory_store import MemoryStore

folder = Path(sys.argv[1])
store, inbox = MemoryStore("store"), MemoryStore("inbox")
for path in (folder / "store").rglob("*.*"):
    store.write(path.relative_to(folder / "store").as_posix(), path.read_bytes())
for path in (folder / "inbox").rglob("*.*"):
    upload = inbox.write(path.relative_to(folder / "inbox").as_posix(), path.read_bytes())
    created = StoredObject(
        bucket="inbox", key=upload.key, version_id=upload.version_id, etag=upload.etag, size_bytes=upload.bytes
    )
    manifest = score_batch(
        created, inbox=inbox, store=store, bundles=Bundles(store), new_attempt=lambda: "a1", now=lambda: datetime.now(UTC)
    )
    assert (manifest.rows_scored, manifest.rows_quarantined) == (2, 1), manifest
    assert manifest.release.challenger is not None and manifest.release.challenger_suspended is None
"""

BUDGET = """
heavy = {heavy} & sys.modules.keys()
assert not heavy, sorted(heavy)
"""


def run(program: str, heavy: set[str], *arguments: str) -> None:
    source = program + BUDGET.format(heavy=heavy)
    done = subprocess.run([sys.executable, "-c", source, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("function", ["scoring", "metric_emission", "retraining", "release"])
def test_importing_a_handler_imports_nothing_heavy(function: str) -> None:
    run(HANDLERS.format(function=function), {"boto3", "duckdb", "mlflow", "pandas", "scipy", "skops", "sklearn"})


def test_scoring_with_compiled_engines_imports_no_learning_library_whatever_the_file(tmp_path: Path) -> None:
    store, inbox = MemoryStore("store"), MemoryStore("inbox")
    serve(store, make_version("1", EngineKind.LINEAR), make_version("2", EngineKind.BITVECTOR))
    good = "2013-04-01T10:00:00Z"
    csv = f"id,at,price,shop,member\na,{good},1.5,north,true\nb,{good},,moon,\nc,{good},oops,north,true\n"
    lines = (
        f'{{"id": "a", "at": "{good}", "price": 1, "shop": "north", "member": true}}\n'
        f'{{"id": "b", "at": "{good}", "price": null, "shop": "moon", "member": null}}\n'
        '{"id": "c", "at": "never", "price": 1, "shop": "north", "member": true}\n'
    )
    table = {
        "id": ["a", "b", ""],
        "at": [good] * 3,
        "price": [1.0, None, 2.0],
        "shop": ["north", "moon", None],
        "member": [True, None, True],
    }
    parquet = io.BytesIO()
    pq.write_table(pa.table(table), parquet)
    for name, body in {"a.csv": csv.encode(), "a.jsonl": lines.encode(), "a.parquet": parquet.getvalue()}.items():
        inbox.write(f"batches/{MODEL}/{name}", body)
    for bucket in (store, inbox):
        for found in bucket.list(""):
            (path := tmp_path / bucket.bucket / found.key).parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bucket.read(found.key))
    run(SCORING, {"duckdb", "joblib", "mlflow", "pandas", "scipy", "skops", "sklearn"}, str(tmp_path))
