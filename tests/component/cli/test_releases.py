"""What was served when, and what a rollout cost and left."""

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console, RenderableType

from functions.shared.domain.errors import EverscoreError, InputError
from functions.shared.domain.release import Answered, Approval, Release, Role, Withdrawal
from functions.shared.repositories.manifests import Manifests
from infra.cli import operator
from infra.cli.batches import answered_by_withdrawn
from infra.cli.operator import FunctionFailedError
from infra.cli.releases import served_at
from infra.cli.screens.batches import manifest_screen
from infra.cli.screens.releases import history_screen, release_screen
from tests.component.release.world import World, in_canary, serving
from tests.fakes.documents import NOW, make_manifest, make_release
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Moment, WatchedStore
from tests.unit.cli.stack import Stack
from tests.unit.cli.terminal import ended

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def shown(screen: RenderableType) -> str:
    printed = io.StringIO()
    Console(width=200, file=printed).print(screen)
    return " ".join(printed.getvalue().split())


def releases() -> list[Release]:
    return [make_release(seq=seq, decided_at=NOW + seq * DAY, reason=f"reason {seq}") for seq in (1, 2, 3)]


@pytest.mark.parametrize(
    ("moment", "seq"), [(NOW + DAY, 1), (NOW + 2 * DAY - SECOND, 1), (NOW + 2 * DAY, 2), (NOW + 3 * DAY, 3), (NOW + 99 * DAY, 3)]
)
def test_a_release_is_in_force_from_its_decision_until_the_next(moment: datetime, seq: int) -> None:
    assert served_at(releases(), moment).seq == seq


def test_before_the_first_release_nothing_was_served() -> None:
    with pytest.raises(InputError, match=r"served nothing at 2013-04-02 11:59 UTC\nremedy: .* 2013-04-02 12:00 UTC"):
        served_at(releases(), NOW.astimezone(UTC) + DAY - SECOND)


def test_whoever_ends_a_rollout_learns_what_it_answered_and_how_to_score_that_again() -> None:
    answered = tuple(Answered(batch_id=name * 32, rows=rows) for name, rows in {"a": 1200, "b": 34}.items())
    said = shown(release_screen(make_release(withdrawn=Withdrawal(version="2", share=0.05, answered=answered)).summary()))
    assert "version 1 serves" in said
    assert "ended the canary of version 2 at 5%, which answered 1,234 rows of 2 batches" in said
    assert "to score these with version 1: everscore rescore sales --withdrawn" in said
    once = shown(release_screen(make_release(withdrawn=Withdrawal(version="2", share=0.05, answered=answered[:1])).summary()))
    assert "answered 1,200 rows of 1 batch" in once
    assert "1 batches" not in once
    many = shown(release_screen(make_release(withdrawn=Withdrawal(version="2", share=0.05, answered=answered, complete=False)).summary()))
    assert "answered at least" in many
    quiet = shown(release_screen(make_release(withdrawn=Withdrawal(version="2", share=0.05)).summary()))
    assert "answered no batch" in quiet
    assert "rescore" not in quiet
    assert "canary" not in shown(release_screen(make_release().summary()))


@pytest.mark.parametrize(("share", "what"), [(0.05, "to answer 5% of the rows"), (1.0, "to become the champion")])
def test_what_waits_for_a_person_is_shown_with_the_command_that_decides(share: float, what: str) -> None:
    said = shown(release_screen(make_release(approval=Approval(version="2", share=share, since=NOW)).summary()))
    assert f"version 2 waits since 2013-04-01 12:00 UTC for approval {what}" in said
    assert "everscore approve sales 2 --reason WHY or everscore reject sales 2 --reason WHY" in said
    assert "approval" not in shown(release_screen(make_release().summary()))


def test_on_aws_the_iam_principal_decides_and_here_the_user_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/operators/ada"
    sts = SimpleNamespace(get_caller_identity=lambda: {"Arn": arn})
    session = SimpleNamespace(client=lambda name, **_: sts if name == "sts" else None)
    monkeypatch.setattr(operator, "getuser", lambda: "ada")
    outputs = {"InboxBucket": "inbox", "StoreBucket": "store"}
    assert operator.Operator(session, None, outputs, name="prod").who == arn
    assert operator.Operator(session, "http://127.0.0.1:4566", outputs, name="here").who == "ada"


def test_a_history_names_champion_challenger_reason_and_who() -> None:
    entry: dict[str, Any] = {
        "seq": 7,
        "decided_at": "2024-06-01T05:15:30+00:00",
        "decided_by": "ada",
        "reason": "a trial",
        "champion": {"version": "3"},
        "challenger": {"version": "4", "share": 0.25, "mode": "canary"},
    }
    shadow = {**entry, "challenger": {"version": "4", "share": 0.25, "mode": "shadow"}}
    retired = {**entry, "champion": None, "challenger": None}
    said = shown(history_screen({"model": "sales", "releases": [entry, shadow, retired]}))
    assert "7 2024-06-01 05:15 3 4 on 25% ada a trial" in said
    assert "7 2024-06-01 05:15 3 4 as a shadow ada a trial" in said
    assert "7 2024-06-01 05:15 retired none ada a trial" in said


def test_a_batch_of_a_rollout_shows_what_each_model_cost_and_an_erased_one_what_is_gone() -> None:
    manifest = make_manifest().model_copy(update={"rows_in": 10, "rows_scored": 8, "rows_erased": 2}).summary()
    manifest["release"] = {"seq": 2, "champion": "1", "challenger": {"version": "2", "share": 0.05}}
    manifest["timings"] |= {"predict_s": 0.5, "challenger_predict_s": 0.3}
    said = shown(manifest_screen(manifest))
    assert "prediction took 0.200 s by the champion and 0.300 s by the challenger" in said
    assert "10 rows in = 8 scored by version 1 (5% by version 2) + 0 quarantined + 2 erased" in said


def test_what_a_withdrawn_challenger_answered_is_looked_up_again_so_that_batches_under_way_are_not_missed() -> None:
    served = {Role.CHAMPION: 950, Role.CHALLENGER: 50}
    world = in_canary()
    world.batch("earlier.csv", batch_id="earlier", served=served)
    world.rollback()
    world.move("challenger", "2")
    world.tick()
    running = world.release
    world.batch("erased.csv", batch_id="erased", served=served, rows_in=1000, rows_scored=999, rows_erased=1)
    world.batch("again.csv", batch_id="first try", served=served)
    world.batch("champion's.csv", served={Role.CHAMPION: 1000})
    world.rollback()
    world.batch("again.csv", batch_id="second try", supersedes="first try")
    world.batch("under way.csv", under=running, batch_id="under way", served=served)
    assert answered_by_withdrawn(MODEL, world.store) == ["under way"]


def test_what_a_withdrawn_challenger_answered_is_looked_for_among_the_batches_since_its_rollout_began() -> None:
    world = serving()
    for number in range(20):
        world.batch(f"long before {number}.csv")
    world.train()
    world.tick()
    world.batch("since.csv", batch_id="since", served={Role.CHAMPION: 950, Role.CHALLENGER: 50})
    world.rollback()
    seen: list[Moment] = []
    assert answered_by_withdrawn(MODEL, WatchedStore(world.store, seen.append)) == ["since"]
    assert sum(moment.call.startswith("read manifests/") for moment in seen if moment.side == "before") == 1


class Rescoring(Stack):
    """A stack whose scoring function refuses some batches, in other words for each."""

    def __init__(self, world: World, refused: Mapping[str, EverscoreError]) -> None:
        super().__init__(store=world.store)
        self._refused = refused

    def release_of(self, model: str) -> Release:
        """Return what serves."""
        return make_release(model=model)

    def ask(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Score a batch again, or not."""
        if error := self._refused.get(request["batch_id"]):
            raise error
        return Manifests(self.store).named(MODEL, request["batch_id"]).summary()


def test_a_batch_that_cannot_be_scored_again_does_not_keep_older_ones_from_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = in_canary()
    for name in ("oldest", "expired", "parted", "newest"):
        world.batch(f"{name}.csv", batch_id=name, served={Role.CHAMPION: 950, Role.CHALLENGER: 50})
    world.rollback()
    parted = InputError("batch parted was scored in 300 partitions", remedy="upload the file again")
    expired = FunctionFailedError("s3://inbox/expired.csv does not exist", code="not_found")
    stack = Rescoring(world, {"parted": parted, "expired": expired})
    monkeypatch.setattr(operator, "connect", lambda _: stack)
    assert ended(f"rescore {MODEL} --withdrawn --json", monkeypatch) == 2
    answer = json.loads(capsys.readouterr().out)
    assert {batch["batch_id"] for batch in answer["rescored"]} == {"oldest", "newest"}
    assert {batch["batch_id"]: batch["error"] for batch in answer["refused"]} == {"parted": parted.message, "expired": expired.message}
    assert ended(f"rescore {MODEL} --withdrawn", monkeypatch) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "batch parted: not scored again (input) batch parted was scored in 300 partitions remedy: upload the file again" in said


def test_a_function_that_fails_ends_the_rescoring(monkeypatch: pytest.MonkeyPatch) -> None:
    world = in_canary()
    world.batch("one.csv", batch_id="one", served={Role.CHAMPION: 950, Role.CHALLENGER: 50})
    world.rollback()
    stack = Rescoring(world, {"one": FunctionFailedError("out of memory", code="runtime_exit")})
    monkeypatch.setattr(operator, "connect", lambda _: stack)
    assert ended(f"rescore {MODEL} --withdrawn", monkeypatch) == 1


class Asked:
    """A stack whose functions note what they are asked."""

    who = "ada"

    def __init__(self, world: World) -> None:
        self._world = world
        self.requests: list[Mapping[str, Any]] = []

    def release_of(self, _model: str) -> Release:
        return self._world.release

    def ask(self, _function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        self.requests.append(request)
        return self._world.release.summary()


def rolled_back() -> World:
    """Version 2 was promoted and rolled back."""
    world = in_canary()
    world.promote("2")
    world.rollback()
    return world


@pytest.mark.parametrize("json", ["", " --json"])
def test_a_second_rollback_is_refused_where_nobody_can_be_asked(json: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Asked(rolled_back())
    monkeypatch.setattr(operator, "connect", lambda _: stack)
    assert ended("rollback sales" + json, monkeypatch) == 2
    assert stack.requests == []


def test_a_second_rollback_says_to_a_person_what_would_come_and_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Asked(rolled_back())
    monkeypatch.setattr(operator, "connect", lambda _: stack)
    assert ended("rollback sales", monkeypatch, types="n") == 1
    assert stack.requests == []
    assert ended("rollback sales", monkeypatch, types="y") == 0
    assert (
        "version 1 of 'sales' serves since version 2 was rolled back, and would give way to it. Serve version 2?" in capsys.readouterr().err
    )
    assert [request["version"] for request in stack.requests] == ["2"]


def test_a_first_rollback_and_one_that_names_its_version_ask_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    promoted = in_canary()
    promoted.promote("2")
    for world, arguments in ((promoted, "rollback sales"), (rolled_back(), "rollback sales 2"), (in_canary(), "rollback sales")):
        stack = Asked(world)
        monkeypatch.setattr(operator, "connect", lambda _, stack=stack: stack)
        assert ended(arguments, monkeypatch) == 0
        assert len(stack.requests) == 1


def test_where_no_challenger_was_ever_withdrawn_there_is_nothing_to_score_again() -> None:
    with pytest.raises(InputError, match="was ever withdrawn"):
        answered_by_withdrawn(MODEL, MemoryStore())
