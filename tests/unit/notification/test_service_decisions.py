"""What people are sent about the gate's decisions and about what is served, with the figures in one sentence."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from functions.notification.ports import Ports
from functions.notification.service import notify
from functions.shared.adapters.webhook import payload
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision, Origin, Reason, Verdict
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.gate.codes import GateCode
from functions.shared.domain.message import Message
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Answered, Approval, PinnedPolicy, ServedChallenger, ServedModel, Withdrawal
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.messages import Messages
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from tests.fakes.documents import NOW, make_decision, make_release
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore, Watcher

TWO = ServedModel(version="2", digest="d2", prefix=layout.version_prefix(MODEL, "2"))


def on_its_way(share: float, mode: Any = "canary") -> ServedChallenger:
    return ServedChallenger(**TWO.model_dump(), share=share, salt="s", mode=mode)


@dataclass
class World:
    """A store, and a mailbox that keeps what it gets."""

    store: MemoryStore = field(default_factory=MemoryStore)
    got: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.got.append(message)

    def deliver(self, key: str, watcher: Watcher = lambda _: None) -> None:
        created = StoredObject(bucket=self.store.bucket, key=key, version_id="v", etag="", size_bytes=1)
        notify(created, Ports(WatchedStore(self.store, watcher), {"topic": self}, "prod", lambda: NOW))

    def decide(self, decision: Decision) -> Message:
        Decisions(self.store).write(decision)
        self.deliver(layout.decision_key(MODEL, decision.challenger_version))
        return self.got[-1]

    def release(self, **fields: Any) -> list[Message]:
        """Decide a release, the next one of the model, and return what is sent about it."""
        releases = Releases(self.store)
        standing = releases.standing(MODEL)
        before = dict(standing.release) if standing else {}
        release = make_release(**before | {"withdrawn": None, "rolled_back": None} | fields | {"seq": before.get("seq", 0) + 1})
        releases.publish(release, over=standing)
        known = len(self.got)
        self.deliver(layout.release_history_key(MODEL, release.seq))
        return self.got[known:]


def judged(verdict: Verdict = Verdict.PROMOTE, **fields: Any) -> Decision:
    code, message = (GateCode.BETTER, "gains at least 0.02") if verdict is Verdict.PROMOTE else (GateCode.NO_GAIN, "gains at most 0.001")
    plain = {
        "champion_version": "1",
        "decision": verdict,
        "reasons": (Reason(code=code, message=message),),
        "metric": "log_loss",
        "champion": {"log_loss": 0.34567},
        "challenger": {"log_loss": 0.31},
        "rows": 12_345,
        "days": 28,
    }
    return make_decision("2", **(plain | fields))


def test_a_version_that_won_is_reported_with_both_figures() -> None:
    message = World().decide(judged())
    figures = "log_loss 0.31, the champion's 0.3457, on 12,345 held-out rows of 28 days"
    assert message.text.splitlines()[0] == f"sales: version 2 won at the gate against version 1: gains at least 0.02; {figures}"
    assert message.subject.startswith("prod, sales: decision: version 2 won at the gate against version 1")
    assert "waits for a person's approval" in message.text
    assert message.text.endswith("everscore report sales -o sales.html --stack prod\nMore: docs/runbook.md#decision")


def test_where_the_gate_compares_costs_the_figures_are_costs() -> None:
    figures = {"champion": {"log_loss": 0.34, "cost": 0.6468}, "challenger": {"log_loss": 0.31, "cost": 0.6214}}
    thresholds = make_decision("2").thresholds.model_copy(update={"metric": "cost"})
    message = World().decide(judged(**figures, thresholds=thresholds))
    assert "; cost per row 0.6214, the champion's 0.6468, on 12,345 held-out rows of 28 days" in message.text
    assert "log_loss" not in message.text


def test_a_version_that_was_kept_out_is_reported_with_how_to_try_it_all_the_same() -> None:
    message = World().decide(judged(Verdict.KEEP))
    assert "the gate keeps version 2 out, and version 1 serves on: gains at most 0.001; log_loss 0.31" in message.text
    assert '  everscore promote sales 2 --canary --force --reason "…" --stack prod\n' in message.text


def test_an_imported_version_next_to_a_champion_is_announced_as_imported_and_not_as_winner_at_the_gate() -> None:
    why = Reason(code="imported", message="imported: version 7 of 'sales' in the stack 'staging'")
    origin = Origin(stack="staging", model=MODEL, version="7", digest="d7", was_first=True, has_rows=True, exported_at=NOW)
    message = World().decide(judged(reasons=(why,), champion={}, origin=origin))
    assert message.text.startswith(f"sales: version 2 was imported, and goes against version 1: {why.message}; log_loss 0.31, on ")
    assert "won at the gate" not in message.text


def test_a_decision_that_an_erasure_rewrote_is_no_news_and_its_message_of_before_stays_known() -> None:
    rewritten = judged(erased_rows=3)
    unknown = World()
    Decisions(unknown.store).write(rewritten)
    unknown.deliver(layout.decision_key(MODEL, "2"))
    assert (unknown.got, list(unknown.store.list(layout.MESSAGES))) == ([], [])
    known = World()
    known.decide(judged())
    known.decide(rewritten)
    messages = Messages(known.store)
    assert len(known.got) == 1
    assert [message.id for _, message in messages.named(messages.newest(MODEL), stack="prod")] == ["decision-2"]


def test_a_models_first_version_is_reported_and_its_warnings_are_what_to_look_at() -> None:
    why = Reason(code=GateCode.FIRST, message="the model's first version has no champion to beat")
    doubt = Reason(code="leak", message="price predicts nearly everything", warning=True)
    message = World().decide(judged(champion_version=None, reasons=(why, doubt), champion={}, rows=0, days=0))
    first = message.text.splitlines()[0]
    assert first == "sales: version 2 was made: the model's first version has no champion to beat; log_loss 0.31"
    assert "\nLook at: price predicts nearly everything\n" in message.text


def test_each_change_of_what_is_served_is_reported_with_its_figures() -> None:
    world = World()
    said = "release {}: {} (why)"
    story: list[tuple[dict[str, Any], str]] = [
        ({}, "version 1 answers every row, as the model's first"),
        ({"challenger": on_its_way(0.0, "shadow")}, "version 2 scores all rows in shadow and answers none"),
        ({"challenger": on_its_way(0.05)}, "version 2 answers 5% of the rows, 0% before"),
        ({"challenger": on_its_way(0.25)}, "version 2 answers 25% of the rows, 5% before"),
        (
            {
                "challenger": None,
                "withdrawn": Withdrawal(version="2", share=0.25, answered=(Answered(batch_id="a", rows=1234),)),
            },
            "the rollout of version 2 ended at 25%; it had answered 1,234 rows",
        ),
        ({"champion": TWO}, "version 2 is the champion instead of version 1"),
        (
            {"champion": make_release().champion, "rolled_back": "2"},
            "version 2 is rolled back, and version 1 answers every row",
        ),
        ({"policy": PinnedPolicy(number=3)}, "policy 3 is in force, policy 0 before"),
        ({"retired": True}, "the model is retired, and version 1 answers no more rows"),
        ({"retired": False}, "version 1 answers every row again, as the model is retired no more"),
    ]
    for seq, (fields, sentence) in enumerate(story, start=1):
        [message] = world.release(reason="why", decided_by="ada", **fields)
        assert message.text.splitlines()[0] == f"sales: {said.format(seq, sentence)}"
        assert "Decided by ada." in message.text
        assert message.text.endswith("More: docs/runbook.md#release")


def test_a_release_that_only_asks_a_person_is_reported_by_its_alert_alone() -> None:
    world = World()
    world.release()
    asked = Approval(version="2", share=0.05, since=NOW)
    assert world.release(approval=asked) == []
    [ended] = world.release(approval=None, reason="rejected: no")
    assert "version 2 waits for approval no more (rejected: no)" in ended.text


def test_what_to_type_against_a_release_is_what_would_work() -> None:
    world = World()
    [first] = world.release()
    assert "rollback" not in first.text
    [canary] = world.release(challenger=on_its_way(0.05))
    assert '  everscore rollback sales --reason "…" --stack prod' in canary.text
    [retired] = world.release(challenger=None, retired=True)
    assert "Batches that begin from now on fail, with the reason." in retired.text
    assert '  everscore promote sales 1 --reason "…" --stack prod' in retired.text


def test_an_event_that_comes_again_sends_no_second_message_and_both_are_shown_as_they_were_sent() -> None:
    world = World()
    world.decide(judged())
    world.release()
    for key in (layout.decision_key(MODEL, "2"), layout.release_history_key(MODEL, 1)):
        world.deliver(key)
    assert [message.kind for message in world.got] == ["decision", "release"]
    messages = Messages(world.store)
    assert sorted(message.text for _, message in messages.named(messages.newest(MODEL), stack="prod")) == sorted(
        message.text for message in world.got
    )


def news(store: MemoryStore) -> dict[str, str]:
    """Where a decision and a release lie that change something, by the id of their message."""
    Decisions(store).write(judged())
    releases = Releases(store)
    releases.publish(make_release(), over=None)
    releases.publish(make_release(seq=2, challenger=on_its_way(0.05)), over=releases.standing(MODEL))
    return {"decision-2": layout.decision_key(MODEL, "2"), "release-2": layout.release_history_key(MODEL, 2)}


@pytest.mark.parametrize("about", ["decision-2", "release-2"])
def test_after_a_crash_at_any_call_the_message_arrives_and_a_second_one_is_known_by_its_id(about: str) -> None:
    moments: list[Moment] = []
    undisturbed = World()
    undisturbed.deliver(news(undisturbed.store)[about], moments.append)
    assert f"create {layout.message_key(MODEL, about)}" in {moment.call for moment in moments}
    for moment in moments:
        world = World()
        key = news(world.store)[about]
        with suppress(Crash, ExceptionGroup):
            world.deliver(key, CrashAt(moment))
        world.deliver(key)
        assert {message.id for message in world.got} == {about}
        assert len(world.got) <= 2


@pytest.mark.parametrize(("kinds", "sent"), [(("decision",), ["decision"]), (("release", "silent"), ["release"]), (("drift",), [])])
def test_the_policy_says_which_of_them_a_target_gets(kinds: tuple[str, ...], sent: list[str]) -> None:
    world = World()
    Policies(world.store).write(MODEL, Policy(number=1, notifications={"kinds": {"topic": kinds}}))  # type: ignore[arg-type]
    Decisions(world.store).write(judged())
    Releases(world.store).publish(make_release(), over=None)
    for key in (layout.decision_key(MODEL, "2"), layout.release_history_key(MODEL, 1)):
        world.deliver(key)
    assert [message.kind for message in world.got] == sent


def test_a_webhook_learns_from_the_type_what_a_message_is_about() -> None:
    world = World()
    world.release()
    assert [payload(world.decide(judged()))["type"], payload(world.got[0])["type"]] == ["decision", "release"]
