"""Format numbers, dates and shares for a page, in the reader's language."""

import re
from datetime import UTC, date, datetime

from markupsafe import Markup

from functions.shared.domain.decision import Verdict
from functions.shared.domain.decision_rule import PREDICTED_POSITIVE
from functions.shared.domain.drift.detection import ColumnDrift
from functions.shared.domain.performance.error_curve import COST
from infra.words import CHINESE, _, coded, language

_PARTS = re.compile(r"[^/_.-]*[/_.-]+|[^/_.-]+")

NONE = "n/a"
MINUS = "\N{MINUS SIGN}"


def count(number: int) -> str:
    """Format a whole number with thousands separators.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{number:,}"


def figure(value: float | None) -> str:
    """Format a number with three or four significant digits; keep whole numbers.

    >>> [figure(value) for value in (0.47812, 0.56, 12.5, 1234.5, 7.0, 0.0, 2e-173, None)]
    ['0.478', '0.560', '12.5', '1,234', '7', '0', '2.00e-173', 'n/a']
    >>> figure(-0.00031) == f"{MINUS}0.000310"
    True
    """
    if value is None:
        return NONE
    whole = abs(value) >= 999.5 or value.is_integer()
    return (f"{value:,.0f}" if whole else f"{value:#.3g}".replace("e-0", "e-")).replace("-", MINUS, value < 0)


def extent(low: float | None, high: float | None) -> str:
    """Format bounds, of which None is not known.

    >>> extent(0.1, 0.25), extent(None, 0.25), extent(0.1, None), extent(None, None)
    ('0.100 to 0.250', 'at most 0.250', 'at least 0.100', 'bounds not known')
    """
    match low, high:
        case None, None:
            return _("bounds not known")
        case None, _known:
            return _("at most {high}", high=figure(high))
        case _known, None:
            return _("at least {low}", low=figure(low))
        case _:
            return _("{low} to {high}", low=figure(low), high=figure(high))


def moved(value: float) -> str:
    """Format a score's change with two significant digits, or as below 0.0001.

    >>> [moved(value) for value in (0.0471, 0.00031, 0.00001, 0.0, 1234.5)]
    ['0.047', '0.00031', '< 0.0001', '0', '1,234']
    """
    if value and abs(value) < 0.0001:
        return "< 0.0001"
    return f"{value:.2g}" if abs(value) < 100 else figure(value)


def chance(probability: float | None) -> str:
    """Format a probability, or show that it is below 0.0001.

    >>> [chance(value) for value in (0.0421, 2e-173, None)]
    ['0.0421', '< 0.0001', 'n/a']
    """
    return "< 0.0001" if probability is not None and probability < 0.0001 else figure(probability)


def share(part: float) -> str:
    """Format a share as a percentage; only exact shares read as 0 % or 100 %.

    >>> [share(value) for value in (0.0, 0.00001, 0.0006, 0.25, 0.99999, 1.0)]
    ['0 %', '< 0.01 %', '0.06 %', '25 %', '> 99.99 %', '100 %']
    """
    if 0 < part < 0.0001:
        return "< 0.01 %"
    if 0.9999 < part < 1:
        return "> 99.99 %"
    digits = 0 if part in {0, 1} or 0.1 <= part <= 0.9 else 2
    return f"{part:.{digits}%}".replace("%", " %").replace(".00 ", " ")


def seconds(value: float) -> str:
    """Format a time in a suitable unit.

    >>> [seconds(value) for value in (0.0, 0.000003, 0.0123, 1.5, 250)]
    ['0 ms', '< 1 ms', '12 ms', '1.5 s', '250 s']
    """
    if 0 < value < 0.001:
        return "< 1 ms"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.3g} s"


def size(bytes_: int) -> str:
    """Format a file's size.

    >>> [size(value) for value in (512, 846_210, 3_900_000_000)]
    ['512 B', '846 kB', '3.9 GB']
    """
    value, unit = float(bytes_), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.3g} {unit}"


def day(value: date | None) -> str:
    """Format a day with its year.

    >>> day(date(2013, 7, 8))
    '8 Jul 2013'
    """
    if value is None:
        return NONE
    return f"{value.year}年{value.month}月{value.day}日" if language() == CHINESE else f"{value.day} {value:%b %Y}"


def short_day(value: date) -> str:
    """Format a day on an axis.

    >>> short_day(date(2013, 7, 8))
    '8 Jul'
    """
    return f"{value.month}月{value.day}日" if language() == CHINESE else f"{value.day} {value:%b}"


def moment(value: datetime) -> str:
    """Format a moment to the minute, in UTC.

    >>> moment(datetime(2013, 7, 8, 9, 5, tzinfo=UTC))
    '8 Jul 2013, 09:05 UTC'
    """
    utc = value.astimezone(UTC)
    return f"{day(utc)}{' ' if language() == CHINESE else ', '}{utc:%H:%M} UTC"


_METRICS = {"auc": "AUC", "ece": "ECE", "f1": "F1", "mae": "MAE", "mape": "MAPE", "r2": "R²", "rmse": "RMSE"}


def metric_name(metric: str) -> str:
    """Return a metric's name as people write it.

    >>> metric_name("auc"), metric_name("log_loss"), metric_name("cost")
    ('AUC', 'log loss', 'cost per row')
    """
    if metric == COST:
        return _("cost per row")
    if metric == PREDICTED_POSITIVE:
        return _("share predicted positive")
    return _METRICS.get(metric) or coded(metric)


def column_name(column: ColumnDrift) -> str:
    """Return the name of a column of drift: a feature's own, or what else was judged."""
    match column.column:
        case "feature":
            return column.feature
        case "score":
            return _("output: {name}", name=column.feature)
    return metric_name(column.feature)


def breakable(name: str) -> Markup:
    """Let a narrow page break a path or another long name between its parts.

    >>> breakable("june/new_rows.csv")
    Markup('june/<wbr>new_<wbr>rows.<wbr>csv')
    """
    return Markup("<wbr>").join(_PARTS.findall(name))


def verdict(decision: Verdict) -> str:
    """Return the gate's verdict on a version in words."""
    return _("let in") if decision is Verdict.PROMOTE else _("kept out")


def sentences(*texts: str) -> str:
    """Join sentences; empty ones are left out.

    >>> sentences("One.", "", "Two.")
    'One. Two.'
    """
    return ("" if language() == CHINESE else " ").join(filter(None, texts))
