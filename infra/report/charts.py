"""The report's charts, by section."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from infra.report.batch_charts import answered, quarantined, timings
from infra.report.drawing import HUES, Figure
from infra.report.drift_chart import drift_map
from infra.report.estimate_chart import estimates
from infra.report.gate_chart import judgement
from infra.report.gather import Batch, History
from infra.report.performance_chart import performance, shown_metrics
from infra.report.predicted_chart import predicted_positive
from infra.report.summary import last_drift
from infra.report.why_chart import movers


def figures_of(history: History) -> Mapping[str, tuple[Figure, ...]]:
    """Return the charts of each section; a section without data has none."""
    hues = version_hues(history)
    batches = by_event_day(history.batches)
    drawn_by_section: dict[str, Iterable[Figure | None]] = {
        "serving": [answered(batches, hues)],
        "versions": [judgement(history.decisions)],
        "performance": [*(performance(history, metric, hues) for metric in shown_metrics(history)), estimates(history)],
        "drift": [drift_map(batches), movers(last_drift(history)), predicted_positive(batches)],
        "quarantine": [quarantined(batches)],
        "batches": [timings(batches)],
    }
    return {section: tuple(filter(None, figures)) for section, figures in drawn_by_section.items()}


def by_event_day(batches: Sequence[Batch]) -> list[Batch]:
    """Sort batches by event day, since repaired and late files come out of order.

    A batch without scored rows has no event day, and stays behind the batch that arrived before it.
    """
    placed: list[tuple[date, Batch]] = []
    latest = date.min
    for batch in batches:
        latest = batch.day or latest
        placed.append((latest, batch))
    return [batch for _, batch in sorted(placed, key=lambda pair: pair[0])]


def version_hues(history: History) -> dict[str, str]:
    """Return a colour for each version, the same in all charts.

    They repeat after eight.
    """
    served = (
        version
        for batch in history.batches
        if (release := batch.manifest.release)
        for version in (release.champion, release.challenger.version if release.challenger else None)
    )
    measured = (group.version for performed in history.days for group in performed.groups)
    versions = dict.fromkeys(version for version in (*served, *measured) if version is not None)
    return {version: HUES[place % len(HUES)] for place, version in enumerate(versions)}
