"""A store, a registry, versions that won or lost, and what was seen of them."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from functions.release import approvals, service
from functions.release.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.decision import Reason, Verdict
from functions.shared.domain.manifest import BatchError, PinnedChallenger, PinnedRelease, Status
from functions.shared.domain.performance.confidence import DaySums
from functions.shared.domain.performance.days import DayPerformance, PairedLosses
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Release, Role
from functions.shared.domain.rollout.agreement import Agreement
from functions.shared.domain.rollout.canary import Step
from functions.shared.ports import TrainingRun
from functions.shared.repositories.batch_index import BatchIndex
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from tests.fakes.documents import NOW, make_decision, make_manifest
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.fakes.watched_registry import WatchedRegistry
from tests.fakes.watched_store import Moment, WatchedStore, Watcher

FIRST_DAY = date(2013, 4, 1)
LABELLED_DAYS = 7
ROWS_A_DAY = 100
GOOD, BAD = -0.1, 0.1
"""Harm per row, far beyond what seven days of a hundred labels leave open."""


def quiet(_moment: Moment) -> None:
    """Watch nothing."""


@dataclass
class World:
    """One model's releases, from its first version on."""

    store: MemoryStore = field(default_factory=MemoryStore)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    names: Iterator[int] = field(default_factory=partial(count, 1))
    numbers: Iterator[int] = field(default_factory=partial(count, 1))
    seconds: Iterator[int] = field(default_factory=count)
    waited: timedelta = timedelta(0)
    has_registry: bool = True

    def ports(self, watcher: Watcher = quiet) -> Ports:
        """Release's ports, with every call watched."""
        registry = WatchedRegistry(self.registry, watcher) if self.has_registry else None
        return Ports(WatchedStore(self.store, watcher), registry, lambda: f"name {next(self.names)}", self.now)

    def now(self) -> datetime:
        """A second after the last time it was asked."""
        return NOW + self.waited + timedelta(seconds=next(self.seconds))

    # What others do

    def train(self, *, beats: str | None = "1", verdict: Verdict = Verdict.PROMOTE, **decided: Any) -> str:
        """Retraining makes the next version, which was judged against the champion `beats`."""
        version = self.register()
        bundle = f"bundle {version}".encode()
        self.store.write(layout.version_prefix(MODEL, version) + "bundle.json", bundle)
        reasons = (Reason(code="judged", message=f"version {version} was judged"),)
        figures = {"minimum_effect": 0.01, "reasons": reasons} | decided
        digest = hashlib.sha256(bundle).hexdigest()
        recorded = {"run_id": f"run-{version}" if self.has_registry else None} | figures
        decision = make_decision(version, champion_version=beats, decision=verdict, digest=digest, **recorded)
        Decisions(self.store).write(decision)
        return version

    def register(self) -> str:
        """Somebody registers a version that nothing was decided on."""
        version = str(next(self.numbers))
        if self.has_registry:
            self.registry.register(MODEL, version, TrainingRun(None, {}, {}, {}, {}))
        return version

    def record(self, version: str) -> None:
        """Retraining catches up on a version that the registry lacks."""
        run_id = self.registry.register(MODEL, version, TrainingRun(None, {}, {}, {}, {}))
        decision = Decisions(self.store).of(MODEL, version)
        assert decision is not None
        Decisions(self.store).write(decision.model_copy(update={"run_id": run_id}))

    def batch(
        self,
        name: str,
        *,
        day: date = FIRST_DAY,
        rows: int = 1000,
        quarantined: int = 0,
        sat_out: str | None = None,
        damaged: bool = False,
        under: Release | None = None,
        **fields: Any,
    ) -> None:
        """Scoring commits a batch under the release that is served, or was; its challenger may have sat it out, damaged or not."""
        release = under or self.release
        challenger = release.challenger
        pinned = PinnedRelease(
            seq=release.seq,
            champion=release.champion.version,
            challenger=PinnedChallenger(version=challenger.version, share=challenger.share) if challenger else None,
            challenger_suspended=sat_out,
            challenger_damaged=damaged,
        )
        counted = {"rows_in": rows, "rows_scored": rows - quarantined, "rows_quarantined": quarantined, "event_days": {day: rows}}
        manifest = make_manifest(name, day=day, release=pinned, created_at=self.now(), **(counted | fields))
        Manifests(self.store).commit(manifest)

    def failed_batch(self, name: str) -> None:
        """Scoring refuses a file; such a manifest names no release."""
        error = BatchError(code="empty_file", message="the file has no rows", remedy="upload one that has")
        Manifests(self.store).commit(make_manifest(name, status=Status.FAILED, error=error, created_at=self.now()))

    def labels(self, *, harm: float, days: int = LABELLED_DAYS) -> None:
        """Labels say that each row costs so much more by the challenger than by the champion; all of them are mature."""
        release = self.release
        assert release.challenger is not None
        for number in range(days):
            day = FIRST_DAY + timedelta(days=number)
            sums = DaySums(day=day, rows=ROWS_A_DAY, sum=harm * ROWS_A_DAY, sum_squares=(harm**2 + 0.01) * ROWS_A_DAY)
            pair = PairedLosses(champion=release.champion.version, challenger=release.challenger.version, sums=sums)
            performance = DayPerformance(model=MODEL, day=day, rows_predicted=ROWS_A_DAY, rows_labelled=ROWS_A_DAY, pairs=(pair,))
            self.store.write(layout.performance_key(MODEL, day), performance.to_json())
        self.batch(f"later than labels of {release.seq}.csv", day=FIRST_DAY + timedelta(days=days + 30))

    def set_policy(self, **changed: Any) -> None:
        """A person puts thresholds in force."""
        number = Policies(self.store).current(MODEL).number + 1
        Policies(self.store).write(MODEL, Policy(number=number, who="ada", why="because", **changed))

    def move(self, alias: str, version: str | None) -> None:
        """A person moves an alias in the registry's own page."""
        self.registry.set_aliases(MODEL, {alias: version})

    def spoil_bundle(self, version: str) -> None:
        """A bundle is changed after the decision on it."""
        self.store.write(layout.version_prefix(MODEL, version) + "bundle.json", b"other")

    def lose_bundle(self, version: str) -> None:
        """A bundle is deleted."""
        self.store.delete([layout.version_prefix(MODEL, version) + "bundle.json"])

    # What release does

    def tick(self, watcher: Watcher = quiet) -> Step:
        """One step, as the schedule asks for it."""
        return service.tick(MODEL, self.ports(watcher))

    def promote(self, version: str, watcher: Watcher = quiet, *, force: bool = False) -> Release:
        """By hand."""
        return service.promote(MODEL, version, reason="I say so", who="ada", force=force, ports=self.ports(watcher))

    def try_out(self, version: str, watcher: Watcher = quiet, *, force: bool = False) -> Release:
        """By hand."""
        return service.try_out(MODEL, version, reason="I say so", who="ada", force=force, ports=self.ports(watcher))

    def restore(self, version: str, watcher: Watcher = quiet) -> Release:
        """By hand."""
        return service.restore(MODEL, version, reason="I say so", who="ada", ports=self.ports(watcher))

    def rollback(self, watcher: Watcher = quiet) -> Release:
        """By hand."""
        return service.rollback(MODEL, reason="I say so", who="ada", ports=self.ports(watcher))

    def retire(self, watcher: Watcher = quiet) -> Release:
        """By hand."""
        return service.retire(MODEL, reason="I say so", who="ada", ports=self.ports(watcher))

    def approve(self, version: str, watcher: Watcher = quiet) -> Release:
        """By hand."""
        return approvals.approve(MODEL, version, reason="looks right", who="ada", ports=self.ports(watcher))

    def reject(self, version: str, watcher: Watcher = quiet) -> Release:
        """By hand."""
        return approvals.reject(MODEL, version, reason="looks wrong", who="ada", ports=self.ports(watcher))

    def wait(self, time: timedelta = timedelta(minutes=15)) -> None:
        """A quarter of an hour passes, as between two ticks, or another time."""
        self.waited += time

    # What is seen

    @property
    def release(self) -> Release:
        """What is served."""
        release = Releases(self.store).current(MODEL)
        assert release is not None
        return release

    @property
    def history(self) -> list[Release]:
        """All that was decided."""
        return Releases(self.store).history(MODEL)

    def asked(self) -> tuple[str, float] | None:
        """The version that waits for a person, and what share of the rows it would answer."""
        approval = self.release.approval
        return (approval.version, approval.share) if approval else None

    def calls(self) -> list[Alert]:
        """The alerts that ask for a person's approval, oldest first."""
        alerts = [Alert.from_json(self.store.read(found.key)) for found in self.store.list(layout.alert_prefix(MODEL))]
        return [alert for alert in alerts if alert.kind is AlertKind.APPROVAL]

    def served(self) -> tuple[str, str | None, str | None]:
        """Versions of champion, challenger and previous."""
        return versions_of(self.release)

    def aliases(self) -> Mapping[str, str]:
        """What the registry says."""
        return self.registry.aliases(MODEL)


def versions_of(release: Release) -> tuple[str, str | None, str | None]:
    """Versions of champion, challenger and previous."""
    return (
        release.champion.version,
        release.challenger.version if release.challenger else None,
        release.previous.version if release.previous else None,
    )


def serving() -> World:
    """Version 1 serves, and the aliases say so."""
    world = World()
    world.train(beats=None)
    world.tick()
    BatchIndex(world.store).complete(MODEL, also=lambda _: None)
    return world


def in_canary(**decided: Any) -> World:
    """Version 2 is at the first step of its rollout; a batch was scored before it and one since."""
    world = serving()
    world.batch("before.csv")
    world.train(**decided)
    world.tick()
    world.batch("since.csv")
    return world


def waiting(**policy: Any) -> World:
    """Version 2 won at the gate and waits for a person, who is asked before a canary begins."""
    world = serving()
    world.set_policy(release={"approval": "required"} | policy)
    world.tick()
    world.batch("before.csv")
    world.train(metric="log_loss", champion={"log_loss": 0.5}, challenger={"log_loss": 0.4}, rows=1234)
    world.tick()
    return world


def waiting_for_a_step() -> World:
    """Version 2 is at the first step of its rollout, labels speak for it, and a person is asked before it grows."""
    world = in_canary()
    world.set_policy(release={"approval": "every_step"})
    world.tick()
    world.labels(harm=-0.1)
    world.tick()
    return world


def check(world: World) -> None:
    """The history has no gap, its last release is what is served, and the aliases agree with it."""
    assert [release.seq for release in world.history] == list(range(1, len(world.history) + 1))
    assert world.release == world.history[-1]
    champion, challenger, previous = world.served()
    expected = {"champion": None if world.release.retired else champion, "challenger": challenger, "previous": previous}
    assert world.aliases() == {alias: version for alias, version in expected.items() if version is not None}
    assert world.registry.sequence(MODEL) == world.release.seq


def codes(step: Step) -> list[str]:
    """Why a step was taken, in short."""
    return [reason.code for reason in step.reasons]


def joint(agreeing: int, contrary: int) -> Agreement:
    """Counts over two bins of scores."""
    return Agreement(rows=2 * (agreeing + contrary), counts=((agreeing, contrary), (contrary, agreeing)))


def manifests_read(world: World, act: Callable[[World, Watcher], object]) -> list[str]:
    """Which manifests are read by an act of release."""
    return read(world, act, "manifests/")


def read(world: World, act: Callable[[World, Watcher], object], prefix: str) -> list[str]:
    """Which documents below a prefix are read by an act of release."""
    seen: list[Moment] = []
    act(world, seen.append)
    return [moment.call for moment in seen if moment.side == "before" and moment.call.startswith(f"read {prefix}")]


def answered(world: World) -> tuple[str, float, list[int]] | None:
    """Version and share of the challenger that the release withdrew, and its rows by batch, newest first."""
    withdrawn = world.release.withdrawn
    return (withdrawn.version, withdrawn.share, [batch.rows for batch in withdrawn.answered]) if withdrawn else None


def in_canary_that_answered() -> World:
    world = in_canary()
    for name, rows in {"one.csv": 50, "two.csv": 60}.items():
        world.batch(name, served={Role.CHAMPION: 1000 - rows, Role.CHALLENGER: rows})
    return world
