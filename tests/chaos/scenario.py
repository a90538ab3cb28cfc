"""What people do with a stack meanwhile: uploads and labels, promotions, canaries, rollbacks, rescorings, retrainings and erasures."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.chaos.files import FORMATS, MODEL, TARGET, Row, Sent, as_file, as_labels, as_training, draw_rows
from tests.chaos.inside import DEADLY
from tests.chaos.stage import Stage

TRIES = 20
MOST_ROWS = 120
AT_ONCE = 2
"""Operators."""
TRAINED, HAPPENED = timedelta(days=80), timedelta(days=40)
"""How long ago rows lie that were learnt from at first, and all others."""
POLICY = {"retraining": {"min_new_labels": 100}, "labels": {"delay_days": 0}}


class Scenario:
    """Uploads to one model, and acts of operators. What was sent and which people are to be forgotten is kept for the audit."""

    def __init__(self, stage: Stage, drawn: Random, today: date) -> None:
        self.sent: list[Sent] = []
        self.labels: dict[str, str] = {}
        self.erased: set[str] = set()
        self.acts: Counter[str] = Counter()
        self._stage, self._drawn = stage, drawn
        self._past, self._month = (f"{today - before:%Y-%m}" for before in (TRAINED, HAPPENED))
        self._names, self._keys = count(), count()
        self._operators = ThreadPoolExecutor(AT_ONCE)
        self._at_work: list[Future[None]] = []

    def begin(self) -> None:
        """A model of two versions, the first of which serves."""
        training = draw_rows(self._drawn, [f"past-{number}" for number in range(400)], month=self._past, spoiled=False)
        key = f"training/{MODEL}/first.csv"
        version = self._put(key, as_training(training))
        described = {"target": TARGET, "id_column": "id", "time_column": "day"}
        self._stage.policy(MODEL, POLICY)
        self._until_done("Retraining", {"action": "train", "model": MODEL, "key": key, "version_id": version, **described})
        self._stage.wait_for(f"releases/{MODEL}/release.json")
        self._label(self._upload(self._rows(300, spoiled=False), "csv"), "csv")
        self._stage.wait_for(f"labelled/{MODEL}/")
        self._stage.wait_until_quiet()
        self._until_done("Retraining", {"action": "retrain", "model": MODEL})
        self._until_done("Release", self._served("2", canary=False))

    def act(self) -> None:
        """Do one thing, chosen by chance; what an operator does is not waited for."""
        [act] = self._drawn.choices(
            [self.upload, self.label, self._decide, self._rescore, self._erase, self._retrain], [60, 15, 8, 10, 5, 2]
        )
        act()

    def upload(self) -> None:
        """A new file, or another one under the key of an earlier."""
        rows = self._rows(self._drawn.randint(1, MOST_ROWS))
        again = self._drawn.choice(self.sent).key if self._drawn.random() < 0.1 else None
        form = again.split(".", 1)[1] if again else self._drawn.choice(FORMATS)
        self._upload(rows, form, again)

    def upload_deadly(self) -> None:
        """A file that kills whoever reads it to score it, every time."""
        self._upload(self._rows(10), "csv", f"batches/{MODEL}/{DEADLY}.csv")

    def label(self) -> None:
        """What became of the rows of one file, or of some of them."""
        sent = self._drawn.choice(self.sent)
        rows = [row for row in sent.rows if row.id and row.id not in self.erased and row.id not in self.labels]
        rows = rows[: self._drawn.randint(1, MOST_ROWS)]
        if rows and DEADLY not in sent.key:
            self._label(rows, self._drawn.choice(FORMATS))

    def end(self) -> None:
        """Wait for the operators, and erase again whoever was erased: what was on its way may have come since."""
        for act in self._at_work:
            act.result()
        self._operators.shutdown()

    def erase_again(self) -> tuple[str, ...]:
        """Erase all who were erased, as people are asked to; the label files that wait for their hour."""
        if not self.erased:
            return ()
        record = self._until_done("Erasure", self._forgotten(self.erased))
        return tuple(record["left"])

    # Files

    def _rows(self, rows: int, *, spoiled: bool = True) -> tuple[Row, ...]:
        names = [f"person-{next(self._names)}-{self._drawn.randrange(16**6):06x}" for _ in range(rows)]
        return draw_rows(self._drawn, names, month=self._month, spoiled=spoiled)

    def _upload(self, rows: tuple[Row, ...], form: str, key: str | None = None) -> tuple[Row, ...]:
        body = as_file(rows, form)
        key = key or f"batches/{MODEL}/{next(self._keys)}.{form}"
        self.sent.append(Sent(key, hashlib.md5(body, usedforsecurity=False).hexdigest(), rows))
        self._put(key, body)
        self.acts["upload"] += 1
        return rows

    def _label(self, rows: list[Row] | tuple[Row, ...], form: str) -> None:
        self.labels.update({row.id: row.label for row in rows if row.id})
        self._put(f"labels/{MODEL}/{next(self._keys)}.{form}", as_labels(rows, form))
        self.acts["labels"] += 1

    def _put(self, key: str, body: bytes) -> str:
        return str(self._stage.s3.put_object(Bucket=self._stage.stack.inbox, Key=key, Body=body)["VersionId"])

    # Operators

    def _decide(self) -> None:
        version = self._drawn.choice("12")
        rollback: dict[str, object] = {"action": "rollback", "model": MODEL, "version": version, "who": "chaos"}
        served = self._served(version, canary=self._drawn.random() < 0.5)
        tick: dict[str, object] = {"action": "tick", "model": MODEL, "who": "chaos"}
        self._have_done("Release", self._drawn.choice([rollback, served, served, tick]))

    def _served(self, version: str, *, canary: bool) -> dict[str, object]:
        return {"action": "promote", "model": MODEL, "version": version, "force": True, "canary": canary, "reason": "chaos", "who": "chaos"}

    def _rescore(self) -> None:
        manifests = self._stage.keys(f"manifests/{MODEL}/")
        if manifests:
            batch = self._drawn.choice(manifests).rsplit("/", 1)[1].removesuffix(".json")
            self._have_done("Scoring", {"action": "rescore", "model": MODEL, "batch_id": batch})

    def _erase(self) -> None:
        sent = self._drawn.choice(self.sent)
        people = {row.id for row in self._drawn.sample(sent.rows, min(3, len(sent.rows))) if row.id}
        if people and DEADLY not in sent.key:
            self.erased |= people
            self._have_done("Erasure", self._forgotten(people))

    def _forgotten(self, people: set[str]) -> dict[str, object]:
        token = f"{self._drawn.randrange(16**32):032x}"
        return {"action": "erase", "model": MODEL, "ids": sorted(people), "reason": "chaos", "who": "chaos", "token": token}

    def _retrain(self) -> None:
        self._have_done("Retraining", {"action": "retrain", "model": MODEL})

    def _have_done(self, function: str, request: Mapping[str, Any]) -> None:
        """Have an operator do something, unless all are at work."""
        self._at_work = [act for act in self._at_work if not (act.done() and act.result() is None)]
        if len(self._at_work) < AT_ONCE:
            self._at_work.append(self._operators.submit(self._try, function, request))

    def _try(self, function: str, request: Mapping[str, Any]) -> None:
        """Ask until there is an answer that more asking would not change."""
        name = str(request["action"])
        outcome = self._repeated(function, request, lambda answer: "refused" in answer or _is_done(answer))
        self.acts[f"{name}, refused" if outcome is None or "refused" in outcome else name] += 1

    def _until_done(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._repeated(function, request, lambda answer: "refused" not in answer and _is_done(answer))
        assert answer is not None, f"{request} was not done in {TRIES} tries"
        return answer

    def _repeated(self, function: str, request: Mapping[str, Any], ended: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        for _ in range(TRIES):
            try:
                answer = self._stage.call(function, request)
            except (BotoCoreError, ClientError):
                continue
            if ended(answer):
                return answer
            self._stage.note(f"{request}: {json.dumps(answer)[:400]}")
            self._stage.pause()
        return None


def _is_done(answer: Mapping[str, Any]) -> bool:
    """Whether nothing died and nothing goes on: an erasure that paused has no end yet."""
    return "errorType" not in answer and answer.get("ended_at", True) is not None
