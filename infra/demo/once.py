"""Run each function once, on flights, to try an image."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

from functions.shared.domain import layout
from functions.shared.domain.errors import EmbeddedAwsError
from functions.shared.domain.manifest import Manifest
from functions.shared.ports import ObjectInfo
from infra.cli.operator import Operator
from infra.demo import flights
from infra.demo.flights import MODEL
from infra.local.embedded import FUNCTIONS, Progress, embedded_aws
from infra.local.stacks import Stack
from infra.places import ROOT

type Invoke = Callable[[str, Mapping[str, Any]], Any]
"""Invokes a function, by its package's name, with an event; returns its result or raises."""

TRAINING_DAYS = (date(2013, 1, 1), date(2013, 1, 21))
BATCH_MONDAY = date(2013, 1, 28)
ERASED = ("F023363", "F023364")
"""Flights of that week, in place of people whose rows are erased."""
IDLE = "def handler(event, context):\n    return {}\n"


@contextmanager
def idle_stack(progress: Progress) -> Iterator[Stack]:
    """Run an embedded AWS whose own functions do nothing; only invoked ones work."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        shutil.copy(ROOT / "template.yaml", root)
        shutil.copytree(ROOT / "infra" / "state_machines", root / "infra" / "state_machines")
        for function in FUNCTIONS:
            package = root / "functions" / function
            package.mkdir(parents=True)
            (package / "handler.py").write_text(IDLE)
        with embedded_aws("image", root=root, progress=progress, parameters={"ScheduleState": "DISABLED"}) as stack:
            yield stack


def batch_of_flights() -> bytes:
    """Return the week to score as CSV; some of its rows are broken."""
    return flights.week(flights.departures(), BATCH_MONDAY).batch


def each_function_once(operator: Operator, invoke: Invoke, answers: Sequence[str], model: str = MODEL) -> Manifest:
    """Train and release a first version, score and measure a week.

    Return the manifest.

    Then bring that week into tables, check the code of scoring on that week, cut another week, and erase two flights.

    Args:
        operator: the operator of the stack.
        invoke: invokes a function.
        answers: the responses that CodeDeploy has received.
        model: the model's name.

    Raises:
        EmbeddedAwsError: if a function has a wrong result.
    """
    body = BytesIO()
    flights.between(flights.departures(), *TRAINING_DAYS).to_parquet(body, index=False)
    known = operator.upload(f"{layout.TRAINING}/{model}/january.parquet", body.getvalue())
    request = _sample("retraining/train-by-hand") | {
        "key": known.key,
        "version_id": known.version_id,
        "model": model,
    }
    decision = invoke("retraining", request)["decision"]
    decided = operator.store.info(layout.decision_key(model, decision["challenger_version"]))
    invoke("release", _created(operator.store.bucket, decided))
    batch = operator.upload(f"{layout.BATCHES}/{model}/{BATCH_MONDAY}.csv", batch_of_flights())
    _deliver(invoke, "scoring", _created(operator.inbox.bucket, batch))
    manifest = operator.await_manifest(batch, timeout_s=0)
    committed = next(operator.store.list(layout.manifest_prefix(model)))
    _deliver(invoke, "metric_emission", _created(operator.store.bucket, operator.store.info(committed.key)))
    _deliver(invoke, "cataloguing", _created(operator.store.bucket, operator.store.info(committed.key)))
    _check_code(invoke, answers)
    _erase(invoke, model)
    _cut(operator, invoke, model)
    return manifest


def _check_code(invoke: Invoke, answers: Sequence[str]) -> None:
    """Send CodeDeploy's event.

    Batches with erased rows, as of earlier rounds, are skipped.
    """
    before = len(answers)
    invoke("code_check", _sample("code_check/pre-traffic"))
    if answers[before:] != ["Succeeded"]:
        message = f"code_check did not find the same bytes: CodeDeploy was answered {answers[before:]}"
        raise EmbeddedAwsError(message)


def _erase(invoke: Invoke, model: str) -> None:
    record = invoke("erasure", _sample("erasure/erase-by-hand") | {"model": model, "ids": ERASED})
    if record["rows"].get("scored") != len(ERASED) or record["ended_at"] is None:
        message = f"erasure did not remove {len(ERASED)} flights: {record}"
        raise EmbeddedAwsError(message)


def _cut(operator: Operator, invoke: Invoke, model: str) -> None:
    """Cut a week as the state machine does: even a small file, into one partition."""
    upload = operator.upload(f"{layout.BATCHES}/{model}/large.csv", batch_of_flights())
    work = invoke("partitioning", _sample("partitioning/plan") | {"key": upload.key, "version_id": upload.version_id})
    plan = json.loads(operator.store.read(work["plan"]))
    if work["ended"] or plan[-1]["portion"]["stop"] != upload.bytes:
        message = f"partitioning did not cut the whole upload: {plan}"
        raise EmbeddedAwsError(message)


def _deliver(invoke: Invoke, function: str, created: Mapping[str, Any]) -> None:
    """Pass an event to a function as its queue does; raise if it fails."""
    event = _sample("scoring/s3-upload")
    event["Records"][0]["body"] = json.dumps(created)
    invoke(function, event)


def _created(bucket: str, info: ObjectInfo) -> dict[str, Any]:
    """Return EventBridge's event for a created object."""
    event = _sample("release/decision-created")
    event["detail"]["bucket"]["name"] = bucket
    event["detail"]["object"] |= {"key": info.key, "size": info.bytes, "etag": info.etag, "version-id": info.version_id}
    return event


def _sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event
