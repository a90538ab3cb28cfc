"""A stream lived through with Everscore's own functions, on stores in memory: trained, scored, measured and labelled as it would be."""

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from functions.metric_emission.labelling import measure_labels
from functions.metric_emission.ports import Delivery
from functions.metric_emission.service import measure_batch
from functions.retraining.event import TrainRequest
from functions.retraining.holdout import split
from functions.retraining.ports import Ports
from functions.retraining.service import train_first
from functions.retraining.training_set import TrainingSet
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.drift.detection import calling
from functions.shared.domain.drift.profile import profile_batch
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest, PinnedRelease, StoredFile
from functions.shared.domain.performance.losses import losses
from functions.shared.domain.policy import GatePolicy, Policy
from functions.shared.domain.release import Role, ServedModel
from functions.shared.domain.spec import FeatureKind, Task
from functions.shared.engines.bundle import LoadedModel
from functions.shared.ports import ObjectInfo
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.causes import causes_of
from functions.shared.repositories.documents import read_document, read_documents
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from functions.shared.repositories.snapshots import Snapshots
from tests.bench.judgement.streams import ID, TARGET, TIME, Batch, Stream
from tests.fakes.documents import make_manifest, make_release
from tests.fakes.measuring import make_ports
from tests.fakes.memory_store import MemoryStore
from tests.fakes.recording_bus import RecordingBus

MODEL = "judged"
CALLING = (AlertKind.DRIFT, AlertKind.PERFORMANCE)
NUMBERS, CATEGORIES = pa.float64(), pa.string()


@dataclass(frozen=True, slots=True)
class Call:
    """People were called on a day, and for what."""

    day: date
    kind: AlertKind
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lived:
    """What Everscore said of a stream: its calls, and the days on which one of them stood open.

    `loud` are the calls of a policy by which every drift calls people (`drift.least_effect` 0).

    `rows` are those of all batches with score, prediction and loss, `held` those that the version was measured on at training, and
    `learnt` those that it learnt from. `estimates` holds by batch the metrics that were estimated of it, nothing where that was refused.
    """

    calls: Sequence[Call]
    loud: Sequence[Call]
    open: frozenset[date]
    rows: pd.DataFrame
    held: pd.DataFrame
    learnt: pd.DataFrame
    loss: float
    categories: Sequence[str]
    numbers: Sequence[str]
    estimates: Sequence[dict[str, tuple[float, float, float]]] = field(default_factory=list)


def live(stream: Stream) -> Lived:
    """Train on a stream's first days, and measure all batches and labels that follow, in the order of their arrival."""
    stack = Stack(stream)
    labels = sorted(stream.batches, key=lambda batch: batch.labelled)
    opened: set[date] = set()
    scored = []
    for batch in stream.batches:
        while labels and labels[0].labelled <= batch.arrives:
            late = labels.pop(0)
            stack.label(late)
            opened |= stack.open_on(late.labelled)
        scored.append(stack.score(batch))
        opened |= stack.open_on(batch.arrives)
    return stack.lived(pd.concat(scored, ignore_index=True), frozenset(opened))


class ClockedStore(MemoryStore):
    """A bucket in memory that goes by the stream's clock."""

    def __init__(self, bucket: str, now: Callable[[], datetime]) -> None:
        super().__init__(bucket)
        self._now = now

    def write(self, key: str, body: bytes) -> ObjectInfo:
        written = super().write(key, body)
        version = replace(self._newest[key], info=replace(written, last_modified=self._now()))
        self._newest[key] = self._versions[key, written.version_id] = version
        return version.info


class Stack:
    """One model in stores in memory, and a clock that the stream moves."""

    def __init__(self, stream: Stream) -> None:
        """Train the first version, which serves."""
        self.stream = stream
        self.inbox, self.store = (ClockedStore(bucket, lambda: self.moment) for bucket in ("inbox", "store"))
        self.bundles = Bundles(self.store)
        self.moment = datetime.combine(stream.batches[0].arrives - timedelta(days=1), time(6), UTC)
        Policies(self.store).write(MODEL, Policy(number=1, gate=GatePolicy(folds=0)))
        self.served = self._train()
        self.batches: list[str] = []

    def _train(self) -> ServedModel:
        shop = Ports(
            inbox=self.inbox,
            store=self.store,
            registry=None,
            bundles=self.bundles,
            events=RecordingBus(),
            new_holder=lambda: "bench",
            now=lambda: self.moment,
        )
        key = f"training/{MODEL}/first.parquet"
        self.inbox.write(key, _parquet(pa.Table.from_pandas(self.stream.training, preserve_index=False)))
        request = TrainRequest(
            model=MODEL, key=key, target=TARGET, id_column=ID, time_column=TIME, task=self.stream.task, positive=self._positive
        )
        decision = train_first(request, shop).decision
        assert decision is not None
        self.snapshot = Snapshots(self.store).read(decision.snapshot.md5)
        served = ServedModel(version="1", digest=decision.digest, prefix=layout.version_prefix(MODEL, "1"))
        Releases(self.store).publish(make_release(model=MODEL, champion=served), over=None)
        return served

    @property
    def _positive(self) -> str | None:
        return "yes" if self.stream.task is Task.BINARY else None

    @property
    def version(self) -> LoadedModel:
        """The champion."""
        return self.bundles.load(self.served)

    def score(self, batch: Batch) -> pd.DataFrame:
        """Score a batch as the scoring function leaves it, and measure it."""
        self.moment = datetime.combine(batch.arrives, time(6), UTC)
        typed, version = self._typed(batch.rows), self.version
        scores = version.engine.score(typed)
        predicted = version.predict(typed, scores)
        self._commit(batch, typed, scores, predicted)
        return self._with_answers(batch.rows, scores, predicted).assign(batch=len(self.batches) - 1)

    def _typed(self, rows: pd.DataFrame) -> pa.RecordBatch:
        kinds = {FeatureKind.NUMBER: NUMBERS, FeatureKind.CATEGORY: CATEGORIES, FeatureKind.BOOLEAN: pa.bool_()}
        table = pa.table(
            {feature.name: pa.array(rows[feature.name], kinds[feature.kind], from_pandas=True) for feature in self.version.spec.features}
        )
        [typed] = table.combine_chunks().to_batches()
        return typed

    def _commit(self, batch: Batch, typed: pa.RecordBatch, scores: np.ndarray, predicted: np.ndarray | None) -> None:
        version = self.version
        outcomes = scores[:, 0] if predicted is None else np.array(version.spec.outcomes)[predicted]
        times = pa.array(batch.rows[TIME]).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
        body = _parquet(pa.table({ID: batch.rows[ID], TIME: times, "prediction": pa.array(outcomes), "score": scores[:, 0]}))
        name = f"{batch.arrives}.parquet"
        plain = make_manifest(name, day=batch.arrives)
        source = plain.source.model_copy(update={"key": f"batches/{MODEL}/{name}", "last_modified": self.moment})
        identity = layout.batch_id(source.bucket, source.key, source.version_id)
        output = StoredFile(key=layout.scored_key(MODEL, identity, "a1", 0), rows=len(batch.rows), bytes=len(body), sha256="")
        self.store.write(output.key, body)
        rules = {Role.CHAMPION: version.rule} if version.rule else {}
        manifest = Manifest(
            batch_id=identity,
            model=MODEL,
            status=plain.status,
            rows_in=len(batch.rows),
            rows_scored=len(batch.rows),
            release=PinnedRelease(seq=1, champion="1", decision_rules=rules),
            outputs=(output,),
            source=source,
            attempt="a1",
            served={Role.CHAMPION: len(batch.rows)},
            profiles={Role.CHAMPION: profile_batch(version.baseline, typed, scores, predicted)},
            event_days=dict(Counter(batch.rows[TIME].dt.date)),
            created_at=self.moment + timedelta(minutes=1),
        )
        Manifests(self.store).commit(manifest)
        self.batches.append(identity)
        measure_batch(_stored("store", layout.manifest_key(MODEL, batch.arrives, identity)), Delivery(self._ports()))

    def label(self, batch: Batch) -> None:
        """The labels of a batch come."""
        self.moment = datetime.combine(batch.labelled, time(5), UTC)
        known = batch.rows.loc[batch.rows[TARGET].notna(), [ID, TIME, TARGET]]
        if known.empty:
            return
        key = f"labels/{MODEL}/{batch.arrives}.parquet"
        self.inbox.write(key, _parquet(pa.Table.from_pandas(known, preserve_index=False)))
        measure_labels(_stored("inbox", key, self.inbox.info(key).version_id), Delivery(self._ports()))

    def _ports(self) -> object:
        return make_ports(self.store, inbox=self.inbox, bundles=self.bundles, now=lambda: self.moment)

    def open_on(self, day: date) -> set[date]:
        """The day, if a call of drift or decay stands open."""
        found = causes_of(MODEL, self.store).open().values()
        called = (
            read_document(self.store, Alert, layout.alert_key(MODEL, cause.window, cause.kind.value))
            for cause in found
            if cause.kind in CALLING
        )
        return {day} if any(called) else set()

    def _with_answers(self, rows: pd.DataFrame, scores: np.ndarray, predicted: np.ndarray | None) -> pd.DataFrame:
        spec, known = self.version.spec, rows[TARGET].notna().to_numpy()
        truth = rows[TARGET].to_numpy() if spec.task is Task.REGRESSION else (rows[TARGET] == "yes").to_numpy()
        loss = losses(spec.task, truth, scores, self.version.baseline.loss_ceiling)
        return rows.assign(
            score=scores[:, 0],
            predicted=scores[:, 0] if predicted is None else predicted,
            truth=np.where(known, truth, np.nan),
            loss=np.where(known, loss, np.nan),
        )

    def lived(self, rows: pd.DataFrame, opened: frozenset[date]) -> Lived:
        """All that was said."""
        spec = self.version.spec
        parts = split(TrainingSet(spec, self.snapshot), 0)
        learnt, held = (part.table.to_pandas() for part in (parts.learnt, parts.held))
        typed = self._typed(held)
        scores = self.version.engine.score(typed)
        alerts = read_documents(self.store, Alert, layout.alert_prefix(MODEL))
        made = (Call(found.raised_at.date(), found.kind, found.calling_columns or ()) for found in alerts if not found.closed)
        calls = sorted((call for call in made if call.kind in CALLING), key=lambda call: call.day)
        assert self.version.baseline.loss is not None
        return Lived(
            calls=calls,
            loud=[*(call for call in calls if call.kind is AlertKind.PERFORMANCE), *self._calls_of_any_drift()],
            open=opened,
            rows=rows,
            held=self._with_answers(held, scores, self.version.predict(typed, scores)),
            learnt=learnt,
            loss=self.version.baseline.loss,
            categories=[feature.name for feature in spec.features if feature.kind is not FeatureKind.NUMBER],
            numbers=[feature.name for feature in spec.features if feature.kind is FeatureKind.NUMBER],
            estimates=list(self._estimates()),
        )

    def _calls_of_any_drift(self) -> Iterator[Call]:
        """A call for each batch that brings a drifted column for which there was none before."""
        known: set[str] = set()
        for batch, judged in zip(self.stream.batches, self._judgements(), strict=True):
            columns = calling(judged.drift, self.version.baseline, 0.0) if judged.drift and judged.drift.alert else set[str]()
            if columns - known:
                yield Call(batch.arrives, AlertKind.DRIFT, tuple(columns))
                known |= columns

    def _estimates(self) -> Iterator[dict[str, tuple[float, float, float]]]:
        for judged in self._judgements():
            metrics = judged.estimate.metrics if judged.estimate else {}
            yield {name: (found.value, found.low, found.high) for name, found in metrics.items()}

    def _judgements(self) -> Iterator[BatchJudgement]:
        for batch in self.batches:
            judged = read_document(self.store, BatchJudgement, layout.emitted_key(MODEL, batch))
            assert judged is not None
            yield judged


def _stored(bucket: str, key: str, version: str = "v") -> StoredObject:
    return StoredObject(bucket=bucket, key=key, version_id=version, etag="e", size_bytes=1)


def _parquet(table: pa.Table) -> bytes:
    body = io.BytesIO()
    pq.write_table(table, body)
    return body.getvalue()
