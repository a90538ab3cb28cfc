"""The ports of metric_emission, and what a delivery knows of its models."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import chain, islice, takewhile

import numpy as np
from numpy.typing import NDArray

from functions.metric_emission.adjoining import Adjoining, found_in
from functions.metric_emission.measurements import Emit
from functions.metric_emission.waiting import waiting_files
from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival, standing
from functions.shared.domain.calendar import days_before, mature_day
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.performance.estimate import expected_losses
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Release
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.domain.totals import Totals
from functions.shared.engines.bundle import LoadedModel
from functions.shared.ports import ObjectStore
from functions.shared.repositories.batch_index import FIRST, BatchIndex
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.performances import labelled_days
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases

LOOKED_THROUGH = 2000
"""How many batches, the newest or those before one, are searched for those of a version."""

AHEAD = timedelta(seconds=1), timedelta(0)
"""Batches of the next second are listed with one, for they often come together; without them if they are too many."""

type Send = Callable[[Totals], None]
"""Hand totals on to a Prometheus server, if there is one."""

type Queued = Callable[[], Mapping[str, int]]
"""Messages that wait, by queue."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where metric_emission reads and writes, where its output goes, and its clock.

    `memory_gb` is what the function has that scores batches. `indexed` names the models whose batches are known to be in the index.
    """

    inbox: ObjectStore
    store: ObjectStore
    bundles: Bundles
    emit: Emit
    send: Send
    queued: Queued
    now: Callable[[], datetime]
    memory_gb: float
    indexed: set[str] = field(default_factory=set)


class Model:
    """A model as a delivery found it: what several of its batches need is read once."""

    def __init__(self, name: str, ports: Ports) -> None:
        self.name, self.ports, self.store = name, ports, ports.store
        self.manifests = Manifests(ports.store)
        self._manifests: dict[str, Manifest] = {}
        self._judgements: dict[str, BatchJudgement] = {}
        self._judged_until: date | None = None
        self._ceilings: dict[str, float | None] = {}

    @cached_property
    def release(self) -> Release | None:
        """What is served, if anything is."""
        return Releases(self.store).current(self.name)

    @cached_property
    def policy(self) -> Policy:
        """The thresholds in force."""
        return Policies(self.store).current(self.name)

    @property
    def version(self) -> str:
        """The one that serves; only a model that serves something has one."""
        assert self.release is not None, "only a model that serves has a version"
        return self.release.champion.version

    @property
    def champion(self) -> LoadedModel:
        """That version as it is loaded."""
        assert self.release is not None, "only a model that serves has a champion"
        return self.ports.bundles.load(self.release.champion)

    def ceiling_of(self, version: str) -> float | None:
        """Return the most that one row's loss counts when a champion is judged.

        The champion may be one that served before.

        Only a regression has one.
        """
        if version not in self._ceilings:
            champion = self._earlier(version) if self.spec.task is Task.REGRESSION else self.champion
            self._ceilings[version] = champion.baseline.loss_ceiling
        return self._ceilings[version]

    def expected_losses(self, scores: NDArray[np.float64]) -> tuple[str, NDArray[np.float64]] | None:
        """Return the version that serves, and the loss expected of each score.

        Its calibration expects it; without one the answer is None.
        """
        calibration = self.champion.baseline.calibration
        return None if calibration is None else (self.version, expected_losses(calibration, scores))

    def _earlier(self, version: str) -> LoadedModel:
        """Return a version as it served last; the one that serves now if it never did."""
        assert self.release is not None, "only a model that serves has a champion"
        releases = Releases(self.store)
        before = (releases.at(self.name, seq) for seq in range(self.release.seq - 1, 0, -1))
        served = (release.champion for release in chain([self.release], before))
        return self.ports.bundles.load(next((one for one in served if one.version == version), self.release.champion))

    @property
    def spec(self) -> ModelSpec:
        """The champion's."""
        return self.champion.spec

    @property
    def newest(self) -> Iterator[Arrival]:
        """The newest batches that nothing supersedes, as many as are looked through."""
        return islice(standing(self._adjoining[0].since(0)), LOOKED_THROUGH)

    @cached_property
    def _adjoining(self) -> list[Adjoining]:
        """The newest batches, and those from others on that the delivery is about."""
        return [Adjoining(BatchIndex(self.store).entries(self.name))]

    def is_indexed(self, arrival: Arrival) -> bool:
        """Return whether a batch is in the index."""
        return self._since(arrival) is not None

    def _since(self, arrival: Arrival) -> Iterator[Arrival] | None:
        """Return a batch and those before it; None if it is not in the index."""
        found = found_in(self._adjoining, arrival, within=FIRST)
        for ahead in AHEAD:
            if found is None:
                first = replace(arrival, created_at=arrival.created_at + ahead)
                self._adjoining.append(Adjoining(BatchIndex(self.store).entries(self.name, since=first)))
                found = found_in(self._adjoining[-1:], arrival, within=FIRST)
        return found

    @cached_property
    def waiting_files(self) -> Sequence[str]:
        """The files of labels that wait for batches of the delivery.

        Labels that begin to wait later look for their batches after that, and find those of the delivery in the index.
        """
        return waiting_files(self.name, self.store)

    @cached_property
    def labelled_days(self) -> Sequence[date]:
        """The days that have labels, in order."""
        return labelled_days(self.name, self.store)

    def manifest(self, arrival: Arrival) -> Manifest:
        """Return the manifest of a batch, read once."""
        if arrival.batch not in self._manifests:
            self.knows(self.manifests.at(self.name, arrival))
        return self._manifests[arrival.batch]

    def knows(self, manifest: Manifest) -> None:
        """Take a manifest as read."""
        self._manifests[manifest.batch_id] = manifest

    def judgement(self, batch: str) -> BatchJudgement | None:
        """Return what a batch was judged to be, read once; None until it is judged."""
        if batch not in self._judgements:
            found = read_document(self.store, BatchJudgement, layout.emitted_key(self.name, batch))
            if found is None:
                return None
            self._judgements[batch] = found
        return self._judgements[batch]

    def judged(self, batch: str, judgement: BatchJudgement) -> None:
        """Take a judgement as read."""
        self._judgements[batch] = judgement

    @property
    def first_recent(self) -> date:
        """Labels are joined with batches that arrived on this day or later."""
        return days_before(self.ports.now().date(), self.policy.labels.look_back_days)

    def scored(self) -> Iterator[Arrival]:
        """Return the champion's batches with rows, the newest first."""
        return (arrival for arrival in self.newest if arrival.champion == self.version and arrival.has_rows)

    def scored_before(self, manifest: Manifest) -> Iterator[Arrival]:
        """Return the champion's batches with rows before one, the newest first.

        They are those that stood then: it does not matter what superseded one of them later.
        """
        arrival = Arrival.of(manifest)
        since = self._since(arrival)
        assert since is not None  # it is put into the index before it is measured
        until = (one for one in islice(since, LOOKED_THROUGH) if one.created_at <= arrival.created_at)
        return (one for one in islice(standing(until), 1, None) if one.champion == self.version and one.has_rows)

    @property
    def mature(self) -> date | None:
        """Return the last event day whose labels count as complete.

        The days of all recent batches decide it: one that came late may have early days.
        """
        recent = takewhile(lambda arrival: arrival.day >= self.first_recent, self.newest)
        return mature_day((arrival.reached for arrival in recent), self.policy.labels.delay_days)

    def judges_decay(self, mature: date) -> bool:
        """Return whether the champion is yet to be judged by labels up to a day.

        Asked a second time for the same day, the answer is no, until more labels come.
        """
        fresh, self._judged_until = mature != self._judged_until, mature
        return fresh

    def batches_came(self) -> None:
        """Look again which batches are in the index, and which labels wait."""
        for known in ("_adjoining", "waiting_files"):
            self.__dict__.pop(known, None)

    def labels_came(self) -> None:
        """Look again which days have labels."""
        self._judged_until = None
        self.__dict__.pop("labelled_days", None)


class Delivery:
    """The models that one delivery of messages is about."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self._models: dict[str, Model] = {}

    def model(self, name: str) -> Model:
        """Return a model, as it was when the delivery first asked for it."""
        return self._models.setdefault(name, Model(name, self.ports))
