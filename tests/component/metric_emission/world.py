"""Batches as scoring leaves them, with scores chosen by hand, and files of labels."""

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from functions.metric_emission.labelling import measure_labels
from functions.metric_emission.measurements import Measurement
from functions.metric_emission.ports import Delivery, Ports
from functions.metric_emission.service import measure_batch
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert
from functions.shared.domain.cause import Causes
from functions.shared.domain.drift.baseline import Baseline, DayExcess
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.manifest import Manifest, PinnedChallenger, PinnedRelease, StoredFile
from functions.shared.domain.metrics import Metric
from functions.shared.domain.performance.days import DayPerformance
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Release, Role, ServedModel
from functions.shared.domain.totals import Totals
from functions.shared.engines.bundle import LoadedModel
from functions.shared.ports import ObjectStore
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.causes import causes_of
from functions.shared.repositories.documents import read_document, read_documents
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from tests.fakes.documents import NOW, make_manifest, serve
from tests.fakes.measuring import make_ports
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, Version, make_version

DAY = date(2013, 4, 1)
_SHELF = MemoryStore()
_LOADED = Bundles(_SHELF)


@dataclass(frozen=True, slots=True)
class Scored:
    """A row that was scored: its id, when it happened, and the probability of `yes` by champion and perhaps challenger."""

    id: str
    score: float
    at: datetime = datetime(2013, 4, 1, 10, tzinfo=UTC)
    challenger: float | None = None
    predicted: str | None = None
    """Where the rule says something else than a threshold of a half; so for the challenger, if there is one."""


def rows(*scores: float, day: date = DAY, prefix: str = "r") -> list[Scored]:
    """Rows of one day with ids r0, r1, …"""
    at = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    return [Scored(f"{prefix}{number}", score, at) for number, score in enumerate(scores)]


class MeasuredBundles(Bundles):
    """Versions that lost this much per row out of time, when they were trained, and no row's loss counts above a ceiling."""

    def __init__(self, loss: float, ceiling: float | None = None) -> None:
        super().__init__(_SHELF)
        self._measured: dict[str, Any] = {"loss": loss, "loss_ceiling": ceiling}

    def load(self, served: ServedModel) -> LoadedModel:
        model = super().load(served)
        return replace(model, baseline=model.baseline.model_copy(update=self._measured))


class DatedBundles(Bundles):
    """Versions of whose columns is known how much runs of days differ."""

    def __init__(self, *excess: DayExcess) -> None:
        super().__init__(_SHELF)
        self._known = {"excess": excess}

    def load(self, served: ServedModel) -> LoadedModel:
        model = super().load(served)
        names = ("features", "scores")
        dated = {name: tuple(column.model_copy(update=self._known) for column in getattr(model.baseline, name)) for name in names}
        return replace(model, baseline=model.baseline.model_copy(update=dated))


@dataclass
class World:
    """One model's store, what was emitted of it, and a clock that only a test moves."""

    inbox: MemoryStore = field(default_factory=lambda: MemoryStore("inbox"))
    store: MemoryStore = field(default_factory=MemoryStore)
    emitted: list[Measurement] = field(default_factory=list)
    sent: list[Totals] = field(default_factory=list)
    moment: datetime = NOW
    seconds: Iterator[int] = field(default_factory=count)
    version: Version = field(default_factory=make_version)
    bundles: Bundles = _LOADED
    """All worlds are in one warm process, which loads a version once."""

    def __post_init__(self) -> None:
        """The first version serves."""
        self.serve(self.version)

    def serve(self, champion: Version, challenger: Version | None = None) -> None:
        """A version serves, alone or with a challenger."""
        champion.put(_SHELF)
        serve(self.store, champion, challenger)

    def now(self) -> datetime:
        """The time."""
        return self.moment

    def emit(self, measurements: Iterable[Measurement]) -> None:
        """Keep what is emitted."""
        self.emitted.extend(measurements)

    # What others do

    def commit(self, name: str, *, day: date = DAY, **fields: Any) -> Manifest:
        """A batch's manifest; its upload and itself come a second after those before."""
        later = timedelta(seconds=next(self.seconds))
        manifest = make_manifest(name, day=day, created_at=NOW + later)
        source = manifest.source.model_copy(update={"last_modified": manifest.source.last_modified + later})
        return Manifests(self.store).commit(manifest.model_copy(update={"source": source} | fields))

    def profiled(self, name: str, profile: Profile, **fields: Any) -> Manifest:
        """A batch of which only counts matter."""
        plain: dict[str, Any] = {
            "release": self.pinned,
            "rows_in": profile.rows,
            "rows_scored": profile.rows,
            "profiles": {Role.CHAMPION: profile},
        }
        return self.commit(name, **(plain | {"event_days": {DAY: profile.rows}} | fields))

    def scored(
        self,
        name: str,
        scored: Sequence[Scored],
        *,
        day: date = DAY,
        carried: str = "note",
        value: object = "plain",
        ids: pa.Array | None = None,
        predictions_by_role: bool = True,
        **fields: Any,
    ) -> Manifest:
        """A batch with its rows in the store, perhaps with ids of another type, and one column more than the model needs.

        Files of a rollout had no predictions by role once; the answers are the champion's here.
        """
        table = pa.table(
            {
                "id": [row.id for row in scored] if ids is None else ids,
                "at": pa.array([row.at for row in scored], pa.timestamp("us", "UTC")),
                carried: [value for _ in scored],
                "prediction": self._predictions([row.score for row in scored], [row.predicted for row in scored]),
                "score": [row.score for row in scored],
            }
        )
        if any(row.challenger is not None for row in scored):
            table = table.append_column("champion_score", table["score"])
            table = table.append_column("challenger_score", pa.array([row.challenger for row in scored]))
            if predictions_by_role:
                theirs = self._predictions([row.challenger or 0.0 for row in scored], [row.predicted for row in scored])
                table = table.append_column("champion_prediction", self._predictions([row.score for row in scored], [None for _ in scored]))
                table = table.append_column("challenger_prediction", theirs)
        body = io.BytesIO()
        pq.write_table(table, body)
        batch = make_manifest(name, day=day).batch_id
        key = layout.scored_key(MODEL, batch, "a1", 0)
        self.store.write(key, body.getvalue())
        output = StoredFile(key=key, rows=len(scored), bytes=body.tell(), sha256="")
        days = Counter(row.at.date() for row in scored)
        counted = {"rows_in": len(scored), "rows_scored": len(scored), "event_days": dict(days), "outputs": (output,)}
        return self.commit(name, day=day, **({"release": self.pinned} | counted | fields))

    def _predictions(self, scores: Sequence[float], otherwise: Sequence[str | None]) -> pa.Array:
        outcomes = self.version.spec.outcomes
        if not outcomes:
            return pa.array(scores)
        return pa.array([said or outcomes[score > 0.5] for score, said in zip(scores, otherwise, strict=True)]).dictionary_encode()

    @property
    def pinned(self) -> PinnedRelease:
        """What is served, as a manifest says it."""
        release = self.release
        challenger = release.challenger
        pinned = PinnedChallenger(version=challenger.version, share=challenger.share) if challenger else None
        return PinnedRelease(seq=release.seq, champion=release.champion.version, challenger=pinned)

    @property
    def release(self) -> Release:
        """What is served."""
        release = Releases(self.store).current(MODEL)
        assert release is not None
        return release

    @property
    def baseline(self) -> Baseline:
        """The champion's."""
        return self.bundles.load(self.release.champion).baseline

    def set_policy(self, **changed: Any) -> None:
        """A person puts thresholds in force."""
        Policies(self.store).write(MODEL, Policy(number=Policies(self.store).current(MODEL).number + 1, **changed))

    def upload_labels(self, text: str | bytes, name: str = "labels.csv") -> StoredObject:
        """A person uploads labels."""
        info = self.inbox.write(f"labels/{MODEL}/{name}", text.encode() if isinstance(text, str) else text)
        return StoredObject(bucket="inbox", key=info.key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)

    def ports(self, **changed: Any) -> Ports:
        """Those of a function that begins."""
        plain: dict[str, Any] = {"store": self.store, "inbox": self.inbox, "bundles": self.bundles, "emit": self.emit, "now": self.now}
        return make_ports(**(plain | changed))

    # What metric_emission does

    def record(self, *manifests: Manifest, store: ObjectStore | None = None) -> None:
        """One delivery of manifests."""
        delivery = Delivery(self.ports(store=store or self.store))
        for manifest in manifests:
            key = layout.manifest_key(MODEL, manifest.source.last_modified.date(), manifest.batch_id)
            measure_batch(StoredObject(bucket="store", key=key, version_id="v", etag="e", size_bytes=1), delivery)

    def label(self, text: str | bytes, name: str = "labels.csv", *, store: ObjectStore | None = None) -> StoredObject:
        """Labels are uploaded and delivered once."""
        created = self.upload_labels(text, name)
        self.deliver(created, store=store)
        return created

    def deliver(self, created: StoredObject, *, store: ObjectStore | None = None) -> None:
        """One delivery of a file of labels."""
        measure_labels(created, Delivery(self.ports(store=store or self.store)))

    # What is seen

    def values(self, metric: Metric) -> list[float]:
        """What was emitted of a metric, in order."""
        return [measurement.value for measurement in self.emitted if measurement.metric is metric]

    def alerts(self) -> list[Alert]:
        """What alerts said, in order of key, without what is over."""
        return [alert for alert in read_documents(self.store, Alert, f"alerts/{MODEL}/") if not alert.closed]

    def closings(self) -> list[str]:
        """What alerts said to be over, in order of key."""
        return [alert.message for alert in read_documents(self.store, Alert, f"alerts/{MODEL}/") if alert.closed]

    def causes(self) -> Causes:
        """What is known of the causes of alerts."""
        return causes_of(MODEL, self.store)

    def kinds(self) -> list[str]:
        """The kinds of these alerts."""
        return [alert.kind.value for alert in self.alerts()]

    def performance(self, day: date = DAY) -> DayPerformance:
        """What labels say of a day."""
        found = read_document(self.store, DayPerformance, layout.performance_key(MODEL, day))
        assert found is not None
        return found
