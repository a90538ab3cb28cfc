"""Time-series cross-validation: compare both models on earlier periods.

For each period, models know only earlier rows. The result is reported, but the gate never uses it: its periods are older than the
rows that either model will score, and the released challenger has seen them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from functions.retraining.fitting import Fitted, score_rows
from functions.retraining.measuring import measure_rows
from functions.retraining.recipe import Recipe
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.calendar import days_before
from functions.shared.domain.decision import Decision, Fold
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.policy import GatePolicy
from functions.shared.engines.bundle import LoadedModel


@dataclass(frozen=True, slots=True)
class Contest:
    """The champion with its training and recipe, and how challengers are made.

    `windowed` selects the rows from which a challenger may learn.
    """

    champion: LoadedModel
    taught: Decision
    champion_recipe: Recipe
    challenger_recipe: Recipe
    windowed: Callable[[TrainingSet], TrainingSet]


def cross_validate(contest: Contest, rows: TrainingSet, policy: GatePolicy) -> tuple[Fold, ...]:
    """Measure both models on periods before the holdout, oldest first.

    There are fewer periods than requested if rows are too few. For each, the challenger is fitted again on earlier rows. The champion
    is the serving one if the period is newer than its training; otherwise it is fitted again on its own earlier rows.

    Args:
        contest: the models to compare.
        rows: all rows older than the holdout.
        policy: `folds` and `fold_rows`.
    """
    found = []
    for first, last in _folds(rows.distinct_days, policy):
        try:
            found.append(_fold(contest, rows, first, last, policy.fold_rows))
        except TrainingError:  # too few rows to learn from before this fold
            continue
    return tuple(fold for fold in found if fold.rows)


def _folds(days: list[date], policy: GatePolicy) -> Iterator[tuple[date, date]]:
    """Return the newest periods, each as long as a holdout.

    A few days are divided into equal parts, of which the first is only learnt.
    """
    from sklearn.model_selection import TimeSeriesSplit

    length = min(policy.holdout_days, len(days) // (policy.folds + 1))
    if policy.folds < 2 or not length:
        return
    for _, tested in TimeSeriesSplit(policy.folds, test_size=length).split(days):
        yield days[tested[0]], days[tested[-1]]


def _fold(contest: Contest, rows: TrainingSet, first: date, last: date, most: int) -> Fold:
    past, tested = rows.between(date.min, days_before(first, 1)), rows.between(first, last)
    learnt = contest.windowed(past).newest(most)
    made = contest.challenger_recipe.fit(learnt)
    champion: LoadedModel | Fitted = contest.champion
    if (until := contest.taught.trained_last_day) is None or until >= first:
        own = past.between(contest.taught.trained_first_day or date.min, until or date.max).newest(most)
        same = contest.champion_recipe is contest.challenger_recipe and own.table.equals(learnt.table)
        champion = made if same else contest.champion_recipe.fit(own)
    both_know = TrainingSet(champion.spec, TrainingSet(made.spec, tested.table).known().table).known()
    return Fold(
        first_day=first,
        last_day=last,
        rows=both_know.rows,
        champion=_measured(champion, both_know),
        challenger=_measured(made, both_know),
    )


def _measured(version: LoadedModel | Fitted, rows: TrainingSet) -> Mapping[str, float | None]:
    if not rows.rows:
        return {}
    return measure_rows(version, TrainingSet(version.spec, rows.table), score_rows(version.engine, rows))
