"""What each feature does to the scores: true of models whose workings are known."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from functions.retraining import effects
from functions.retraining.effects import with_effects
from functions.shared.domain.drift.baseline import Baseline, build_baseline
from functions.shared.domain.drift.detection import ColumnDrift, detect_drift
from functions.shared.domain.drift.profile import profile_batch
from functions.shared.domain.policy import DriftPolicy
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task

FEATURES = (
    Feature(name="strong", kind=FeatureKind.NUMBER),
    Feature(name="weak", kind=FeatureKind.NUMBER),
    Feature(name="companion", kind=FeatureKind.NUMBER),
    Feature(name="colour", kind=FeatureKind.CATEGORY),
    Feature(name="member", kind=FeatureKind.BOOLEAN),
)
SPEC = ModelSpec(
    name="m", task=Task.REGRESSION, target="y", id_column="id", features=FEATURES, metric="rmse", estimator="sklearn.linear_model.Ridge"
)
COLOURS = {"red": 4.0, "blue": 0.0, None: -2.0}


class Known:
    """A model written down: 3 strong + 0.1 weak + what a colour is worth. Nothing else has a say; a missing number counts 0."""

    def score(self, batch: pa.RecordBatch) -> np.ndarray:
        numbers = {name: np.nan_to_num(batch[name].to_numpy(zero_copy_only=False)) for name in ("strong", "weak")}
        worth = [COLOURS.get(colour, 10.0) for colour in batch["colour"].to_pylist()]
        return (3 * numbers["strong"] + 0.1 * numbers["weak"] + np.array(worth))[:, np.newaxis]


def rows(seed: int, count: int = 4000, **moved: float) -> pa.Table:
    """Rows whose `companion` is nearly `strong` but for what each is moved by."""
    rng = np.random.default_rng(seed)
    strong = rng.normal(size=count)
    drawn: dict[str, Any] = {"strong": strong, "weak": rng.normal(size=count), "companion": strong + rng.normal(0, 0.1, count)}
    numbers = {name: pa.array(values + moved.get(name, 0.0)) for name, values in drawn.items()}
    return pa.table({**numbers, "colour": rng.choice(["red", "blue"], count).tolist(), "member": rng.random(count) < 0.5})


def learnt(seed: int = 0) -> Baseline:
    table, engine = rows(seed), Known()
    [batch] = table.combine_chunks().to_batches()
    return with_effects(build_baseline("m", "1", table, SPEC, engine.score(batch)), engine, table, rows(1), seed=0)


def judged(baseline: Baseline, table: pa.Table) -> dict[str, ColumnDrift]:
    """Compared and not called drifted, which takes thousands of draws and changes no effect."""
    [batch] = table.combine_chunks().to_batches()
    report = detect_drift(baseline, profile_batch(baseline, batch, Known().score(batch)), DriftPolicy(min_rows=10_000), days=1)
    return {column.feature: column for column in report.by_effect()}


def test_the_feature_that_moves_the_scores_comes_first_and_harmless_drift_that_is_larger_last() -> None:
    ranked = judged(learnt(), rows(2, strong=0.5, weak=1.5, companion=2.0))
    assert list(ranked)[:2] == ["strong", "weak"]
    assert ranked["companion"].value > max(1, 5 * ranked["strong"].value)
    assert ranked["companion"].effect is not None
    assert ranked["companion"].effect.moved == 0


def test_an_effect_is_what_the_scores_really_did() -> None:
    baseline, before, now = learnt(), rows(2), rows(2, strong=0.5)
    [was, moved] = (Known().score(table.combine_chunks().to_batches()[0]).mean() for table in (before, now))
    effect = judged(baseline, now)["strong"].effect
    assert effect is not None
    assert effect.shift == pytest.approx(moved - was, rel=0.1)
    assert effect.moved == pytest.approx(effect.shift, rel=0.02)


def test_values_that_training_never_had_are_asked_about_too() -> None:
    table = rows(3)
    strange = table.set_column(3, "colour", pa.array(["green"] * 2000 + [None] * 2000))
    effect = judged(learnt(), strange)["colour"].effect
    assert effect is not None
    # Half red (4) and half blue (0) become half unseen (10) and half missing (-2): apart by 6 above and 2 below.
    assert effect.moved == pytest.approx(4, abs=0.1)
    assert effect.shift == pytest.approx(2, abs=0.15)


def test_values_that_the_model_refuses_are_taken_for_the_usual_and_all_others_are_known() -> None:
    class Picky(Known):
        def score(self, batch: pa.RecordBatch) -> np.ndarray:
            if batch["strong"].null_count:
                raise ValueError("Input X contains NaN.")
            return super().score(batch)

    table = rows(0)
    baseline = build_baseline("m", "1", table, SPEC, Known().score(table.combine_chunks().to_batches()[0]))
    [strong, *_] = with_effects(baseline, Picky(), table, rows(1), seed=0).features
    [(missing, *known)] = strong.means
    assert missing == pytest.approx(np.average(known, weights=strong.counts[1:]), rel=1e-4)
    assert known == sorted(known)
    assert known[-1] - known[0] > 6, "three times from the lowest tenth to the highest"


def test_the_same_seed_gives_the_same_means() -> None:
    assert learnt() == learnt()


class Counting:
    """Answers nothing, and counts what it is asked."""

    asked = 0

    def score(self, batch: pa.RecordBatch) -> np.ndarray:
        self.asked += batch.num_rows
        return np.zeros((batch.num_rows, 1))


def asked_of(features: int) -> int:
    """Rows that a model of that many numbers scores; each has ten bins and one of missing values."""
    drawn = np.random.default_rng(0)
    table = pa.table({f"x{number}": drawn.normal(size=300) for number in range(features)})
    spec = SPEC.model_copy(update={"features": tuple(Feature(name=name, kind=FeatureKind.NUMBER) for name in table.column_names)})
    baseline, engine = build_baseline("m", "1", table, spec, np.zeros((300, 1))), Counting()
    assert {len(column.counts) for column in baseline.features} == {11}
    with_effects(baseline, engine, table, table, seed=0)
    return engine.asked


def test_wide_models_are_asked_about_fewer_rows_a_bin_but_never_about_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_of(1) == 11 * effects.MOST_ROWS
    monkeypatch.setattr(effects, "SCORED_ROWS", 2000)
    assert asked_of(3) == 3 * 11 * 60, "the most that stays within 2,000"
    assert asked_of(8) == 8 * 11 * effects.FEWEST_ROWS
