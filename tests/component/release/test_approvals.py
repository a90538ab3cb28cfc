"""A person has a say before a challenger that won may answer rows."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.release.event import ReleaseRequest
from functions.release.hand import act
from functions.shared.domain.errors import ReleaseRefusedError
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Release
from functions.shared.domain.rollout.canary import Action, Step
from tests.component.release.world import World, check, in_canary, serving, waiting, waiting_for_a_step
from tests.fakes.versions import MODEL

BAD = 0.1


def codes(step: Step) -> list[str]:
    return [reason.code for reason in step.reasons]


# Asking


def test_a_winner_waits_and_the_champion_serves_alone() -> None:
    world = waiting()
    assert (world.asked(), world.served()) == (("2", 0.05), ("1", None, None))
    assert world.release.reason == "version 2 waits for approval: version 2 was judged"
    step = world.tick()
    assert (step.action, step.share, codes(step)) == (Action.WAIT, 0.0, ["awaits_approval"])
    check(world)


def test_a_person_is_called_once_with_the_gates_numbers() -> None:
    world = waiting()
    for _ in range(3):
        world.tick()
    [alert] = world.calls()
    assert alert.message == (
        "version 2 waits for approval to answer 5% of the rows: version 2 was judged; "
        "log_loss 0.4, the champion's 0.5, on 1,234 held-out rows"
    )
    assert (alert.version, alert.evidence["rows"], alert.runbook) == ("2", 1234, "docs/runbook.md#approval")
    assert world.release.approval is not None
    assert alert.raised_at == world.release.approval.since


def test_the_first_version_waits_for_nobody() -> None:
    world = World()
    world.set_policy(release={"approval": "every_step"})
    world.train(beats=None)
    assert world.tick().action is Action.PROMOTE


def test_a_newer_winner_takes_the_place_of_one_that_waits() -> None:
    world = waiting()
    world.train()
    world.tick()
    assert world.asked() == ("3", 0.05)
    assert [call.version for call in world.calls()] == ["2", "3"]


def test_other_first_steps_are_asked_for_again() -> None:
    world = waiting()
    world.set_policy(release={"approval": "required"}, canary={"steps": (0.5, 1.0)})
    world.tick()
    world.tick()
    assert world.asked() == ("2", 0.5)
    assert len(world.calls()) == 2


def test_a_policy_is_pinned_while_a_version_waits_and_its_time_goes_on() -> None:
    world = waiting()
    before = world.release.approval
    world.set_policy(release={"approval": "required"}, row_contract={"error_budget": 0.5})
    world.tick()
    assert world.release.policy.row_contract.error_budget == 0.5
    assert world.release.approval == before


# Deciding


def test_an_approved_version_begins_its_canary_by_the_person_who_approved() -> None:
    world = waiting()
    release = world.approve("2")
    assert world.served() == ("1", "2", None)
    assert (release.reason, release.decided_by, release.approval) == ("approved: looks right", "ada", None)
    assert release.challenger is not None
    assert release.challenger.share == 0.05
    world.labels(harm=-0.1)
    assert world.tick().action is Action.EXPAND, "its further steps need no person"
    check(world)


def test_a_rejected_version_never_comes_back_by_itself() -> None:
    world = waiting()
    assert world.reject("2").reason == "rejected: looks wrong"
    assert (world.asked(), world.release.newest) == (None, "2")
    assert codes(world.tick()) == ["nothing"]
    assert world.release.rolled_back is None, "nothing went out of service"
    check(world)


@pytest.mark.parametrize("decide", [World.approve, World.reject])
def test_only_what_waits_is_decided(decide: Callable[[World, str], Release]) -> None:
    world = waiting()
    with pytest.raises(ReleaseRefusedError, match="version 3 of 'sales' does not wait for approval, version 2 does"):
        decide(world, "3")
    decide(world, "2")
    with pytest.raises(ReleaseRefusedError, match="no version does"):
        decide(world, "2")


@pytest.mark.parametrize("action", ["approve", "reject"])
@pytest.mark.parametrize("missing", ["version", "reason"])
def test_who_decides_names_the_version_and_a_reason(action: Any, missing: str) -> None:
    world = waiting()
    said = {"version": "2", "reason": "because"} | {missing: None if missing == "version" else ""}
    with pytest.raises(ReleaseRefusedError, match="needs the version that waits, and a reason"):
        act(ReleaseRequest(action=action, model=MODEL, who="ada", **said), MODEL, world.ports())


def test_a_version_whose_bundle_was_changed_is_not_approved() -> None:
    world = waiting()
    world.spoil_bundle("2")
    with pytest.raises(ReleaseRefusedError, match="not the one that was decided on"):
        world.approve("2")
    assert world.asked() == ("2", 0.05)


# What else ends the waiting


@pytest.mark.parametrize(("days", "ended"), [(7, True), (8, False), (None, False)])
def test_what_nobody_approves_in_time_counts_as_rejected(days: float | None, ended: bool) -> None:  # noqa: FBT001
    world = waiting(approval_days=days)
    world.wait(timedelta(days=7, minutes=15))
    step = world.tick()
    assert (world.asked() is None) is ended
    assert codes(step) == (["lapsed"] if ended else ["awaits_approval"])
    if ended:
        assert (world.release.newest, world.release.reason) == ("2", "nobody approved version 2 within 7 days")


def test_a_policy_that_asks_nobody_lets_what_waits_begin() -> None:
    world = waiting()
    world.set_policy()
    world.tick()
    assert world.tick().action is Action.EXPAND
    assert (world.served(), world.asked()) == (("1", "2", None), None)


@pytest.mark.parametrize("canary", [True, False])
def test_a_person_who_promotes_what_waits_needs_no_second_word(canary: bool) -> None:  # noqa: FBT001
    world = waiting()
    (world.try_out if canary else world.promote)("2")
    assert world.asked() is None
    assert "2" in world.served()


def test_what_beat_the_champion_before_waits_no_more() -> None:
    world = waiting()
    world.train()
    world.promote("3")
    assert world.asked() is None
    assert codes(world.tick()) == ["nothing"]


def test_a_retired_model_waits_for_nothing() -> None:
    world = waiting()
    world.retire()
    assert world.asked() is None


# Each step


def test_a_canary_grows_by_its_next_step_once_a_person_approves() -> None:
    world = waiting_for_a_step()
    assert world.asked() == ("2", 0.25)
    [call] = world.calls()
    assert call.message.startswith("version 2 waits for approval to answer 25% of the rows: better by at least")
    world.approve("2")
    assert world.release.challenger is not None
    assert (world.release.challenger.share, world.release.decided_by, world.asked()) == (0.25, "ada", None)


def test_the_last_step_makes_the_champion() -> None:
    world = waiting_for_a_step()
    for share in (0.25, 0.5, 1.0):
        assert world.asked() == ("2", share)
        world.approve("2")
        world.batch(f"at {share}.csv")
        world.tick()
    assert (world.served(), world.release.decided_by) == (("2", None, "1"), "ada")
    assert world.calls()[-1].message.startswith("version 2 waits for approval to become the champion: better by")
    check(world)


def test_harm_ends_a_canary_without_a_person() -> None:
    world = waiting_for_a_step()
    world.labels(harm=BAD)
    assert world.tick().action is Action.ROLLBACK
    assert (world.served(), world.asked()) == (("1", None, None), None)


def test_what_labels_do_not_allow_any_more_is_not_approved() -> None:
    world = waiting_for_a_step()
    world.labels(harm=BAD)
    with pytest.raises(ReleaseRefusedError, match=r"may not answer 25% of the rows any more: its loss is higher"):
        world.approve("2")


def test_a_rejected_step_ends_the_canary_and_says_what_it_answered() -> None:
    world = waiting_for_a_step()
    release = world.reject("2")
    assert (world.served(), release.rolled_back) == (("1", None, None), "2")
    assert release.withdrawn is not None
    assert release.withdrawn.version == "2"


def test_a_step_that_nobody_approves_in_time_ends_the_canary() -> None:
    world = waiting_for_a_step()
    world.wait(timedelta(days=31))
    assert world.tick().action is Action.ROLLBACK
    assert world.served() == ("1", None, None)


def test_where_labels_decide_nothing_a_person_alone_lets_a_canary_grow() -> None:
    world = in_canary()
    world.set_policy(release={"approval": "every_step"}, canary={"labels": "ignore"})
    world.tick()
    world.labels(harm=BAD)
    step = world.tick()
    assert (step.action, world.asked()) == (Action.WAIT, ("2", 0.25))
    assert "labels decide nothing" in step.reasons[0].message
    world.batch("damaged.csv", quarantined=900)
    assert world.tick().action is Action.ROLLBACK, "guardrails end it all the same"


def test_labels_are_not_ignored_where_nobody_else_decides() -> None:
    with pytest.raises(ValueError, match=r"set release\.approval=every_step too"):
        Policy(canary={"labels": "ignore"})  # type: ignore[arg-type]


# Aliases


@pytest.mark.parametrize("alias", ["champion", "challenger"])
def test_an_alias_gives_no_approval(alias: str) -> None:
    world = waiting()
    world.move(alias, "2")
    step = world.tick()
    assert codes(step) == ["refused"]
    assert "`everscore approve sales 2 --reason WHY`" in step.reasons[0].message
    assert world.asked() == ("2", 0.05)
    check(world)


def test_an_alias_gives_approval_where_the_policy_says_so() -> None:
    world = waiting(approval_by_alias=True)
    world.move("challenger", "2")
    assert world.tick().action is Action.EXPAND
    assert (world.served(), world.asked()) == (("1", "2", None), None)


def test_an_alias_still_brings_back_what_served_and_ends_a_canary() -> None:
    world = in_canary()
    world.promote("2")
    world.set_policy(release={"approval": "required"})
    world.tick()
    world.move("champion", "1")
    assert world.tick().action is Action.PROMOTE
    world.train()
    world.tick()
    world.approve("3")
    world.move("challenger", None)
    assert world.tick().action is Action.ROLLBACK
    assert world.served() == ("1", None, "2")


def test_without_approval_nothing_is_asked() -> None:
    world = serving()
    world.train()
    world.tick()
    assert (world.asked(), world.calls()) == (None, [])
