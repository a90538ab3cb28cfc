"""Bins, baselines, profiles and agreements."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr

from functions.shared.domain.drift.baseline import Baseline, ColumnBaseline, build_baseline, build_column_baseline, day_excess
from functions.shared.domain.drift.binning import Bins, bin_codes, bin_count, bin_counts, column_counts, fit_bins
from functions.shared.domain.drift.detection import detect_drift
from functions.shared.domain.drift.profile import Profile, merge_profiles, profile_batch
from functions.shared.domain.errors import InputError
from functions.shared.domain.policy import DriftPolicy
from functions.shared.domain.rollout.agreement import Agreement, compare_scores, mean_difference, merge_agreements, rank_correlation
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task

NUMBERS = st.lists(st.none() | st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float), min_size=1, max_size=80)
WORDS = st.lists(st.none() | st.sampled_from([f"w{number}" for number in range(30)]), min_size=1, max_size=80)
SPEC = ModelSpec(
    name="m",
    task=Task.BINARY,
    target="y",
    id_column="id",
    features=(
        Feature(name="x", kind=FeatureKind.NUMBER),
        Feature(name="c", kind=FeatureKind.CATEGORY),
        Feature(name="b", kind=FeatureKind.BOOLEAN),
    ),
    classes=("no", "yes"),
    metric="auc",
    estimator="e",
)


def rows_of(size: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "x": pa.array(rng.normal(size=size), mask=rng.random(size) < 0.1),
            "c": pa.array(rng.choice(["a", "b", "c", None], size)),
            "b": pa.array(rng.choice([True, False, None], size)),
        }
    )


def scores_of(size: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).random((size, 1))


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return build_baseline("m", "1", rows_of(1000), SPEC, scores_of(1000))


@given(NUMBERS, NUMBERS)
def test_a_number_falls_into_the_bin_whose_edges_enclose_it(training: list[float | None], later: list[float | None]) -> None:
    bins = fit_bins("x", FeatureKind.NUMBER, pa.array(training, pa.float64()))
    codes = bin_codes(bins, pa.array(later, pa.float64()))
    for value, code in zip(later, codes.tolist(), strict=True):
        if value is None:
            assert code == 0
        else:
            bounds = [-np.inf, *bins.edges, np.inf]
            assert bounds[code - 1] < value <= bounds[code]
    assert column_counts(bins, pa.array(later, pa.float64())).tolist() == bin_counts(bins, codes).tolist()


@given(NUMBERS)
def test_edges_rise_and_every_bin_but_that_of_missing_ones_and_the_last_holds_training_rows(training: list[float | None]) -> None:
    column = build_column_baseline("x", FeatureKind.NUMBER, pa.array(training, pa.float64()))
    assert list(column.bins.edges) == sorted(set(column.bins.edges))
    assert len(column.bins.edges) <= 10
    assert len(column.counts) == bin_count(column.bins)
    assert column.counts[0] == training.count(None)
    assert all(column.counts[1:-1]) or not column.bins.edges


def test_bins_of_distinct_values_are_deciles() -> None:
    bins = fit_bins("x", FeatureKind.NUMBER, pa.array(np.arange(1.0, 1001.0)))
    assert bins.edges == tuple(float(100 * tenth) for tenth in range(1, 10))


def test_a_value_that_is_most_of_a_column_has_its_own_bin_and_the_tail_shares_the_others() -> None:
    bins = fit_bins("rain", FeatureKind.NUMBER, pa.array([0.0] * 910 + list(np.arange(1.0, 91.0))))
    assert bins.edges == (0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0)


def test_a_heavy_greatest_value_does_not_swallow_the_others() -> None:
    bins = fit_bins("x", FeatureKind.NUMBER, pa.array([*np.arange(30.0), *[99.0] * 970]))
    assert bins.edges == (29.0,)


def test_a_number_beyond_the_few_values_of_training_has_its_own_bin() -> None:
    bins = fit_bins("month", FeatureKind.NUMBER, pa.array([1.0, 2.0, 3.0] * 5))
    assert bin_codes(bins, pa.array([1, 2, 3, 4], pa.int64())).tolist() == [1, 2, 3, 4]


def test_a_column_without_a_value_still_has_bins() -> None:
    bins = fit_bins("x", FeatureKind.NUMBER, pa.array([None, None], pa.float64()))
    assert bin_codes(bins, pa.array([None, 3.0])).tolist() == [0, 1]


@pytest.mark.parametrize("encode", [lambda a: a, lambda a: a.dictionary_encode(), lambda a: pa.chunked_array([a[:7], a[7:]])])
@given(training=WORDS, later=WORDS)
def test_a_category_is_counted_as_itself_as_another_known_one_or_as_unseen(
    encode: Callable[[pa.Array], pa.Array], training: list[str | None], later: list[str | None]
) -> None:
    bins = fit_bins("c", FeatureKind.CATEGORY, encode(pa.array(training, pa.string())))
    seen = Counter(word for word in training if word is not None)
    commonest = tuple(sorted(seen, key=lambda word: (-seen[word], word))[:20])
    assert bins.categories == commonest
    assert set(bins.known) == set(seen) - set(commonest)
    codes = bin_codes(bins, encode(pa.array(later, pa.string())))
    for word, code in zip(later, codes.tolist(), strict=True):
        if word is None:
            assert code == 0
        elif word in commonest:
            assert bins.categories[code - 1] == word
        else:
            assert code == len(commonest) + (1 if word in seen else 2)
    assert column_counts(bins, encode(pa.array(later, pa.string()))).tolist() == bin_counts(bins, codes).tolist()


def test_dictionaries_of_different_chunks_are_one_column() -> None:
    chunks = pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", None, "c"]).dictionary_encode()])
    bins = fit_bins("c", FeatureKind.CATEGORY, chunks)
    assert bins.categories == ("b", "a", "c")
    assert bin_codes(bins, chunks).tolist() == [2, 1, 1, 0, 3]


def test_a_boolean_is_missing_false_or_true() -> None:
    assert bin_codes(Bins(name="b", kind=FeatureKind.BOOLEAN), pa.array([None, False, True])).tolist() == [0, 1, 2]


@given(st.lists(st.integers(0, 40), max_size=4), st.integers(0, 5))
def test_profiles_of_parts_add_up_to_the_profile_of_the_whole(baseline: Baseline, cuts: list[int], seed: int) -> None:
    table, scores = rows_of(40, seed), scores_of(40, seed)
    bounds = [0, *sorted(cuts), 40]
    parts = [profile_batch(baseline, one_batch(table[low:high]), scores[low:high]) for low, high in pairwise(bounds)]
    whole = profile_batch(baseline, one_batch(table), scores)
    merged = merge_profiles(parts)
    assert merged.model_copy(update={"score_sums": {}}) == whole.model_copy(update={"score_sums": {}})
    assert merged.score_sums["score"] == pytest.approx(scores.sum())
    assert all(sum(counts) == 40 for counts in [*whole.features.values(), *whole.scores.values()])


def test_a_baseline_counts_its_own_rows_as_a_batch_of_them_is_counted(baseline: Baseline) -> None:
    profile = profile_batch(baseline, one_batch(rows_of(1000)), scores_of(1000))
    assert {column.bins.name: column.counts for column in baseline.features} == profile.features
    assert {column.bins.name: column.counts for column in baseline.scores} == profile.scores


def test_a_profile_survives_its_json(baseline: Baseline) -> None:
    profile = profile_batch(baseline, one_batch(rows_of(30)), scores_of(30))
    assert Profile.model_validate_json(profile.model_dump_json()) == profile
    assert Baseline.from_json(baseline.to_json()) == baseline


def test_no_profiles_are_the_empty_profile() -> None:
    assert merge_profiles([]) == Profile()
    assert merge_profiles([Profile(), Profile()]) == Profile()


@pytest.mark.parametrize(
    "other", [Profile(rows=1, features={"y": (1, 0)}), Profile(rows=1, features={"x": (1, 0, 0)}), Profile(rows=1, scores={"x": (1, 0)})]
)
def test_profiles_of_different_baselines_do_not_add_up(other: Profile) -> None:
    with pytest.raises(InputError, match="do not add up"):
        merge_profiles([Profile(rows=1, features={"x": (0, 1)}), other])


def test_days_that_differ_only_by_chance_have_almost_no_excess() -> None:
    rng = np.random.default_rng(1)
    for excess in day_excess(rng.integers(0, 10, 60_000).astype(np.uint8), np.repeat(day_numbers(60), 1000), 10):
        assert excess.mean < 0.0005
        assert excess.variance < 1e-6


def test_the_excess_of_days_is_what_their_shocks_explain() -> None:
    # For a normal shifted by d, PSI of fine bins is near d²; over k days shocks of sd .3 leave a shift of sd .3/√k.
    rng = np.random.default_rng(2)
    days = np.repeat(day_numbers(300), 500)
    values = rng.normal(size=days.size) + np.repeat(rng.normal(scale=0.3, size=300), 500)
    column = build_column_baseline("x", FeatureKind.NUMBER, pa.array(values), days)
    assert [excess.days for excess in column.excess] == [1, 3, 7, 14, 28]
    for excess in column.excess[:3]:
        assert excess.mean == pytest.approx(0.09 / excess.days, rel=0.25)
        # d² of a normal has a variance of 2 (sd²)².
        assert excess.variance == pytest.approx(2 * (0.09 / excess.days) ** 2, rel=0.5)


def test_runs_of_days_are_as_long_as_training_had_four_of() -> None:
    codes, days = np.zeros(280, np.uint8), np.repeat(day_numbers(28), 10)
    assert [excess.days for excess in day_excess(codes, days, 3)] == [1, 3, 7]


def test_fewer_than_14_days_say_nothing_about_days() -> None:
    rng = np.random.default_rng(3)
    assert day_excess(rng.integers(0, 2, 130).astype(np.uint8), np.repeat(day_numbers(13), 10), 3) == ()


def test_eighteen_held_out_days_keep_a_usual_week_from_ringing() -> None:
    # Days differ by shocks of 0.3 standard deviations, also those of the week that follows. Held against draws of rows alone, many ring.
    by_days, by_rows = 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values = pa.array(rng.normal(size=25 * 500) + np.repeat(rng.normal(scale=0.3, size=25), 500))
        held, week = values[: 18 * 500], values[18 * 500 :]
        column = build_column_baseline("score", FeatureKind.NUMBER, held, np.repeat(day_numbers(18), 500))
        profile = Profile(rows=len(week), features={}, scores={"score": tuple(column_counts(column.bins, week).tolist())})
        by_days += _rings(column, profile)
        by_rows += _rings(column.model_copy(update={"excess": ()}), profile)
    assert by_days <= 2
    assert by_rows >= 20


def _rings(column: ColumnBaseline, week: Profile) -> bool:
    baseline = Baseline(model="m", version="1", rows=9000, days=18, features=(), scores=(column,))
    return detect_drift(baseline, week, DriftPolicy(floor=0.005), days=7).alert


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=60))
def test_rank_correlation_is_spearmans_over_the_bins(pairs: list[tuple[int, int]]) -> None:
    counts = np.zeros((9, 9), dtype=int)
    for pair in pairs:
        counts[pair] += 1
    found = rank_correlation(Agreement(rows=len(pairs), counts=tuple(map(tuple, counts.tolist()))))
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if len(set(first)) < 2 or len(set(second)) < 2:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


def test_rank_correlation_of_binned_scores_is_near_that_of_the_scores(baseline: Baseline) -> None:
    champion = scores_of(5000, 1)
    challenger = champion + scores_of(5000, 2)
    agreement = compare_scores(baseline, champion, challenger / 2)
    assert rank_correlation(agreement) == pytest.approx(spearmanr(champion, challenger).statistic, abs=0.04)
    assert mean_difference(agreement) == pytest.approx(float((challenger / 2 - champion).mean()))


def test_the_champions_bins_count_both_models_scores() -> None:
    baseline = build_baseline("m", "1", rows_of(20), SPEC, np.arange(20.0)[:, np.newaxis] / 20)
    agreement = compare_scores(baseline, np.array([[0.0], [0.99]]), np.array([[0.99], [2.0]]))
    found = [(row, column) for row, counts in enumerate(agreement.counts) for column, count in enumerate(counts) if count]
    last = bin_count(baseline.scores[0].bins) - 1
    assert found == [(1, last), (last, last)]


def test_several_classes_are_compared_by_the_champions_first_choice(baseline: Baseline) -> None:
    champion = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    challenger = np.array([[0.1, 0.8, 0.1], [0.1, 0.0, 0.9]])
    agreement = compare_scores(baseline, champion, challenger)
    assert mean_difference(agreement) == pytest.approx((0.1 - 0.7 + 0.9 - 0.6) / 2)
    assert agreement.counts[5][1] == 1
    assert agreement.counts[4][7] == 1


def test_agreements_of_parts_add_up(baseline: Baseline) -> None:
    champion, challenger = scores_of(50, 1), scores_of(50, 2)
    parts = [compare_scores(baseline, champion[part], challenger[part]) for part in (slice(0, 20), slice(20, 50))]
    whole, merged = compare_scores(baseline, champion, challenger), merge_agreements([*parts, Agreement()])
    assert merged.counts == whole.counts
    assert merged.rows == 50
    assert merged.difference_sum == pytest.approx(whole.difference_sum)
    assert merge_agreements([]) == Agreement()


def test_agreements_in_different_bins_do_not_add_up() -> None:
    with pytest.raises(InputError, match="one champion"):
        merge_agreements([Agreement(rows=1, counts=((1,),)), Agreement(rows=1, counts=((1, 0), (0, 0)))])


def test_models_without_a_common_row_have_no_agreement_to_speak_of() -> None:
    assert rank_correlation(Agreement()) is None
    assert mean_difference(Agreement()) is None


def one_batch(table: pa.Table) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], names=table.column_names)


def day_numbers(count: int) -> NDArray[np.datetime64]:
    return np.datetime64("2024-01-01") + np.arange(count)
