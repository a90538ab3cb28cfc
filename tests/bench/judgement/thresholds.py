"""Rules that are a formula and a number, as people write them by hand: PSI above a limit, and a metric that fell by a share.

Sources of the numbers: PSI of 0.1 and 0.2 are credit scoring's customary limits. MLflow's documentation of `MetricThreshold` shows an
accuracy that may change by 5 %. AWS's sample for drift (aws-samples/sample-mlops-bestpractices) calls if Evidently's preset does, or if
the AUC of the last seven days with labels, 100 rows or more, fell by 5 %.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from tests.bench.judgement.ours import Lived
from tests.bench.judgement.streams import Batch, Stream

type Floats = NDArray[np.float64]
type Shares = Callable[[pd.Series], Floats]

PSI_LIMITS = (0.1, 0.2)
FALL, AUC_DAYS, AUC_ROWS = 0.05, 7, 100
SMALLEST_SHARE = 1e-4


def psi(expected: Floats, found: Floats) -> float:
    """Return the population stability index of two arrays of shares, none below `SMALLEST_SHARE`."""
    before, now = np.maximum(expected, SMALLEST_SHARE), np.maximum(found, SMALLEST_SHARE)
    return float(((now - before) * np.log(now / before)).sum())


def by_psi(stream: Stream, lived: Lived) -> dict[str, list[date]]:
    """Days on which the PSI of any feature of a batch is above each limit: deciles of a number, each value of a category."""
    worst = np.zeros(len(stream.batches))
    for name in (*lived.numbers, *lived.categories):
        shares = _tenths(lived.learnt[name]) if name in lived.numbers else _values(lived.learnt[name])
        expected = shares(lived.learnt[name])
        for number, batch in enumerate(stream.batches):
            worst[number] = max(worst[number], psi(expected, shares(batch.rows[name])))
    arrives = [batch.arrives for batch in stream.batches]
    return {f"PSI > {limit:g}": [day for day, value in zip(arrives, worst, strict=True) if value > limit] for limit in PSI_LIMITS}


def _tenths(learnt: pd.Series) -> Shares:
    edges = np.unique(np.nanquantile(learnt.astype(float), np.linspace(0.1, 0.9, 9)))

    def shares(values: pd.Series) -> Floats:
        present = values.astype(float).dropna().to_numpy()
        return np.bincount(np.searchsorted(edges, present), minlength=edges.size + 1) / max(present.size, 1)

    return shares


def _values(learnt: pd.Series) -> Shares:
    known = sorted(learnt.dropna().unique())

    def shares(values: pd.Series) -> Floats:
        counted = values.value_counts()
        counts = counted.reindex(known, fill_value=0).to_numpy(dtype=float)
        return np.append(counts, counted.sum() - counts.sum()) / max(counted.sum(), 1)

    return shares


def by_accuracy(stream: Stream, lived: Lived) -> list[date]:
    """Days on which the accuracy of a batch's labelled rows is 5 % below that at training."""
    before = float((lived.held["predicted"] == lived.held["truth"]).mean())
    known = lived.rows.dropna(subset="truth")
    by_batch = (known["predicted"] == known["truth"]).groupby(known["batch"]).mean()
    return [stream.batches[number].labelled for number, share in by_batch.items() if share < before * (1 - FALL)]


def by_auc(stream: Stream, lived: Lived) -> list[date]:
    """Days on which the AUC of the last week with labels is 5 % below that at training."""
    answered = lived.held.dropna(subset="truth")
    before = roc_auc_score(answered["truth"], answered["score"])
    return [day for day, area in _weekly_auc(stream, lived) if area < before * (1 - FALL)]


def _weekly_auc(stream: Stream, lived: Lived) -> Iterator[tuple[date, float]]:
    known = lived.rows.dropna(subset="truth")
    of_batch = {number: part[["truth", "score"]].to_numpy() for number, part in known.groupby("batch")}
    for number, batch in enumerate(stream.batches):
        recent = [of_batch[one] for one in _since(stream.batches, number) if one in of_batch]
        rows = np.concatenate(recent) if recent else np.empty((0, 2))
        if len(rows) >= AUC_ROWS and 0 < rows[:, 0].sum() < len(rows):
            yield batch.labelled, float(roc_auc_score(rows[:, 0], rows[:, 1]))


def _since(batches: Sequence[Batch], number: int) -> Iterator[int]:
    first = batches[number].arrives - timedelta(days=AUC_DAYS)
    return (one for one in range(number + 1) if batches[one].arrives > first)
