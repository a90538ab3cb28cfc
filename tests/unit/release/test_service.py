"""What is served, step by step."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.release import service
from functions.shared.domain.decision import Verdict
from functions.shared.domain.errors import ReleaseRefusedError
from functions.shared.domain.manifest import Timings
from functions.shared.domain.policy import CanaryPolicy, RowContract
from functions.shared.domain.release import Release, Role
from functions.shared.domain.rollout.agreement import Agreement
from functions.shared.domain.rollout.canary import Action, Step
from functions.shared.repositories.manifests import Manifests
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Moment, Watcher
from tests.unit.release.world import FIRST_DAY, World, check, in_canary, serving

GOOD, BAD = -0.1, 0.1
"""Harm a row, far beyond what seven days of a hundred labels leave open."""


def codes(step: Step) -> list[str]:
    return [reason.code for reason in step.reasons]


# Beginning


def test_the_first_version_that_was_decided_on_serves_at_once() -> None:
    world = World()
    assert world.tick().action is Action.NONE
    world.train(beats=None)
    step = world.tick()
    assert (step.action, step.share) == (Action.PROMOTE, 1.0)
    assert world.served() == ("1", None, None)
    assert (world.release.seq, world.release.newest, world.release.decided_by) == (1, "1", "release")
    check(world)


def test_nothing_happens_to_a_model_that_serves_and_has_no_challenger() -> None:
    world = serving()
    before = world.release
    assert codes(world.tick()) == ["nothing"]
    assert world.release == before
    check(world)


def test_a_winner_begins_at_the_first_step_with_a_salt_of_its_own() -> None:
    world = in_canary()
    challenger = world.release.challenger
    assert challenger is not None
    assert (challenger.version, challenger.share, challenger.mode) == ("2", 0.05, "canary")
    assert world.served() == ("1", "2", None)
    assert world.release.newest == "2"
    check(world)
    world.rollback()
    world.train()
    world.tick()
    assert world.release.challenger is not None
    assert world.release.challenger.salt != challenger.salt


@pytest.mark.parametrize(("mode", "steps"), [("shadow", (0.1, 1.0)), ("canary", (0.5, 1.0))])
def test_a_rollout_begins_as_the_policy_says(mode: str, steps: tuple[float, ...]) -> None:
    world = serving()
    world.set_policy(canary={"mode": mode, "steps": steps})
    world.tick()
    world.train()
    world.tick()
    assert world.release.challenger is not None
    assert (world.release.challenger.mode, world.release.challenger.share) == (mode, steps[0])


def test_a_loser_never_begins() -> None:
    world = serving()
    world.train(verdict=Verdict.KEEP)
    assert codes(world.tick()) == ["nothing"]


def test_a_winner_against_another_champion_never_begins() -> None:
    world = in_canary()
    world.promote("2")
    world.train(beats="1")
    assert codes(world.tick()) == ["nothing"]
    world.train(beats="2")
    assert world.tick().action is Action.EXPAND
    assert world.served() == ("2", "4", "1")


def test_of_several_winners_only_the_newest_begins() -> None:
    world = serving()
    for _ in range(3):
        world.train()
    world.tick()
    assert world.served() == ("1", "4", None)
    world.rollback()
    assert codes(world.tick()) == ["nothing"], "versions 2 and 3 had their time"


def test_a_version_that_was_tried_does_not_come_back_by_itself() -> None:
    world = in_canary()
    world.labels(harm=BAD)
    assert world.tick().action is Action.ROLLBACK
    assert codes(world.tick()) == ["nothing"]
    assert world.served() == ("1", None, None)
    check(world)


def test_a_tick_reads_no_decision_on_a_version_that_had_its_time() -> None:
    world = serving()
    for _ in range(9):
        world.train(verdict=Verdict.KEEP)
    world.train()
    assert len(read(world, World.tick, "decisions/")) == 13, "each of ten, that whose bundle is served, and both of whom aliases speak"
    world.rollback()
    assert read(world, World.tick, "decisions/") == []


@pytest.mark.parametrize("damage", [World.spoil_bundle, World.lose_bundle])
def test_a_winner_without_a_sound_bundle_is_refused_and_the_champion_stays(damage: Callable[[World, str], None]) -> None:
    world = serving()
    damage(world, world.train())
    with pytest.raises(ReleaseRefusedError, match="version 2"):
        world.tick()
    assert world.served() == ("1", None, None)
    check(world)


# A rollout's steps


def test_a_challenger_that_labels_speak_for_grows_step_by_step_into_the_champion() -> None:
    world = in_canary()
    shares = []
    world.labels(harm=GOOD)
    while world.release.challenger is not None:
        step = world.tick()
        shares.append(step.share)
        if step.action is Action.EXPAND:
            assert world.release.challenger is not None
            assert world.release.challenger.share == step.share
            assert codes(world.tick()) == ["too_few_batches"], "a share must be seen at work"
            world.batch(f"at {step.share}.csv")
    assert shares == [0.25, 0.5, 1.0]
    assert world.served() == ("2", None, "1")
    check(world)


def test_the_salt_stays_the_same_throughout_a_rollout() -> None:
    world = in_canary()
    world.labels(harm=GOOD)
    before = world.release.challenger
    world.tick()
    after = world.release.challenger
    assert before is not None
    assert after is not None
    assert after.model_dump(exclude={"share"}) == before.model_dump(exclude={"share"})


def test_a_challenger_that_labels_speak_against_is_rolled_back() -> None:
    world = in_canary()
    world.labels(harm=BAD)
    step = world.tick()
    assert (step.action, step.share, codes(step)) == (Action.ROLLBACK, 0.0, ["worse"])
    assert world.served() == ("1", None, None)
    assert "its loss is higher" in world.release.reason
    check(world)


def test_without_labels_a_rollout_waits() -> None:
    world = in_canary()
    before = world.release
    step = world.tick()
    assert (step.action, step.share, codes(step)) == (Action.HOLD, 0.05, ["too_few_labels"])
    assert world.release == before


def test_labels_of_days_that_are_not_mature_do_not_count() -> None:
    world = in_canary()
    world.set_policy(labels={"delay_days": 60})
    world.tick()
    world.labels(harm=BAD)
    assert codes(world.tick())[0] == "too_few_labels"


def test_labels_about_another_pair_of_versions_do_not_count() -> None:
    world = in_canary()
    world.labels(harm=BAD)
    world.tick()
    world.train()
    world.tick()
    assert world.served() == ("1", "3", None)
    assert codes(world.tick())[0] == "too_few_labels"


def test_a_rise_of_quarantined_rows_ends_a_rollout_at_once() -> None:
    world = in_canary()
    world.batch("damaged.csv", quarantined=500)
    step = world.tick()
    assert (step.action, codes(step)) == (Action.ROLLBACK, ["quarantine"])


def test_failed_batches_before_the_rollout_are_not_held_against_it() -> None:
    world = serving()
    for number in range(4):
        world.failed_batch(f"failed {number}.csv")
    world.train()
    world.tick()
    world.batch("since.csv")
    assert codes(world.tick()) == ["too_few_labels"]


def test_batches_that_fail_more_often_than_before_the_rollout_end_it() -> None:
    world = in_canary()
    world.failed_batch("one bad file.csv")
    assert codes(world.tick()) == ["too_few_labels"]
    world.failed_batch("another.csv")
    step = world.tick()
    assert (step.action, codes(step)) == (Action.ROLLBACK, ["failures"])


def joint(agreeing: int, contrary: int) -> Agreement:
    """Counts over two bins of scores."""
    return Agreement(rows=2 * (agreeing + contrary), counts=((agreeing, contrary), (contrary, agreeing)))


def test_scores_that_agree_less_than_at_the_gate_end_a_rollout() -> None:
    world = in_canary(agreement=joint(490, 10))
    world.batch("odd.csv", agreement=joint(100, 400))
    assert world.tick().action is Action.ROLLBACK


def test_a_gate_that_compared_the_challenger_with_another_champion_says_nothing_of_this_one() -> None:
    world = in_canary(agreement=joint(490, 10), minimum_effect=0.5)
    world.train(verdict=Verdict.PROMOTE)
    world.promote("3")
    world.move("challenger", "2")
    world.tick()
    assert world.served() == ("3", "2", "1")
    world.batch("beside version 3.csv", agreement=joint(100, 400))
    assert codes(world.tick()) == ["too_few_labels"], "agreement with version 1 is no measure"
    world.labels(harm=0.0)
    assert codes(world.tick()) == ["cannot_tell"], "nor is half a point of version 1's loss"


def test_scores_of_an_earlier_rollout_of_the_same_version_hide_nothing() -> None:
    world = in_canary(agreement=joint(490, 10))
    for number in range(9):
        world.batch(f"good {number}.csv", agreement=joint(490, 10))
    world.rollback()
    world.move("challenger", "2")
    world.tick()
    world.batch("odd.csv", agreement=joint(100, 400))
    step = world.tick()
    assert (step.action, codes(step)) == (Action.ROLLBACK, ["rank_correlation"])


def test_labels_of_an_earlier_rollout_of_the_same_two_versions_count_on() -> None:
    world = in_canary()
    world.labels(harm=BAD)
    assert world.tick().action is Action.ROLLBACK
    world.move("challenger", "2")
    assert world.tick().action is Action.EXPAND, "a person may ask for it"
    step = world.tick()
    assert (step.action, codes(step)) == (Action.ROLLBACK, ["worse"]), "but nobody passes by trying often"


def test_labels_of_an_earlier_rollout_let_none_grow_without_batches_of_its_own() -> None:
    world = in_canary()
    world.labels(harm=GOOD)
    world.rollback()
    world.move("challenger", "2")
    world.tick()
    assert world.tick().action is Action.HOLD


def test_scores_of_all_steps_of_a_rollout_count() -> None:
    world = in_canary(agreement=joint(490, 10))
    world.batch("odd.csv", agreement=joint(100, 400))
    world.set_policy(canary={"min_days": 3})
    assert codes(world.tick()) == ["rank_correlation"]


@pytest.mark.parametrize(
    ("seen", "code"), [({"sat_out": "version 2 cannot be loaded", "damaged": True}, "digest"), ({"quarantined": 500}, "quarantine")]
)
def test_a_policy_that_comes_meanwhile_hides_no_failed_guardrail(seen: dict[str, Any], code: str) -> None:
    world = in_canary()
    world.batch("bad.csv", **seen)
    world.set_policy()
    assert (world.tick().action, world.release.challenger) == (Action.ROLLBACK, None)
    assert world.release.policy.number == 1, "what is published has it all the same"

    world = in_canary()
    world.set_policy()
    assert codes(world.tick()) == ["policy"]
    world.batch("bad.csv", under=world.history[1], **seen)
    assert codes(world.tick()) == [code], "a batch that was under way, under the release before"


def test_a_policy_that_comes_meanwhile_does_not_begin_the_share_anew() -> None:
    world = in_canary()
    world.labels(harm=GOOD)
    world.set_policy(canary={"steps": (0.05, 0.2, 1.0), "min_days": 8})
    assert codes(world.tick()) == ["policy"]
    world.set_policy(canary={"steps": (0.05, 0.2, 1.0)})
    assert (world.tick().share, world.release.policy.number) == (0.2, 2)


def test_a_tick_reads_no_batch_from_long_before_the_rollout() -> None:
    world = serving()
    for number in range(50):
        world.batch(f"long before {number}.csv")
    world.train()
    world.tick()
    world.batch("since.csv")
    reads = manifests_read(world, World.tick)
    assert len(reads) == len(set(reads)) == 1 + 20
    assert len(manifests_read(world, World.rollback)) == 1


def manifests_read(world: World, act: Callable[[World, Watcher], object]) -> list[str]:
    """Which manifests are read by an act of release."""
    return read(world, act, "manifests/")


def read(world: World, act: Callable[[World, Watcher], object], prefix: str) -> list[str]:
    """Which documents below a prefix are read by an act of release."""
    seen: list[Moment] = []
    act(world, seen.append)
    return [moment.call for moment in seen if moment.side == "before" and moment.call.startswith(f"read {prefix}")]


def test_an_old_file_that_is_scored_again_during_a_rollout_belongs_to_it() -> None:
    world = serving()
    world.batch("old.csv")
    old = next(Manifests(world.store).newest(MODEL))
    for number in range(30):
        world.batch(f"{number}.csv", day=FIRST_DAY + timedelta(days=1 + number))
    world.train()
    world.tick()
    world.batch(
        "old.csv", batch_id="again", purpose="rescore:2", supersedes=old.batch_id, served={Role.CHAMPION: 900, Role.CHALLENGER: 100}
    )
    world.rollback()
    assert answered(world) == ("2", 0.05, [100])


def test_an_erasure_that_writes_an_old_manifest_again_does_not_move_it_into_the_rollout() -> None:
    world = in_canary_that_answered()
    world.rollback()
    first = world.release.withdrawn
    world.move("challenger", "2")
    world.tick()
    for info in [*world.store.list(f"manifests/{MODEL}/")]:
        world.store.write(info.key, world.store.read(info.key))
    world.rollback()
    assert first is not None
    assert answered(world) == ("2", 0.05, [])


def test_of_very_many_batches_a_rollback_lists_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.release.publication._MOST_LISTED", 1)
    world = in_canary_that_answered()
    world.rollback()
    assert answered(world) == ("2", 0.05, [60])
    assert world.release.withdrawn is not None
    assert not world.release.withdrawn.complete


def test_a_retired_model_serves_nobody_until_a_version_is_promoted() -> None:
    world = in_canary()
    released = service.retire(MODEL, reason="replaced by rules", who="ada", ports=world.ports())
    assert (released.retired, released.challenger, released.champion.version) == (True, None, "1")
    assert set(world.registry.aliases(MODEL)) <= {"previous"}
    assert (world.tick().action, world.release) == (Action.NONE, released), "a tick leaves it as it is"
    again = service.promote(MODEL, "1", reason="rules were worse", who="ada", force=False, ports=world.ports())
    assert (again.retired, again.champion.version) == (False, "1")
    assert world.registry.aliases(MODEL)["champion"] == "1"
    check(world)


def test_a_new_policy_is_pinned_and_the_challenger_survives() -> None:
    world = in_canary()
    challenger = world.release.challenger
    world.set_policy(row_contract={"error_budget": 0.5}, canary=CanaryPolicy(min_days=3))
    step = world.tick()
    assert (step.action, step.share, codes(step)) == (Action.NONE, 0.05, ["policy"])
    assert world.release.policy.number == 1
    assert world.release.policy.row_contract == RowContract(error_budget=0.5)
    assert world.release.challenger == challenger
    assert (world.release.reason, world.release.decided_by) == ("policy 1 is in force: because", "ada")
    assert codes(world.tick())[0] == "too_few_labels"
    check(world)


# By hand


def test_a_version_is_promoted_by_hand_over_a_rollout() -> None:
    world = in_canary()
    world.train(verdict=Verdict.KEEP)
    published = world.promote("3", force=True)
    assert (published.reason, published.decided_by) == ("I say so", "ada")
    assert published == world.release
    assert world.served() == ("3", None, "1")
    assert codes(world.tick()) == ["nothing"]
    check(world)


def test_what_the_gate_kept_out_is_promoted_by_force_only() -> None:
    world = serving()
    world.train(verdict=Verdict.KEEP)
    before = world.release
    with pytest.raises(ReleaseRefusedError, match=r"kept version 2 out \(version 2 was judged\); `everscore promote sales 2 --force"):
        world.promote("2")
    assert world.release == before
    world.promote("2", force=True)
    assert world.served() == ("2", None, "1")
    world.promote("1")
    world.promote("2")
    assert world.served() == ("2", None, "1"), "it served before, so somebody forced it then"
    check(world)


def test_what_the_gate_kept_out_is_tried_out_by_force_only_and_then_retreats_by_itself() -> None:
    world = serving()
    world.train(verdict=Verdict.KEEP, agreement=joint(490, 10))
    with pytest.raises(ReleaseRefusedError, match="--force --reason WHY` serves it all the same, with --canary to a share first"):
        world.try_out("2")
    world.try_out("2", force=True)
    assert world.release.challenger is not None
    assert (world.served(), world.release.challenger.share) == (("1", "2", None), 0.05)
    assert (world.release.reason, world.release.decided_by) == ("I say so", "ada")
    check(world)
    world.batch("odd.csv", agreement=joint(100, 400))
    assert codes(world.tick()) == ["rank_correlation"]


def test_nothing_is_tried_out_that_serves_or_beside_a_retired_champion() -> None:
    world = in_canary()
    for version in ("1", "2"):
        with pytest.raises(ReleaseRefusedError, match=f"version {version} in service already"):
            world.try_out(version)
    world.spoil_bundle(world.train())
    with pytest.raises(ReleaseRefusedError, match="is not the one that was decided on"):
        world.try_out("3")
    world.retire()
    with pytest.raises(ReleaseRefusedError, match="is retired"):
        world.try_out("2")


def test_any_version_that_ever_served_is_brought_back_by_name() -> None:
    world = in_canary()
    world.promote("2")
    world.train(beats="2")
    world.promote("3")
    world.train(beats="3")
    world.tick()
    assert world.served() == ("3", "4", "2")
    with pytest.raises(ReleaseRefusedError, match="version 4 of 'sales' was never the champion; versions 1, 2, 3 were"):
        world.restore("4")
    world.restore("1")
    assert world.served() == ("1", None, "3")
    with pytest.raises(ReleaseRefusedError, match="serves already"):
        world.restore("1")
    check(world)


def test_a_rollback_brings_no_retired_model_back() -> None:
    world = in_canary()
    world.promote("2")
    released = world.retire()
    with pytest.raises(ReleaseRefusedError, match="is retired; `everscore promote sales 2` brings the champion back"):
        world.rollback()
    assert world.release == released


# What a rollout leaves


def answered(world: World) -> tuple[str, float, list[int]] | None:
    """Version and share of the challenger that the release withdrew, and its rows by batch, newest first."""
    withdrawn = world.release.withdrawn
    return (withdrawn.version, withdrawn.share, [batch.rows for batch in withdrawn.answered]) if withdrawn else None


def in_canary_that_answered() -> World:
    world = in_canary()
    for name, rows in {"one.csv": 50, "two.csv": 60}.items():
        world.batch(name, served={Role.CHAMPION: 1000 - rows, Role.CHALLENGER: rows})
    return world


def test_a_rollback_by_itself_records_the_batches_and_rows_that_the_challenger_answered() -> None:
    world = in_canary_that_answered()
    world.labels(harm=BAD)
    assert world.tick().action is Action.ROLLBACK
    assert answered(world) == ("2", 0.05, [60, 50])
    assert world.release.withdrawn is not None
    assert world.release.withdrawn.rows == 110
    named = {manifest.source.key.rsplit("/", 1)[-1]: manifest.batch_id for manifest in Manifests(world.store).newest(MODEL)}
    assert [batch.batch_id for batch in world.release.withdrawn.answered] == [named["two.csv"], named["one.csv"]]
    world.set_policy(canary={"min_days": 3})
    world.tick()
    assert answered(world) is None, "it is the business of one release"


def test_what_the_same_version_answered_in_an_earlier_rollout_is_not_listed() -> None:
    world = in_canary_that_answered()
    world.rollback()
    world.move("challenger", "2")
    world.tick()
    world.batch("later.csv", served={Role.CHAMPION: 930, Role.CHALLENGER: 70})
    world.rollback()
    assert answered(world) == ("2", 0.05, [70])


def test_batches_that_were_scored_again_are_not_listed() -> None:
    world = in_canary_that_answered()
    first = next(manifest for manifest in Manifests(world.store).newest(MODEL) if manifest.source.key.endswith("one.csv"))
    world.batch("one.csv", batch_id="again", supersedes=first.batch_id)
    world.rollback()
    assert answered(world) == ("2", 0.05, [60])


@pytest.mark.parametrize("end", [World.rollback, World.retire, lambda world: world.promote("3", force=True)])
def test_a_person_who_ends_a_rollout_is_told_what_it_leaves(end: Callable[[World], Release]) -> None:
    world = in_canary_that_answered()
    world.train(verdict=Verdict.KEEP)
    released = end(world)
    assert released.withdrawn is not None
    assert answered(world) == ("2", 0.05, [60, 50])


def test_another_challenger_in_its_place_withdraws_the_first() -> None:
    world = in_canary_that_answered()
    world.move("challenger", world.train())
    world.tick()
    assert answered(world) == ("2", 0.05, [60, 50])


@pytest.mark.parametrize("promotion", [lambda world: world.promote("2"), lambda world: world.labels(harm=GOOD) or world.tick()])
def test_a_challenger_that_goes_on_or_becomes_the_champion_is_not_withdrawn(promotion: Callable[[World], object]) -> None:
    world = in_canary_that_answered()
    promotion(world)
    assert world.release.seq == 3
    assert answered(world) is None


def test_a_bundle_that_is_not_the_one_released_ends_a_rollout_at_once() -> None:
    world = in_canary()
    world.batch("damaged.csv", sat_out="version 2 cannot be loaded: …", damaged=True)
    step = world.tick()
    assert (step.action, codes(step)) == (Action.ROLLBACK, ["digest"])


def test_batches_that_the_challenger_cannot_score_end_a_rollout() -> None:
    world = in_canary()
    for number in range(2):
        world.batch(f"{number}.csv", sat_out="the file lacks a column of version 2's")
    assert codes(world.tick()) == ["suspended"]


def test_scores_that_move_away_from_the_champions_end_a_rollout() -> None:
    world = in_canary(agreement=joint(300, 200).model_copy(update={"difference_sum": 0.0, "difference_squares": 10.0}))
    moved = joint(300, 200).model_copy(update={"difference_sum": 500.0, "difference_squares": 260.0})
    world.batch("moved.csv", agreement=moved)
    assert codes(world.tick()) == ["mean_difference"]


def test_predictions_that_take_much_longer_than_before_end_a_rollout() -> None:
    world = serving()
    world.batch("before.csv", timings=Timings(predict_s=0.01))
    world.train()
    world.tick()
    world.batch("since.csv", timings=Timings(predict_s=1.0, challenger_predict_s=0.99))
    assert codes(world.tick()) == ["slow"]


def test_a_rollback_ends_a_rollout_first_and_then_brings_the_previous_champion_back() -> None:
    world = in_canary()
    world.promote("2")
    world.train(beats="2")
    world.tick()
    assert world.served() == ("2", "3", "1")
    world.rollback()
    assert world.served() == ("2", None, "1")
    with pytest.raises(
        ReleaseRefusedError, match=r"canary of version 3 of 'sales' was rolled back already.* version 2, would give way to version 1"
    ):
        world.rollback()
    assert world.restore("1").champion.version == "1"
    assert world.served() == ("1", None, "2")
    check(world)
    assert codes(world.tick()) == ["nothing"]


def promoted() -> World:
    """Version 2 serves in place of version 1."""
    world = in_canary()
    world.promote("2")
    return world


def set_a_policy(world: World) -> None:
    world.set_policy(row_contract={"error_budget": 0.5})
    assert codes(world.tick()) == ["policy"]


def try_another_out(world: World) -> None:
    world.train(beats=world.release.champion.version)
    world.tick()
    world.rollback()


def retire_and_return(world: World) -> None:
    world.train(beats=world.release.champion.version)
    world.tick()
    world.retire()
    world.promote(world.release.champion.version)


@pytest.mark.parametrize("meanwhile", [lambda _: None, set_a_policy, try_another_out, retire_and_return])
@pytest.mark.parametrize("back", [World.rollback, lambda world: world.restore("1")])
def test_no_second_rollback_serves_the_version_that_the_first_took_away(
    back: Callable[[World], object], meanwhile: Callable[[World], None]
) -> None:
    world = promoted()
    back(world)
    meanwhile(world)
    with pytest.raises(ReleaseRefusedError, match="`everscore rollback sales VERSION`"):
        world.rollback()
    assert world.served() == ("1", None, "2")
    world.restore("2")
    assert world.served() == ("2", None, "1"), "whoever names it gets it"


def test_a_version_that_was_promoted_again_can_be_rolled_back_again() -> None:
    world = promoted()
    world.rollback()
    world.promote("2")
    world.rollback()
    assert world.served() == ("1", None, "2")


def test_a_guardrail_that_ended_a_canary_leaves_no_rollback_to_the_champion() -> None:
    world = promoted()
    world.train(beats="2")
    world.tick()
    world.batch("at 5%.csv")
    world.labels(harm=0.1)
    assert world.tick().action is Action.ROLLBACK
    with pytest.raises(ReleaseRefusedError, match="canary of version 3"):
        world.rollback()
    assert world.served() == ("2", None, "1")


def test_a_rollback_that_another_decider_came_before_names_who_won() -> None:
    world = promoted()
    world.train(beats="2")

    def promote_first(moment: Moment) -> None:
        if moment.side == "before" and moment.call.startswith("create releases/") and world.release.champion.version == "2":
            world.promote("3")

    with pytest.raises(ReleaseRefusedError, match="release 4 of 'sales' came first, by ada: I say so"):
        world.rollback(promote_first)
    assert world.served() == ("3", None, "2")


def test_a_rollback_that_only_a_step_of_a_schedule_came_before_is_done_all_the_same() -> None:
    world = in_canary()
    world.set_policy(row_contract={"error_budget": 0.5})

    def tick_first(moment: Moment) -> None:
        if moment.side == "before" and moment.call.startswith("create releases/") and not world.release.policy.number:
            world.tick()

    world.rollback(tick_first)
    assert world.served() == ("1", None, None)
    assert world.release.policy.number == 1


@pytest.mark.parametrize("damage", [World.spoil_bundle, World.lose_bundle])
def test_what_has_no_sound_bundle_is_never_served_by_hand_either(damage: Callable[[World, str], None]) -> None:
    world = in_canary()
    world.rollback()
    damage(world, "2")
    with pytest.raises(ReleaseRefusedError, match="version 2"):
        world.promote("2")
    world.train(verdict=Verdict.KEEP)
    world.promote("3", force=True)
    damage(world, "1")
    with pytest.raises(ReleaseRefusedError, match="version 1"):
        world.rollback()
    assert world.served() == ("3", None, "1")
    check(world)


def test_a_retired_model_takes_no_step_until_it_is_promoted_again() -> None:
    world = in_canary()
    world.promote("2")
    world.retire()
    world.train(beats="2")
    world.set_policy()
    assert codes(world.tick()) == ["nothing"]
    assert world.release.retired
    check(world)
    world.promote("2")
    assert not world.release.retired
    assert world.served() == ("2", None, "1"), "what was previous before it retired"
    check(world)


def test_what_makes_no_sense_is_refused_with_what_to_do() -> None:
    with pytest.raises(ReleaseRefusedError, match="everscore train"):
        World().rollback()
    world = serving()
    with pytest.raises(ReleaseRefusedError, match="no previous champion"):
        world.rollback()
    with pytest.raises(ReleaseRefusedError, match="serves already"):
        world.promote("1")
    with pytest.raises(ReleaseRefusedError, match="no decision"):
        world.promote("7")
    check(world)
