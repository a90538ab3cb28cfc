"""What a cold start may not load, seen in fresh interpreters."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from functions.shared.engines.engine import EngineKind
from tests.component.scoring.world import as_csv, as_jsonl, as_parquet, good_rows
from tests.fakes.documents import serve
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, make_version

ROOT = Path(__file__).parents[2]
HEAVY = ("sklearn", "pandas", "scipy", "mlflow", "joblib", "skops", "xgboost", "lightgbm", "apprise")
NEEDLESS = ("boto3", "s3transfer", "asyncio", "requests", "functions.shared.domain.message", "functions.shared.domain.rollout.canary")
"""What a batch that one model scores has no use for, each tens of milliseconds: botocore alone makes clients."""
HANDLERS = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in ROOT.glob("functions/*/handler.py"))

SCORING = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path

heavy, *folders = sys.argv[1:]

def loaded():
    return sorted(set(heavy.split(",")) & set(sys.modules))

from functions.scoring import handler
handler.ports()
from functions.scoring.service import score_batch
report = {"use case": loaded()}

from functions.scoring.ports import Ports
from functions.shared.domain.envelopes import StoredObject
from functions.shared.repositories.bundles import Bundles
from tests.fakes.memory_store import MemoryStore

for folder in map(Path, folders):
    store, inbox = MemoryStore(), MemoryStore("inbox")
    for path in (folder / "store").rglob("*"):
        if path.is_file():
            store.write(path.relative_to(folder / "store").as_posix(), path.read_bytes())
    for path in (folder / "inbox").iterdir():
        info = inbox.write(f"batches/sales/{path.name}", path.read_bytes())
        upload = StoredObject(bucket="inbox", key=info.key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)
        manifest = score_batch(upload, Ports(inbox, store, Bundles(store), lambda: "a", lambda: datetime.now(UTC)))
        report[f"{folder.name} {path.name}"] = [manifest.rows_scored, manifest.rows_quarantined, *loaded()]
print(json.dumps(report))
"""


def run(script: str, *arguments: str) -> str:
    """Run a script in a fresh interpreter with a function's environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "AWS_DEFAULT_REGION": "eu-central-1",
        "EVERSCORE_STACK": "s",
        "EVERSCORE_INBOX": "i",
        "EVERSCORE_STORE": "o",
        "EVERSCORE_PARTITION_ABOVE_MB": "1",
        "EVERSCORE_STATE_MACHINE": "m",
    }
    done = subprocess.run([sys.executable, "-c", script, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lay_out(folder: Path, engine: EngineKind, challenger: EngineKind | None = None) -> Path:
    """What a scoring function would find: a store, and an inbox with a batch in each format, with a bad row."""
    store = MemoryStore()
    serve(store, make_version("1", engine), make_version("2", challenger, seed=2) if challenger else None, share=0.5)
    for key in store.keys():  # noqa: SIM118 - a method of the store
        path = folder / "store" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store.read(key))
    rows = [{**good_rows()[0], "price": "x"}, {**good_rows()[1], "shop": " north"}, *good_rows()[2:]]
    typed = [{**good_rows()[0], "id": None}, *good_rows()[1:]]
    (folder / "inbox").mkdir()
    for name, body in {"a.csv": as_csv(rows), "a.jsonl": as_jsonl(rows), "a.parquet": as_parquet(typed)}.items():
        (folder / "inbox" / name).write_bytes(body)
    return folder


def test_scoring_by_compiled_engines_loads_no_library_that_only_training_needs(tmp_path: Path) -> None:
    assert MODEL == "sales"
    folders = [
        lay_out(tmp_path / "linear", EngineKind.LINEAR),
        lay_out(tmp_path / "bitvector", EngineKind.BITVECTOR),
        lay_out(tmp_path / "rollout", EngineKind.LINEAR, EngineKind.BITVECTOR),
        lay_out(tmp_path / "native", EngineKind.NATIVE),
    ]
    report = json.loads(run(SCORING, ",".join(HEAVY), *map(str, folders)))
    native = {name: report.pop(name) for name in list(report) if name.startswith("native ")}
    assert report.pop("use case") == []
    counts = {"a.csv": [39, 1], "a.jsonl": [39, 1], "a.parquet": [39, 1]}
    assert report == {f"{name} {file}": rows for name in ("linear", "bitvector", "rollout") for file, rows in counts.items()}
    # The native engine is scikit-learn: were it not seen here, nothing above would mean anything.
    assert len(native) == 3
    assert all({"sklearn", "pandas", "scipy"} <= set(loaded[2:]) for loaded in native.values())


def test_a_batch_that_one_model_scores_loads_neither_boto3_nor_what_only_rollouts_and_messages_need(tmp_path: Path) -> None:
    report = json.loads(run(SCORING, ",".join(NEEDLESS), str(lay_out(tmp_path / "linear", EngineKind.LINEAR))))
    assert report == {"use case": [], **{f"linear {file}": [39, 1] for file in ("a.csv", "a.jsonl", "a.parquet")}}


def test_a_script_that_scores_a_file_loads_nothing_that_draws_on_terminals() -> None:
    loaded = "import sys, infra.cli.offline; print(sorted({'rich', 'typer', 'psutil', 'boto3'} & set(sys.modules)))"
    assert run(loaded) == "[]\n"


def test_importing_documents_builds_no_validator_before_it_is_used() -> None:
    script = """
from functions.shared.domain.manifest import Manifest, Source
before = Manifest.__pydantic_complete__, Source.__pydantic_complete__
Source(bucket="b", key="k", version_id="v", etag="e", bytes=1, last_modified="2026-01-01T00:00:00Z")
print(*before, Source.__pydantic_complete__, Manifest.__pydantic_complete__)
"""
    assert run(script).split() == ["False", "False", "True", "False"]


@pytest.mark.parametrize("handler", HANDLERS)
def test_importing_a_handler_makes_no_client_and_loads_no_heavy_library(handler: str) -> None:
    script = "import importlib, json, sys; importlib.import_module(sys.argv[1]); print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(run(script, handler)))
    assert handler in loaded
    assert loaded & {*HEAVY, "boto3"} == set()


READING = """
import sys
from tests.unit.shared.reading.files import read
from tests.unit.shared.reading.test_encodings import CHINESE, table
assert len(read(table(CHINESE, sys.argv[1]))[0]) == 200
print("charset_normalizer" in sys.modules)
"""


@pytest.mark.parametrize(("encoding", "loads"), [("utf-8", "False"), ("gb18030", "True")])
def test_only_a_file_that_is_not_utf8_loads_the_library_that_detects_encodings(encoding: str, loads: str) -> None:
    assert run(READING, encoding).strip() == loads
