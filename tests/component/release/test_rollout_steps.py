"""How a rollout goes on, step by step, and what ends it."""

from datetime import timedelta
from typing import Any

import pytest

from functions.release import service
from functions.shared.domain import layout
from functions.shared.domain.decision import Origin, Verdict
from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.manifest import Timings
from functions.shared.domain.policy import CanaryPolicy, RowContract
from functions.shared.domain.release import Role
from functions.shared.domain.rollout.canary import Action
from functions.shared.repositories.manifests import Manifests
from tests.component.release.world import (
    BAD,
    FIRST_DAY,
    GOOD,
    World,
    answered,
    check,
    codes,
    in_canary,
    in_canary_that_answered,
    joint,
    manifests_read,
    serving,
)
from tests.fakes.documents import NOW
from tests.fakes.versions import MODEL


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
    world.batch("with version 3.csv", agreement=joint(100, 400))
    assert codes(world.tick()) == ["too_few_labels"], "agreement with version 1 is no measure"
    world.labels(harm=0.0)
    assert codes(world.tick()) == ["cannot_tell"], "nor is half a point of version 1's loss"


IMPORTED = Origin(stack="dev", model=MODEL, version="7", digest="d7", was_first=False, has_rows=False, exported_at=NOW)


@pytest.mark.parametrize("decided", [{"minimum_effect": None}, {"minimum_effect": 1e-9, "origin": IMPORTED}], ids=["forced", "imported"])
def test_a_version_without_a_gate_record_passes_if_it_is_as_good_as_the_champion(decided: dict[str, Any]) -> None:
    """The champion's loss at training was 0.7, of which 2 % is 0.014."""
    world = in_canary(**decided)
    world.labels(harm=0.0, days=30)
    assert codes(world.tick()) == ["cannot_tell"], "version 1 does not say how good it was"
    baseline = Baseline(model=MODEL, version="1", rows=1, days=28, features=(), scores=(), loss=0.7)
    world.store.write(layout.version_prefix(MODEL, "1") + "baseline.json", baseline.to_json())
    world.set_policy(gate={"minimum_effect": 0.001})
    world.tick()
    assert world.tick().reasons[0].message.endswith("must be by less than 0.0007")
    world.set_policy()
    for number, share in enumerate((0.25, 0.5)):
        step = world.tick()
        assert (step.action, step.share) == (Action.EXPAND, share)
        world.batch(f"{number}.csv")
    assert world.tick().action is Action.PROMOTE
    assert world.served() == ("2", None, "1")


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


def test_a_policy_that_comes_meanwhile_does_not_begin_the_share_again() -> None:
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
