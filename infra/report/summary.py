"""The headline figures of a report: version, rows, quality, and lost rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from functions.shared.domain.calendar import days_before
from functions.shared.domain.drift.detection import DriftReport
from functions.shared.domain.performance.days import DayPerformance, GroupPerformance
from functions.shared.domain.release import Release, Role
from infra.report.gather import Batch, History
from infra.report.timeline import served_since

RECENT_DAYS = 28


@dataclass(frozen=True, slots=True)
class PageTotals:
    """Rows of all batches shown; `broken` counts batches with lost rows."""

    batches: int
    rows_in: int
    rows_scored: int
    rows_quarantined: int
    rows_erased: int
    broken: tuple[Batch, ...]

    @property
    def quarantined_share(self) -> float:
        """Return the share of quarantined rows, 0 to 1."""
        return self.rows_quarantined / self.rows_in if self.rows_in else 0.0


@dataclass(frozen=True, slots=True)
class RecentLoss:
    """The champion's loss over the last mature days, and at training if known.

    It is the mean log loss per row, or the root mean squared error for a regression, None if that is infinite; `name` says which.
    """

    name: str
    version: str
    days: int
    rows: int
    loss: float | None
    at_training: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The headline figures; `since` is the release that made the current champion."""

    current: Release | None
    since: Release | None
    totals: PageTotals
    labelled_share: float | None
    recent: RecentLoss | None
    drift: DriftReport | None


def summarize(history: History) -> Summary:
    """Reduce a history to its headline figures."""
    predicted = sum(day.rows_predicted for day in history.days)
    return Summary(
        current=history.releases[-1] if history.releases else None,
        since=served_since(history.releases),
        totals=_totals(history.batches),
        labelled_share=sum(day.rows_labelled for day in history.days) / predicted if predicted else None,
        recent=_recent_loss(history),
        drift=last_drift(history),
    )


def last_drift(history: History) -> DriftReport | None:
    """Return the drift of the last measured batches."""
    return next((batch.drift for batch in reversed(history.batches) if batch.drift and batch.drift.columns), None)


def _totals(batches: Sequence[Batch]) -> PageTotals:
    manifests = [batch.manifest for batch in batches]
    return PageTotals(
        batches=len(batches),
        rows_in=sum(manifest.rows_in for manifest in manifests),
        rows_scored=sum(manifest.rows_scored for manifest in manifests),
        rows_quarantined=sum(manifest.rows_quarantined for manifest in manifests),
        rows_erased=sum(manifest.rows_erased for manifest in manifests),
        broken=tuple(batch for batch in batches if batch.lost),
    )


def _recent_loss(history: History) -> RecentLoss | None:
    if not history.releases:
        return None
    version = history.releases[-1].champion.version
    groups = [group for day in _last_days(history) for group in day.groups if (group.role, group.version) == (Role.CHAMPION, version)]
    rows = sum(group.rows for group in groups)
    if not rows:
        return None
    name = "rmse" if "rmse" in groups[-1].metrics else "log_loss"
    trained = {decision.challenger_version: decision for decision in history.decisions}.get(version)
    return RecentLoss(
        name=name,
        version=version,
        days=len(groups),
        rows=rows,
        loss=_rmse(groups) if name == "rmse" else sum(group.loss_sum for group in groups) / rows,
        at_training=trained.challenger.get(name) if trained else None,
    )


def _rmse(groups: Sequence[GroupPerformance]) -> float | None:
    """Return the error over all days from those of each, or None if one is infinite.

    The sums of losses are cut at the ceiling; neither the days' errors nor the one at training are.
    """
    errors = [group.metrics.get("rmse") for group in groups]
    if None in errors:
        return None
    weighted = (math.sqrt(group.rows) * (error or 0.0) for group, error in zip(groups, errors, strict=True))
    return math.hypot(*weighted) / math.sqrt(sum(group.rows for group in groups))


def _last_days(history: History) -> list[DayPerformance]:
    mature = [day for day in history.days if history.mature and day.day <= history.mature]
    return [day for day in mature if day.day > days_before(mature[-1].day, RECENT_DAYS)]
