"""Estimate a batch's performance before its labels.

Estimates end once labels have not borne out earlier ones.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from math import ceil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from functions.metric_emission.ports import Model
from functions.metric_emission.truth import held_before
from functions.shared.domain.arrival import Arrival
from functions.shared.domain.calendar import days_before
from functions.shared.domain.manifest import Manifest, StoredFile
from functions.shared.domain.performance.estimate import Estimate, TrackRecord, estimate_performance, input_alerts, track_record
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task
from functions.shared.repositories.manifests import file_of

WINDOWS = 12
"""How many earlier batches are held against their labels: the last whose labels have come, however late they do."""

_LOOKED_BACK = 20
"""How many earlier batches are searched for the last estimate, which says whether estimates have ended."""

_MOST_ROWS = 10_000_000


def estimate_batch(manifest: Manifest, model: Model) -> Estimate | None:
    """Estimate a batch by the champion's calibration, or say why not.

    Only a binary classifier has an estimate. For others, and if all scored rows have expired, the answer is None.
    """
    champion = model.champion
    rule = manifest.release.decision_rules.get(Role.CHAMPION, champion.rule) if manifest.release else champion.rule
    if champion.spec.task is not Task.BINARY or rule is None:
        return None
    bodies = (file_of(manifest, output.key, model.store) for output in some_of(manifest.outputs))
    scores = [_champion_scores(body) for body in bodies if body is not None]
    if not scores:
        return None
    baseline, seed = champion.baseline, int(manifest.batch_id[:16], 16)
    return estimate_performance(
        baseline.calibration,
        np.concatenate(scores),
        model.policy.estimate,
        rule=rule,
        input_alerts=input_alerts(baseline, manifest.profiles[Role.CHAMPION]),
        record=_track_record(manifest, model),
        rng=np.random.default_rng(seed),
    )


def some_of(outputs: Sequence[StoredFile]) -> Sequence[StoredFile]:
    """Return the files of a batch.

    Of a very large batch they are only as many as fit into memory.
    """
    every = ceil(sum(output.rows for output in outputs) / _MOST_ROWS)
    return outputs[:: max(every, 1)]


def _champion_scores(body: bytes) -> NDArray[np.float64]:
    """Return the champion's scores of a file; rollouts store them separately."""
    file = pq.ParquetFile(io.BytesIO(body))
    name = f"{Role.CHAMPION.value}_score" if f"{Role.CHAMPION.value}_score" in file.schema_arrow.names else "score"
    scores: pa.ChunkedArray = file.read([name])[name]
    return np.asarray(scores.to_numpy(), dtype=np.float64)


def _track_record(manifest: Manifest, model: Model) -> TrackRecord:
    """Return how the estimates of this version's earlier batches did.

    Once ended, estimates stay ended: each one hands that on to the next.
    """
    before = next(_estimates(islice(_earlier(manifest, model), _LOOKED_BACK), model), None)
    if before and before.missed_truth:
        return TrackRecord(before.compared, before.borne_out, before.newest, missed=True)
    return track_record(list(islice(held_before(manifest, model), WINDOWS))[::-1])


def _earlier(manifest: Manifest, model: Model) -> Iterator[Arrival]:
    """Earlier batches of the same champion within the look-back, the newest first."""
    first = days_before(manifest.source.last_modified.date(), model.policy.labels.look_back_days)
    return (arrival for arrival in model.scored_before(manifest) if arrival.day >= first)


def _estimates(arrivals: Iterator[Arrival], model: Model) -> Iterator[Estimate]:
    """Yield what was estimated of some batches, refused or not."""
    for arrival in arrivals:
        judged = model.judgement(arrival.batch)
        if judged is not None and judged.estimate is not None:
            yield judged.estimate
