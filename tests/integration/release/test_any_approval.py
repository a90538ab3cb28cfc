"""Approvals, canaries, rollbacks and policies come in any order: what is served is what a plain model of the rules says."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from functions.shared.domain.errors import ReleaseRefusedError
from functions.shared.domain.release import doubtful_rollback
from tests.component.release.world import World, serving

STEPS = (0.05, 0.25, 0.5, 1.0)
FASTER = (0.25, 1.0)
DAYS = 30
VERSIONS = st.sampled_from(["1", "2", "3", "4"])


@dataclass
class Rules:
    """What the documents say, without stores, documents or clocks. `waited` are the days that `asked` has waited."""

    approval: str = "none"
    steps: tuple[float, ...] = STEPS
    champion: int = 1
    challenger: int | None = None
    share: float = 0.0
    asked: tuple[int, float] | None = None
    waited: float = 0.0
    newest: int = 1
    seen: bool = False
    pinned: bool = True

    def __post_init__(self) -> None:
        self.beats: dict[int, int] = {1: 0}
        self.harm: dict[tuple[int, int | None], float] = {}

    def served(self, champion: int, challenger: int | None = None, share: float = 0.0) -> None:
        """Whatever changes what is served ends the waiting, pins the policy, and has its batches still to come."""
        self.champion, self.challenger, self.share = champion, challenger, share
        self.newest = max(self.newest, champion, challenger or 0)
        self.asked, self.seen, self.pinned = None, False, True

    def ask(self, version: int, share: float) -> None:
        if self.asked != (version, share):
            self.asked, self.waited, self.pinned = (version, share), 0.0, True
        elif self.waited > DAYS:
            self.end()
        else:
            self.pinned = True

    def end(self) -> None:
        """What waits had its time."""
        assert self.asked
        self.newest = max(self.newest, self.asked[0])
        self.served(self.champion)

    @property
    def allowed(self) -> float | None:
        """What the evidence lets a challenger answer next: 0 sends it back, None keeps it as it is."""
        harm = self.harm.get((self.champion, self.challenger))
        if harm is None or (harm < 0 and not self.seen):
            return None
        return 0.0 if harm > 0 else next(share for share in self.steps if share > self.share)

    def grow(self, share: float) -> None:
        assert self.challenger
        if share == 1:
            self.served(self.challenger)
        else:
            self.served(self.champion, self.challenger, share)

    def tick(self) -> None:
        if self.challenger is None:
            winners = [version for version, beaten in self.beats.items() if version > self.newest and beaten == self.champion]
            if not self.pinned:
                self.pinned = True
            elif winners and self.approval == "none":
                self.served(self.champion, winners[-1], self.steps[0])
            elif winners:
                self.ask(winners[-1], self.steps[0])
        elif self.allowed == 0:
            self.served(self.champion)
        elif self.allowed and self.approval == "every_step":
            self.ask(self.challenger, self.allowed)
        elif self.allowed:
            self.grow(self.allowed)
        else:
            self.pinned = True


class AnyApproval(RuleBasedStateMachine):
    """One model's releases, and the rules as a plain model."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World = serving()
        self.rules = Rules()
        self.batches = 0

    @initialize(approval=st.sampled_from(["none", "required", "every_step"]))
    def begin(self, approval: str) -> None:
        self.person_sets_the_policy(approval, STEPS)
        self.tick()
        self.train()
        self.tick()

    @rule()
    def train(self) -> None:
        version = self.world.train(beats=str(self.rules.champion))
        self.rules.beats[int(version)] = self.rules.champion

    @rule(harm=st.sampled_from([-0.1, 0.1]))
    def labels_come(self, harm: float) -> None:
        if self.rules.challenger is not None:
            self.world.labels(harm=harm)
            self.rules.harm = {(self.rules.champion, self.rules.challenger): harm}
            self.rules.seen = True

    @rule()
    def batch_comes(self) -> None:
        self.batches += 1
        self.world.batch(f"{self.batches}.csv")
        self.rules.seen = True

    @rule(approval=st.sampled_from(["none", "required", "every_step"]), steps=st.sampled_from([STEPS, FASTER]))
    def person_sets_the_policy(self, approval: str, steps: tuple[float, ...]) -> None:
        self.world.set_policy(release={"approval": approval}, canary={"steps": steps})
        self.rules.approval, self.rules.steps, self.rules.pinned = approval, steps, False

    @rule()
    def tick(self) -> None:
        self.world.tick()
        self.rules.tick()

    @rule(days=st.sampled_from([9, 31]))
    def days_pass(self, days: int) -> None:
        self.world.wait(timedelta(days=days))
        self.rules.waited += days

    @precondition(lambda self: self.rules.asked)
    @rule()
    def nobody_decides_in_time(self) -> None:
        self.days_pass(DAYS + 1)
        self.tick()

    @precondition(lambda self: self.rules.challenger)
    @rule()
    def labels_allow_more(self) -> None:
        self.labels_come(-0.1)
        self.tick()

    @rule(version=VERSIONS)
    def person_approves(self, version: str) -> None:
        if self.rules.asked and self.rules.asked[0] == int(version):
            due, share = self.rules.asked
            if self.rules.challenger is None:
                self.rules.served(self.rules.champion, due, share)
            elif self.rules.allowed == share:
                self.rules.grow(share)
        with suppress(ReleaseRefusedError):
            self.world.approve(version)

    @precondition(lambda self: self.rules.asked)
    @rule()
    def person_approves_what_waits(self) -> None:
        assert self.rules.asked
        self.person_approves(str(self.rules.asked[0]))

    @rule(version=VERSIONS)
    def person_rejects(self, version: str) -> None:
        if self.rules.asked and self.rules.asked[0] == int(version):
            self.rules.end()
        with suppress(ReleaseRefusedError):
            self.world.reject(version)

    @rule(version=VERSIONS, canary=st.booleans())
    def person_promotes(self, version: str, canary: bool) -> None:  # noqa: FBT001
        number = int(version)
        if number in self.rules.beats and number != self.rules.champion and not (canary and number == self.rules.challenger):
            self.rules.served(*((self.rules.champion, number, self.rules.steps[0]) if canary else (number,)))
        with suppress(ReleaseRefusedError):
            (self.world.try_out if canary else self.world.promote)(version)

    @precondition(lambda self: self.rules.challenger or (self.world.release.previous and doubtful_rollback(self.world.release) is None))
    @rule()
    def person_rolls_back(self) -> None:
        previous = self.world.release.previous
        self.rules.served(self.rules.champion if self.rules.challenger else int(previous.version if previous else 0))
        self.world.rollback()

    @invariant()
    def what_is_served_and_what_waits_are_what_the_rules_say(self) -> None:
        release, rules = self.world.release, self.rules
        challenger = (int(release.challenger.version), release.challenger.share) if release.challenger else (None, 0.0)
        assert (int(release.champion.version), *challenger) == (rules.champion, rules.challenger, rules.share)
        assert self.world.asked() == ((str(rules.asked[0]), rules.asked[1]) if rules.asked else None)
        assert int(release.newest) == rules.newest

    @invariant()
    def whoever_must_decide_was_called_once(self) -> None:
        approval, calls = self.world.release.approval, [call.raised_at for call in self.world.calls()]
        assert approval is None or calls.count(approval.since) == 1
        assert len(calls) == len(set(calls))


TestAnyApproval = AnyApproval.TestCase
TestAnyApproval.settings = settings(stateful_step_count=40)
