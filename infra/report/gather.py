"""Read the contents of a report from the stored documents of one model."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import islice

from functions.shared.domain import layout
from functions.shared.domain.alert import Alert
from functions.shared.domain.calendar import is_plausible, last_mature_day
from functions.shared.domain.cause import Cause, State, state_of_alert
from functions.shared.domain.decision import Decision
from functions.shared.domain.drift.detection import DriftReport
from functions.shared.domain.errors import InputError, NotFoundError
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.performance.days import DayPerformance
from functions.shared.domain.performance.estimate import Estimate
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Release
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import SPEC
from functions.shared.ports import ObjectStore
from functions.shared.repositories.alerts import raised
from functions.shared.repositories.causes import causes_of, quiet
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.performances import performance_keys
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from infra.measured import measured
from infra.words import stored

BATCHES, DAYS, ALERTS = 400, 400, 100
"""Newest batches in a report: a year of daily batches, and a limit for busier models."""

_READERS = 8
_SAMPLED_BATCHES = 12
_SAMPLED_BYTES = 65_536
_SAMPLES_A_REASON = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch's manifest, pooled drift, and estimate.

    It is None where nothing was measured.
    """

    manifest: Manifest
    drift: DriftReport | None
    estimate: Estimate | None = None

    @property
    def day(self) -> date | None:
        """Return its last event day; None if no row was scored."""
        return max(filter(is_plausible, self.manifest.event_days), default=None)

    @property
    def file(self) -> str:
        """Return the file's name for people."""
        return stored(layout.upload_name(self.manifest.source.key))

    @property
    def lost(self) -> int:
        """Return the number of lost rows, which should always be 0."""
        manifest = self.manifest
        return manifest.rows_in - manifest.rows_scored - manifest.rows_quarantined - manifest.rows_erased


@dataclass(frozen=True, slots=True)
class RejectedSample:
    """A quarantined row: file, line (None if it has none), row, reason, text."""

    file: str
    line: int | None
    row: int
    code: str
    message: str
    raw: str


@dataclass(frozen=True, slots=True)
class History:
    """A model's history up to `now`, oldest first; alerts and samples newest first.

    `has_older` says that there are batches before the `BATCHES` newest, which were not read. `mature` is the last event day whose labels
    count as complete, None without scored rows. `spec` is the champion's. `policies` are those that can be read, by number.
    `states` says of each alert how its cause stands, and `digest` holds open causes of drift for which nobody was called.
    """

    model: str
    now: datetime
    releases: tuple[Release, ...]
    decisions: tuple[Decision, ...]
    batches: tuple[Batch, ...]
    has_older: bool
    days: tuple[DayPerformance, ...]
    alerts: tuple[Alert, ...]
    states: tuple[State | None, ...]
    digest: tuple[Cause, ...]
    samples: tuple[RejectedSample, ...]
    spec: ModelSpec | None
    mature: date | None
    policies: Mapping[int, Policy]

    @property
    def stated_alerts(self) -> list[tuple[Alert, State | None]]:
        """Return the alerts, each with its state."""
        return list(zip(self.alerts, self.states, strict=True))


def gather(model: str, store: ObjectStore, now: datetime) -> History:
    """Read a model's documents, several at a time.

    Raises:
        InputError: if the model has no documents.
    """
    releases = Releases(store)
    with ThreadPoolExecutor(_READERS) as readers:
        arrivals = Manifests(store).arrivals(model)
        newest_first = list(readers.map(partial(Manifests(store).at, model), islice(arrivals, BATCHES)))
        standing = newest_first[::-1]
        batches = readers.map(lambda manifest: _batch(manifest, store), standing)
        days = performance_keys(model, store)[-DAYS:]
        keys = [found.key for found in raised(model, store)][-ALERTS:]
        alerts = sorted((Alert.from_json(body) for body in readers.map(store.read, keys)), key=lambda alert: alert.raised_at, reverse=True)
        causes = causes_of(model, store)
        digest = quiet(causes, store)
        history = History(
            model=model,
            now=now,
            releases=tuple(releases.history(model)),
            spec=_served_spec(releases.current(model), store),
            decisions=tuple(Decisions(store).all(model)),
            batches=tuple(batches),
            has_older=any(True for _ in arrivals),
            days=tuple(DayPerformance.from_json(body) for body in readers.map(store.read, days)),
            alerts=tuple(alerts),
            states=tuple(state_of_alert(causes, alert, now, quiet=digest) for alert in alerts),
            digest=tuple(digest.values()),
            samples=_varied(_samples(iter(newest_first), store)),
            mature=last_mature_day(standing, Policies(store).current(model).labels.delay_days),
            policies=Policies(store).by_number(model),
        )
    if not history.releases and not history.decisions and not history.batches:
        known = ", ".join(releases.models()) or "none yet"
        raise InputError(f"nothing is stored of a model {model!r} here", remedy=f"choose a model: {known}", code="unknown_model")
    return history


def _served_spec(release: Release | None, store: ObjectStore) -> ModelSpec | None:
    return read_document(store, ModelSpec, release.champion.prefix + SPEC) if release else None


def _batch(manifest: Manifest, store: ObjectStore) -> Batch:
    found = measured(manifest, store)
    return Batch(manifest, found.drift, found.estimate) if found else Batch(manifest, None)


def _samples(newest_first: Iterator[Manifest], store: ObjectStore) -> Iterator[RejectedSample]:
    """Yield the first quarantined rows of the last batches, a few kB each.

    Expired ones are skipped.
    """
    for manifest in islice((manifest for manifest in newest_first if manifest.quarantine), _SAMPLED_BATCHES):
        file = Batch(manifest, None).file
        try:
            start = store.open(manifest.quarantine[0].key).read_at(0, _SAMPLED_BYTES)
        except NotFoundError:  # expired, or replaced by an erasure since the manifest was read
            continue
        whole_lines, _, _ = start.rpartition(b"\n")
        for text in whole_lines.splitlines():
            row = json.loads(text)
            yield RejectedSample(file=file, line=row["line"], row=row["row"], code=row["code"], message=row["message"], raw=row["raw"])


def _varied(samples: Iterator[RejectedSample]) -> tuple[RejectedSample, ...]:
    """Return the first few of each reason."""
    chosen: dict[str, list[RejectedSample]] = {}
    for sample in samples:
        alike = chosen.setdefault(sample.code, [])
        if len(alike) < _SAMPLES_A_REASON:
            alike.append(sample)
    return tuple(sample for alike in chosen.values() for sample in alike)
