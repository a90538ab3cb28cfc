"""Whatever trainings, people, outages and crashes come in whatever order, what is served stays sound."""

from contextlib import suppress
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from functions.shared.domain import layout
from functions.shared.domain.decision import Verdict
from functions.shared.domain.errors import RegistryUnavailableError, ReleaseRefusedError
from functions.shared.repositories.decisions import Decisions
from tests.component.release.world import World, check, serving
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, CrashAt, Moment

VERSIONS = st.sampled_from(["1", "2", "3", "4"])


class AnyHistory(RuleBasedStateMachine):
    """One model's releases.

    `by_hand` holds the versions that a person promoted over the gate's head, `taken_out` the champions that rollbacks took out of
    service and nobody promoted since.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world: World = serving()
        self.away = False
        self.by_hand: set[str] = set()
        self.taken_out: set[str] = set()
        self.batches = 0

    def watcher(self, moment: Moment) -> None:
        if self.away and moment.bucket == "registry":
            raise RegistryUnavailableError("away")

    def versions(self) -> set[str]:
        return {decision.challenger_version for decision in Decisions(self.world.store).all(MODEL)}

    # What others do

    @rule(verdict=st.sampled_from(Verdict))
    def train(self, verdict: Verdict) -> None:
        self.world.train(beats=self.world.release.champion.version, verdict=verdict)

    @rule(harm=st.sampled_from([-0.1, 0.1]))
    def labels_come(self, harm: float) -> None:
        if self.world.release.challenger is not None:
            self.world.labels(harm=harm)

    @rule()
    def batch_comes(self) -> None:
        self.batches += 1
        self.world.batch(f"{self.batches}.csv")

    @rule(alias=st.sampled_from(["champion", "challenger", "previous"]), version=st.none() | VERSIONS)
    def person_moves_an_alias(self, alias: str, version: str | None) -> None:
        self.world.move(alias, version)

    @rule()
    def person_sets_a_policy(self) -> None:
        self.world.set_policy()

    @rule(version=VERSIONS)
    def bundle_is_lost(self, version: str) -> None:
        served = self.world.release
        if version in self.versions() - {served.champion.version, served.challenger.version if served.challenger else None}:
            self.world.lose_bundle(version)

    @rule(away=st.booleans())
    def registry_comes_and_goes(self, away: bool) -> None:  # noqa: FBT001
        self.away = away

    # What release does

    @rule()
    def tick(self) -> None:
        self.world.wait()
        with suppress(ReleaseRefusedError):
            self.world.tick(self.watcher)
            if not self.away:
                check(self.world)

    @rule(number=st.integers(1, 12), bucket=st.sampled_from(["store", "registry"]), side=st.sampled_from(["before", "after"]))
    def tick_crashes(self, number: int, bucket: str, side: Any) -> None:
        with suppress(Crash, ReleaseRefusedError):
            self.world.tick(CrashAt(Moment(bucket, number, side, "")))

    @rule(version=VERSIONS)
    def person_promotes(self, version: str) -> None:
        with suppress(ReleaseRefusedError):
            self.world.promote(version, self.watcher)
            self.by_hand.add(version)

    @rule()
    def person_rolls_back(self) -> None:
        before = self.world.release.champion.version
        with suppress(ReleaseRefusedError):
            self.world.rollback(self.watcher)
        if (after := self.world.release.champion.version) != before:
            assert after not in self.taken_out
            self.taken_out.add(before)

    @rule()
    def person_retires(self) -> None:
        self.world.retire(self.watcher)

    # What always holds

    @invariant()
    def what_serves_again_was_promoted(self) -> None:
        self.taken_out.discard(self.world.release.champion.version)

    @invariant()
    def what_is_served_stands_in_a_history_without_gaps(self) -> None:
        history, release = self.world.history, self.world.release
        assert [kept.seq for kept in history] == list(range(1, len(history) + 1))
        assert release == history[release.seq - 1]
        assert len(history) - release.seq in {0, 1}, "one decision at most waits to be served"
        assert all(self.world.store.writes(layout.release_history_key(MODEL, kept.seq)) == 1 for kept in history)

    @invariant()
    def no_version_serves_that_the_gate_kept_out_and_nobody_promoted(self) -> None:
        champion = self.world.release.champion.version
        decision = Decisions(self.world.store).of(MODEL, champion)
        assert decision is not None
        assert decision.verdict is Verdict.PROMOTE or champion in self.by_hand

    @invariant()
    def a_challenger_is_another_version_than_its_champion(self) -> None:
        challenger = self.world.release.challenger
        assert challenger is None or challenger.version != self.world.release.champion.version

    @invariant()
    def what_is_served_has_its_bundle(self) -> None:
        served = [self.world.release.champion, self.world.release.challenger]
        assert all(found.prefix + "bundle.json" in self.world.store.keys() for found in served if found)  # noqa: SIM118


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(stateful_step_count=25)
