"""How a stack is hurt: inside its functions by odds, from outside by signals, by events that come again and by servers that end."""

import json
import signal
from collections import Counter
from contextlib import suppress
from random import Random
from threading import Timer

import psutil

from infra.local.stacks import read_keeper
from tests.chaos.files import MODEL
from tests.chaos.inside import DEADLY
from tests.chaos.stage import Stage

INSIDE = {
    "killed before a request": 0.0002,
    "killed after a request": 0.0002,
    "answer lost": 0.03,
    "connection refused": 0.03,
    "request refused (503)": 0.03,
    "request delayed": 0.03,
}
"""The chance of each at one request to S3. A kill undoes a whole delivery, so more of them would leave little else to hurt."""
FREEZE_S, LATEST_S = 3.0, 10
COPIES = 10
WORKERS, MLFLOW, AWS = "ministack-lambda-", "mlflow", "hypercorn"


class Faults:
    """One stack, and how often it was hurt from outside."""

    def __init__(self, stage: Stage, drawn: Random) -> None:
        self._stage, self._drawn = stage, drawn
        self._outside: Counter[str] = Counter()
        self._frozen: list[Timer] = []

    def counted(self) -> Counter[str]:
        """All faults up to now, by kind."""
        return self._outside + self._stage.faults()

    def strike(self, *, repeat: bool) -> None:
        """Hurt it from outside, in a way chosen by chance; that events come again may be left out."""
        kinds = {
            self._repeat_events if repeat else self._spare: 100,
            self._kill_worker: 4,
            self._freeze_worker: 8,
            self._kill_mlflow: 1,
            self._freeze_mlflow: 2,
            self.kill_aws: 0.5,
        }
        [kind] = self._drawn.choices([*kinds], [*kinds.values()])
        kind()

    def kill_aws(self) -> None:
        """End the embedded AWS and all functions at work: what was being worked on is delivered again at once."""
        self._signal(AWS, signal.SIGKILL, "AWS killed")

    def end(self) -> None:
        """Hurt it no more."""
        self._stage.odds({})
        for frozen in self._frozen:
            frozen.join()

    def _spare(self) -> None:
        """Do nothing this time."""

    def _repeat_events(self) -> None:
        """Deliver events of earlier objects again, in an order of their own."""
        stack, prefixes = self._stage.stack, [("inbox", "batches"), ("inbox", "labels"), ("store", "manifests")]
        where, kind = self._drawn.choice(prefixes)
        bucket = getattr(stack, where)
        pages = self._stage.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"{kind}/{MODEL}/")
        versions = [version for page in pages for version in page.get("Versions", []) if DEADLY not in version["Key"]]
        chosen = self._drawn.sample(versions, min(self._drawn.randint(1, COPIES), len(versions)))
        entries = [
            {"Id": str(number), "MessageBody": json.dumps(_event(bucket, version)), "DelaySeconds": self._drawn.randint(0, LATEST_S)}
            for number, version in enumerate(chosen)
        ]
        for queue in {"batches": ["ScoringQueue"], "manifests": ["MetricQueue", "CataloguingQueue"]}.get(kind, ["MetricQueue"]):
            self._stage.sqs.send_message_batch(QueueUrl=self._stage.queues[queue], Entries=entries)
            self._outside["event repeated, out of order"] += len(entries)

    def _kill_worker(self) -> None:
        self._signal(WORKERS, signal.SIGKILL, "worker killed at a random moment")

    def _freeze_worker(self) -> None:
        self._freeze(WORKERS, "worker stopped for seconds")

    def _kill_mlflow(self) -> None:
        self._signal(MLFLOW, signal.SIGKILL, "MLflow killed")

    def _freeze_mlflow(self) -> None:
        self._freeze(MLFLOW, "MLflow stopped for seconds")

    def _freeze(self, command: str, kind: str) -> None:
        process = self._signal(command, signal.SIGSTOP, kind)
        if process:
            thaw = Timer(FREEZE_S * self._drawn.random(), _signalled, [process, signal.SIGCONT])
            thaw.start()
            self._frozen.append(thaw)

    def _signal(self, command: str, sent: signal.Signals, kind: str) -> psutil.Process | None:
        found = [process for process in self._processes() if command in _command(process)]
        if not found:
            return None
        process = self._drawn.choice(found)
        if _signalled(process, sent):
            self._outside[kind] += 1
        return process

    def _processes(self) -> list[psutil.Process]:
        keeper = read_keeper(self._stage.stack.folder)
        assert keeper is not None
        return psutil.Process(keeper.pid).children(recursive=True)


def _event(bucket: str, version: dict[str, object]) -> dict[str, object]:
    """What EventBridge says of an object's version."""
    named = {"key": version["Key"], "size": version["Size"], "etag": str(version["ETag"]).strip('"'), "version-id": version["VersionId"]}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": {"name": bucket}, "object": named}}


def _command(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def _signalled(process: psutil.Process, sent: signal.Signals) -> bool:
    with suppress(psutil.Error, ProcessLookupError):
        process.send_signal(sent)
        return True
    return False
