"""A batch's performance before its labels, and whether labels bore out the estimates before it."""

import io
from collections.abc import Iterable, Iterator, Sequence
from math import ceil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from functions.shared.domain import layout
from functions.shared.domain.emitted import EmittedBatch
from functions.shared.domain.estimate import HELD, Estimate, estimate_performance, input_alerts
from functions.shared.domain.manifest import Manifest, StoredFile
from functions.shared.domain.performance import DayPerformance
from functions.shared.domain.policy import Policy
from functions.shared.domain.profile import Baseline
from functions.shared.domain.release import Role
from functions.shared.ports import ObjectStore
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests

WINDOWS = 12
"""How many earlier batches are held against their labels."""

_LEAST_COVERAGE = 0.5
_MOST_ROWS = 10_000_000


def estimate_batch(manifest: Manifest, baseline: Baseline, policy: Policy, store: ObjectStore) -> Estimate:
    """What the champion's calibration says of the rows it scored in a batch, or why it says nothing."""
    seed = int(manifest.batch_id[:16], 16)
    return estimate_performance(
        baseline.calibration,
        np.concatenate([_champion_scores(output, store) for output in some_of(manifest.outputs)]),
        policy.estimate,
        input_alerts=input_alerts(baseline, manifest.profiles[Role.CHAMPION]),
        held=list(_borne_out(manifest, store)),
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


def _borne_out(manifest: Manifest, store: ObjectStore) -> Iterator[bool]:
    """Whether the true log loss lay within the interval, for earlier batches of this version with labels, oldest first."""
    for earlier in reversed(list(_earlier(manifest, store))):
        emitted = read_document(store, EmittedBatch, layout.emitted_key(earlier.model, earlier.batch_id))
        estimated = emitted.estimate.metrics.get(HELD) if emitted and emitted.estimate else None
        truth = _true_loss(earlier, store)
        if estimated is not None and truth is not None:
            yield estimated.low <= truth <= estimated.high


def _earlier(manifest: Manifest, store: ObjectStore) -> Iterator[Manifest]:
    """The last batches before this one that the same champion scored, newest first."""
    found = 0
    for other in Manifests(store).newest(manifest.model):
        same = manifest.release and other.release and other.release.champion == manifest.release.champion
        if same and other.rows_scored and other.created_at < manifest.created_at:
            yield other
            found += 1
        if found == WINDOWS:
            return


def _true_loss(manifest: Manifest, store: ObjectStore) -> float | None:
    """Mean log loss on the batch's event days; None while fewer than half of their rows have labels."""
    days = [read_document(store, DayPerformance, layout.performance_key(manifest.model, day)) for day in manifest.event_days]
    known = [day for day in days if day is not None]
    labelled, predicted = sum(day.rows_labelled for day in known), sum(manifest.event_days.values())
    if labelled < _LEAST_COVERAGE * predicted:
        return None
    return _pooled_loss(known, str(manifest.release.champion if manifest.release else None))


def _pooled_loss(days: Iterable[DayPerformance], version: str) -> float | None:
    groups = [group for day in days for group in day.groups if group.version == version and group.role is Role.CHAMPION]
    rows = sum(group.rows for group in groups)
    return sum(group.loss_sum for group in groups) / rows if rows else None
