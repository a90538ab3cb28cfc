"""Who is served what, and how a rollout goes on."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from functions.shared.domain.performance.confidence import DaySums
from functions.shared.domain.policy import CanaryPolicy
from functions.shared.domain.release import ServedChallenger
from functions.shared.domain.rollout.agreement import Agreement
from functions.shared.domain.rollout.canary import Action, RolloutEvidence, answered_by_challenger, decide_step
from functions.shared.domain.rollout.guardrails import Traffic

TEXTS = st.lists(st.none() | st.text(max_size=12), max_size=40)
SHARES = st.floats(0, 1)


def chosen_one_by_one(identifier: str | None, salt: str, share: float) -> bool:
    """The documented hash in plain integers."""
    if identifier is None:
        return False
    value = 1
    for byte in identifier.encode():
        value = (value * 6364136223846793005 + byte) % 2**64
    value ^= int.from_bytes(hashlib.sha256(salt.encode()).digest()[:8], "little")
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ value >> 27) * 0x94D049BB133111EB % 2**64
    value ^= value >> 31
    return (value >> 11) / 2**53 < share


@given(TEXTS, st.text(max_size=8), SHARES)
def test_the_answer_is_that_of_the_documented_hash(ids: list[str | None], salt: str, share: float) -> None:
    found = answered_by_challenger(pa.array(ids, pa.string()), salt=salt, share=share)
    assert found.tolist() == [chosen_one_by_one(identifier, salt, share) for identifier in ids]


@given(TEXTS, st.integers(0, 10), st.integers(0, 10))
def test_a_slice_is_answered_like_its_rows(ids: list[str | None], start: int, length: int) -> None:
    whole = answered_by_challenger(pa.array(ids, pa.string()), salt="s", share=0.5)
    part = answered_by_challenger(pa.array(ids, pa.string()).slice(start, length), salt="s", share=0.5)
    assert part.tolist() == whole[start : start + length].tolist()


@given(TEXTS, SHARES, SHARES)
def test_a_growing_share_moves_nobody_back(ids: list[str | None], one: float, other: float) -> None:
    small, large = sorted((one, other))
    texts = pa.array(ids, pa.string())
    before = answered_by_challenger(texts, salt="s", share=small)
    after = answered_by_challenger(texts, salt="s", share=large)
    assert not np.any(before & ~after)


def test_known_ids_fall_where_they_fell_in_the_first_version() -> None:
    """Worked out with plain integers; if this fails, running rollouts would change who is served what."""
    ids = [*(f"flight-{number}" for number in range(16)), "", "é", "0", "a" * 100]
    found = answered_by_challenger(pa.array(ids), salt="everscore", share=0.5)
    chosen = [identifier for identifier, answered in zip(ids, found, strict=True) if answered]
    assert chosen == ["flight-3", "flight-5", "flight-6", "flight-10", "flight-15"]


def test_numbers_dictionaries_and_texts_of_the_same_ids_fall_alike() -> None:
    expected = answered_by_challenger(pa.array(["7", "8", "9", "7"]), salt="s", share=0.5).tolist()
    for ids in (
        pa.array([7, 8, 9, 7]),
        pa.array(["7", "8", "9", "7"]).dictionary_encode(),
        pa.array(["7", "8", "9", "7"], pa.large_string()),
        pa.array(["7", "8", "9", "7"], pa.string_view()),
    ):
        assert answered_by_challenger(ids, salt="s", share=0.5).tolist() == expected


def test_blocks_of_rows_do_not_show() -> None:
    ids = [str(number) * (number % 7) for number in range(10_000)]
    found = answered_by_challenger(pa.array(ids), salt="s", share=0.3)
    assert [number for number in range(0, 10_000, 97) if found[number] != chosen_one_by_one(ids[number], "s", 0.3)] == []


@pytest.mark.parametrize("pattern", ["{}", "customer-{:08d}", "{:032x}"])
@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_consecutive_ids_are_spread_evenly(pattern: str, share: float) -> None:
    ids = pa.array([pattern.format(number) for number in range(50_000)])
    by_block = answered_by_challenger(ids, salt="s", share=share).reshape(50, 1000).sum(axis=1)
    assert chisquare([by_block.sum(), 50_000 - by_block.sum()], [share * 50_000, (1 - share) * 50_000]).pvalue > 1e-4
    assert chisquare(by_block).pvalue > 1e-4


def test_another_salt_chooses_other_entities() -> None:
    ids = pa.array([str(number) for number in range(50_000)])
    chosen = [answered_by_challenger(ids, salt=f"rollout {number}", share=0.25) for number in range(12)]
    correlation = np.corrcoef(np.array(chosen, dtype=np.float64)) - np.eye(12)
    assert np.abs(correlation).max() < 5 / np.sqrt(50_000)


CHALLENGER = ServedChallenger(version="2", digest="d", prefix="p", share=0.05, salt="s")
POLICY = CanaryPolicy()


def paired(mean: float, *, days: int = 10, rows: int = 100, deviation: float = 0.1) -> list[DaySums]:
    """Days that are all alike."""
    squares = rows * (deviation**2 + mean**2)
    return [DaySums(day=date(2013, 1, 1) + timedelta(n), rows=rows, sum=rows * mean, sum_squares=squares) for n in range(days)]


def diagonal(rows_a_bin: int, *, difference: float = 0.0, deviation: float = 0.05) -> Agreement:
    """Two models that rank all rows alike, in five bins."""
    counts = tuple(tuple(rows_a_bin if i == j else 0 for j in range(5)) for i in range(5))
    rows = 5 * rows_a_bin
    squares = rows * (deviation**2 + difference**2)
    return Agreement(rows=rows, counts=counts, difference_sum=rows * difference, difference_squares=squares)


def mirrored(agreement: Agreement) -> Agreement:
    """The challenger's ranks turned round."""
    return agreement.model_copy(update={"counts": tuple(row[::-1] for row in agreement.counts)})


def unrelated(rows_a_cell: int) -> Agreement:
    """Two models that have nothing in common."""
    return Agreement(rows=25 * rows_a_cell, counts=((rows_a_cell,) * 5,) * 5, difference_squares=25 * rows_a_cell * 0.05**2)


BEFORE = Traffic(batches=20, rows_in=20_000, rows_quarantined=200, predict_s=0.1)
NOW = Traffic(batches=2, rows_in=2_000, rows_quarantined=20, predict_s=0.02)
ROLLOUT = Traffic(batches=20, rows_in=20_000, rows_quarantined=200, predict_s=0.2)
GOOD = RolloutEvidence(
    gate=diagonal(1000), agreement=diagonal(50), before=BEFORE, rollout=ROLLOUT, now=NOW, paired=paired(-0.02), minimum_effect=0.01
)


@pytest.mark.parametrize(
    ("share", "action", "next_share"),
    [
        (0.05, Action.EXPAND, 0.25),
        (0.25, Action.EXPAND, 0.5),
        (0.5, Action.PROMOTE, 1.0),
        (1.0, Action.PROMOTE, 1.0),
        (0.1, Action.EXPAND, 0.25),
    ],
)
def test_a_challenger_that_is_not_worse_goes_on_step_by_step(share: float, action: Action, next_share: float) -> None:
    step = decide_step(CHALLENGER.model_copy(update={"share": share}), POLICY, GOOD)
    assert (step.action, step.share) == (action, next_share)


@pytest.mark.parametrize(
    ("evidence", "codes"),
    [
        (replace(GOOD, paired=[]), ["too_few_labels"]),
        (replace(GOOD, paired=paired(-0.02, days=6, rows=1000)), ["too_few_labels"]),
        (replace(GOOD, paired=paired(-0.02, days=7, rows=71)), ["too_few_labels"]),
        (replace(GOOD, paired=paired(0.0, deviation=0.5)), ["cannot_tell"]),
        (replace(GOOD, now=Traffic()), ["too_few_batches"]),
        (replace(GOOD, now=Traffic(), paired=paired(0.3, days=2)), ["too_few_labels", "too_few_batches"]),
        (replace(GOOD, gate=None, agreement=unrelated(20), paired=[]), ["too_few_labels"]),
    ],
)
def test_a_rollout_waits_and_says_for_what(evidence: RolloutEvidence, codes: Sequence[str]) -> None:
    step = decide_step(CHALLENGER, POLICY, evidence)
    assert (step.action, step.share) == (Action.HOLD, 0.05)
    assert [reason.code for reason in step.reasons] == codes


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        (replace(GOOD, paired=paired(0.1)), "worse"),
        (replace(GOOD, gate=None, paired=paired(0.1)), "worse"),
        (replace(GOOD, agreement=unrelated(10)), "rank_correlation"),
        (replace(GOOD, agreement=mirrored(diagonal(10))), "rank_correlation"),
        (replace(GOOD, agreement=diagonal(50, difference=0.2)), "mean_difference"),
        (replace(GOOD, agreement=diagonal(50, difference=-0.2)), "mean_difference"),
        (replace(GOOD, now=replace(NOW, mismatched=1)), "digest"),
        (replace(GOOD, rollout=replace(ROLLOUT, mismatched=1)), "digest"),
        (replace(GOOD, rollout=replace(ROLLOUT, suspended=6)), "suspended"),
        (replace(GOOD, rollout=replace(ROLLOUT, rows_quarantined=4000)), "quarantine"),
        (replace(GOOD, now=replace(NOW, suspended=2)), "suspended"),
        (replace(GOOD, now=replace(NOW, failed=2)), "failures"),
        (replace(GOOD, now=replace(NOW, rows_quarantined=400)), "quarantine"),
        (replace(GOOD, now=replace(NOW, predict_s=1.0)), "slow"),
    ],
)
def test_a_rollout_ends_at_once_and_says_why(evidence: RolloutEvidence, code: str) -> None:
    step = decide_step(CHALLENGER, POLICY, evidence)
    assert (step.action, step.share) == (Action.ROLLBACK, 0.0)
    assert code in [reason.code for reason in step.reasons]


@pytest.mark.parametrize(
    "evidence",
    [
        replace(GOOD, now=replace(NOW, failed=1)),
        replace(GOOD, now=replace(NOW, suspended=1)),
        replace(GOOD, before=replace(BEFORE, failed=18), now=replace(NOW, failed=2)),
        replace(GOOD, now=replace(NOW, rows_quarantined=140)),
        replace(GOOD, now=replace(NOW, rows_in=900, predict_s=9.0)),
        replace(GOOD, before=Traffic()),
        replace(GOOD, agreement=diagonal(1, difference=0.2)),
        replace(GOOD, agreement=diagonal(50, difference=0.05)),
        replace(GOOD, agreement=Agreement()),
        replace(GOOD, gate=unrelated(100), agreement=unrelated(5)),
    ],
)
def test_small_or_unproven_differences_end_nothing(evidence: RolloutEvidence) -> None:
    assert decide_step(CHALLENGER, POLICY, evidence).action is Action.EXPAND


def test_a_challenger_that_gives_all_rows_one_score_is_rolled_back() -> None:
    constant = Agreement(rows=100, counts=((0, 0, 20, 0, 0),) * 5, difference_squares=100 * 0.05**2)
    assert decide_step(CHALLENGER, POLICY, replace(GOOD, agreement=constant)).action is Action.ROLLBACK


def test_harm_on_too_few_labels_ends_nothing() -> None:
    assert decide_step(CHALLENGER, POLICY, replace(GOOD, paired=paired(0.5, days=6))).action is Action.HOLD


def test_a_shadow_never_begins_to_answer_of_itself() -> None:
    shadow = CHALLENGER.model_copy(update={"mode": "shadow"})
    step = decide_step(shadow, POLICY, GOOD)
    assert (step.action, [reason.code for reason in step.reasons]) == (Action.HOLD, ["shadow"])


def test_a_bad_shadow_is_dropped() -> None:
    shadow = CHALLENGER.model_copy(update={"mode": "shadow"})
    assert decide_step(shadow, POLICY, replace(GOOD, paired=paired(0.1))).action is Action.ROLLBACK


def test_without_a_challenger_there_is_nothing_to_do() -> None:
    assert decide_step(None, POLICY, GOOD).action is Action.NONE


@given(st.floats(-0.5, 0.5), st.floats(0.01, 1), st.integers(2, 40), st.integers(1, 300))
def test_more_share_is_never_given_where_harm_is_proven(mean: float, deviation: float, days: int, rows: int) -> None:
    sums = paired(mean, days=days, rows=rows, deviation=deviation)
    step = decide_step(CHALLENGER, POLICY, replace(GOOD, paired=sums))
    assert step.action in {Action.EXPAND, Action.HOLD, Action.ROLLBACK}
    assert step.action is not Action.EXPAND or mean < GOOD.minimum_effect
    assert step.action is not Action.ROLLBACK or mean > 0


def test_an_entity_falls_alike_whatever_type_its_id_comes_in() -> None:
    numbers = [19999000000 + number for number in range(200)]
    kinds = (pa.array(numbers), pa.array(list(map(float, numbers))), pa.array(list(map(str, numbers))), pa.array(numbers, pa.uint64()))
    answers = [answered_by_challenger(ids, salt="s", share=0.5).tolist() for ids in kinds]
    assert answers == [answers[0]] * len(kinds)
    assert 50 < sum(answers[0]) < 150


def test_entities_may_be_known_by_uuids() -> None:
    names = [uuid.UUID(int=number) for number in range(100)]
    stored = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([name.bytes for name in names], pa.binary(16)))
    answered = answered_by_challenger(stored, salt="s", share=0.5)
    assert answered.tolist() == answered_by_challenger(pa.array(list(map(str, names))), salt="s", share=0.5).tolist()
