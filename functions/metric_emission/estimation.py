"""A batch's performance before its labels, and whether labels bore out the estimates before it."""

import io
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from itertools import islice
from math import ceil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from functions.shared.domain import layout
from functions.shared.domain.calendar import days_before, last_mature_day
from functions.shared.domain.emitted import EmittedBatch
from functions.shared.domain.manifest import Manifest, StoredFile
from functions.shared.domain.performance.estimate import (
    HELD,
    Estimate,
    HeldEstimate,
    TrackRecord,
    estimate_performance,
    input_alerts,
    track_record,
)
from functions.shared.domain.performance.measures import DayPerformance
from functions.shared.domain.performance.truth import true_loss
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task
from functions.shared.engines.bundle import LoadedModel
from functions.shared.ports import ObjectStore
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests

WINDOWS = 12
"""How many earlier batches are held against their labels: the last whose labels have come, however late they do."""

_MOST_ROWS = 10_000_000


def estimate_batch(manifest: Manifest, champion: LoadedModel, policy: Policy, store: ObjectStore) -> Estimate | None:
    """What the champion's calibration says of the rows it scored in a batch, or why it says nothing; None for no binary classifier."""
    rule = manifest.release.decision_rules.get(Role.CHAMPION, champion.rule) if manifest.release else champion.rule
    if champion.spec.task is not Task.BINARY or rule is None:
        return None
    baseline, seed = champion.baseline, int(manifest.batch_id[:16], 16)
    return estimate_performance(
        baseline.calibration,
        np.concatenate([_champion_scores(output, store) for output in some_of(manifest.outputs)]),
        policy.estimate,
        rule=rule,
        input_alerts=input_alerts(baseline, manifest.profiles[Role.CHAMPION]),
        record=_track_record(manifest, policy, store),
        rng=np.random.default_rng(seed),
    )


def some_of(outputs: Sequence[StoredFile]) -> Sequence[StoredFile]:
    """The files of a batch, or of a very large one so many of them, evenly spaced, that their rows fit into memory."""
    every = ceil(sum(output.rows for output in outputs) / _MOST_ROWS)
    return outputs[:: max(every, 1)]


def _champion_scores(output: StoredFile, store: ObjectStore) -> NDArray[np.float64]:
    """The champion's scores of a file; in a rollout they stand beside the answers."""
    file = pq.ParquetFile(io.BytesIO(store.read(output.key)))
    name = f"{Role.CHAMPION.value}_score" if f"{Role.CHAMPION.value}_score" in file.schema_arrow.names else "score"
    scores: pa.ChunkedArray = file.read([name])[name]
    return np.asarray(scores.to_numpy(), dtype=np.float64)


def _track_record(manifest: Manifest, policy: Policy, store: ObjectStore) -> TrackRecord:
    """How the estimates of this version's earlier batches did. What ended them ends them for good: the next one carries it on."""
    earlier = _Earlier(manifest, policy, store)
    before = next(earlier.estimates(), None)
    if before and before.missed_truth:
        return TrackRecord(before.compared, before.borne_out, before.newest, missed=True)
    return track_record(list(islice(earlier.held(), WINDOWS))[::-1])


class _Earlier:
    """Batches before one that the same champion scored, newest first, of the time that labels are joined with."""

    def __init__(self, manifest: Manifest, policy: Policy, store: ObjectStore) -> None:
        self._manifest, self._policy, self._store = manifest, policy, store
        self._labelled = {found.key for found in store.list(layout.performance_prefix(manifest.model))}
        self._day = cache(lambda key: DayPerformance.from_json(store.read(key)))

    def estimates(self) -> Iterator[Estimate]:
        """What was estimated of each, refused or not."""
        for manifest in self._manifests():
            if estimate := self._estimate(manifest):
                yield estimate

    def held(self) -> Iterator[HeldEstimate]:
        """The estimated log loss of each that has a true one, with it."""
        for manifest in self._manifests() if self._labelled else ():
            truth = true_loss(manifest, self._days(manifest), self._mature)
            estimate = self._estimate(manifest) if truth is not None else None
            if truth is not None and estimate and (thought := estimate.metrics.get(HELD)):
                yield HeldEstimate(value=thought.value, low=thought.low, high=thought.high, truth=truth)

    @property
    def _mature(self) -> date | None:
        return last_mature_day([self._manifest], self._policy.labels.delay_days)

    def _manifests(self) -> Iterator[Manifest]:
        first = days_before(self._manifest.source.last_modified.date(), self._policy.labels.look_back_days)
        for other in Manifests(self._store).newest(self._manifest.model, since=first):
            same = self._manifest.release and other.release and other.release.champion == self._manifest.release.champion
            if same and other.rows_scored and other.created_at < self._manifest.created_at:
                yield other

    def _days(self, manifest: Manifest) -> Iterator[DayPerformance]:
        keys = (layout.performance_key(manifest.model, day) for day in manifest.event_days)
        return (self._day(key) for key in keys if key in self._labelled)

    def _estimate(self, manifest: Manifest) -> Estimate | None:
        emitted = read_document(self._store, EmittedBatch, layout.emitted_key(manifest.model, manifest.batch_id))
        return emitted.estimate if emitted else None
