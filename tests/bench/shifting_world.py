"""A generator whose truth is known: eight numeric and four categorical features that change in named ways."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

NUMBERS, POSITIVE, CATEGORIES, LEVELS = 8, 4, 4, 8
BASELINE_DAYS, BASELINE_ROWS = 70, 10_000
MONTH_DAYS, MONTH_ROWS = 28, 4_000
DAY_SHOCK = 0.3
FIRST_DAY = np.datetime64("2013-01-01")


class Scenario(StrEnum):
    """What happens after the champion was trained."""

    STABLE = "stable"
    IRRELEVANT = "irrelevant drift"
    COVARIATE = "covariate shift"
    ABRUPT = "abrupt concept change"
    GRADUAL = "gradual concept change"
    PREVALENCE = "prevalence shift"
    NEW_CATEGORY = "new category"
    UNIT_NEWEST = "unit bug, newest rows too"
    LABEL_NEWEST = "label bug, newest rows too"
    UNIT_TRAINING = "unit bug in training only"
    LABEL_TRAINING = "label bug in training only"
    EQUAL = "equal model"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows with their labels as recorded and the probabilities they were drawn from."""

    features: Floats
    truth: NDArray[np.int64]
    probability: Floats
    days: Days

    def part(self, mask: NDArray[np.bool_]) -> "Rows":
        """Some of the rows."""
        return Rows(self.features[mask], self.truth[mask], self.probability[mask], self.days[mask])


def together(*parts: Rows) -> Rows:
    """All rows of several."""
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in Rows.__slots__))


class World:
    """One draw of effects; months 0 (baseline), 1 (training), 2 (holdout) and 3 (the coming one) are drawn from it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.weights = np.concatenate([rng.choice([-1, 1], 5) * rng.uniform(0.4, 0.9, 5), np.zeros(NUMBERS - 5)])
        self.levels = rng.normal(0, 0.5, (2, LEVELS))
        self.level_shares = rng.dirichlet(np.full(LEVELS, 4.0), CATEGORIES)

    def draw(self, rng: np.random.Generator, scenario: Scenario, month: int, rows: int = MONTH_ROWS, change: float | None = None) -> Rows:
        """Rows of a month. Unless its size is given, a change is whole from month 1 on, and a gradual one grows by thirds."""
        if change is None:
            change = 0.0 if month == 0 else month / 3 if scenario is Scenario.GRADUAL else 1.0
        length = BASELINE_DAYS if month == 0 else MONTH_DAYS
        first = 0 if month == 0 else BASELINE_DAYS + (month - 1) * MONTH_DAYS
        day = np.sort(rng.integers(length, size=rows))
        numbers = rng.normal(size=(rows, NUMBERS))
        categories = np.stack([rng.choice(LEVELS, rows, p=shares) for shares in self.level_shares], axis=1)
        if scenario is Scenario.IRRELEVANT:
            numbers[:, -1] += change
        if scenario is Scenario.COVARIATE:
            numbers[:, :2] += 0.7 * change
        weights = self.weights.copy()
        if scenario in {Scenario.ABRUPT, Scenario.GRADUAL}:
            weights[:2] *= 1 - 1.6 * change
        logit = numbers @ weights + 0.4 * numbers[:, 0] * numbers[:, 2] - 0.8
        logit += self.levels[0, categories[:, 0]] + self.levels[1, categories[:, 1]]
        if scenario is Scenario.PREVALENCE:
            logit += change
        if scenario is Scenario.NEW_CATEGORY:
            fresh = rng.random(rows) < 0.25 * change
            categories[fresh, 0] = LEVELS
            logit[fresh] += 1.2
        logit += rng.normal(0, DAY_SHOCK, length)[day]
        probability = 1 / (1 + np.exp(-logit))
        truth = (rng.random(rows) < probability).astype(np.int64)
        features = np.hstack([np.exp(0.6 * numbers[:, :POSITIVE]), numbers[:, POSITIVE:], categories])
        if _corrupt(month, scenario, Scenario.UNIT_NEWEST, Scenario.UNIT_TRAINING):
            features[:, 0] *= 1000
        if _corrupt(month, scenario, Scenario.LABEL_NEWEST, Scenario.LABEL_TRAINING):
            truth = rng.permutation(truth)
        return Rows(features, truth, probability, FIRST_DAY + (first + day).astype("timedelta64[D]"))


def _corrupt(month: int, scenario: Scenario, newest: Scenario, training: Scenario) -> bool:
    """A bug that reaches the newest rows began in training; it is mended before the coming month."""
    return (scenario is newest and month in {1, 2}) or (scenario is training and month == 1)


def fit(rows: Rows) -> HistGradientBoostingClassifier:
    """The estimator of every model here."""
    model = HistGradientBoostingClassifier(
        max_iter=60,
        max_leaf_nodes=15,
        categorical_features=list(range(NUMBERS, NUMBERS + CATEGORIES)),
        early_stopping=False,
        random_state=0,
    )
    return model.fit(rows.features, rows.truth)


def score(model: HistGradientBoostingClassifier, rows: Rows) -> Floats:
    """Probability of class 1, shape (rows, 1)."""
    probabilities: Floats = model.predict_proba(rows.features)[:, 1:]
    return probabilities


def expected_loss(probability: Floats, scores: Floats) -> float:
    """Mean log loss over the labels that could have been drawn."""
    clipped = np.clip(scores[:, 0], 1e-6, 1 - 1e-6)
    return float(-(probability * np.log(clipped) + (1 - probability) * np.log(1 - clipped)).mean())
