"""A model's page.

It shows champion against challenger, estimate against truth, drift, and what its batches bring.
"""

from collections.abc import Mapping

from functions.shared.domain.metrics import (
    ALERTS,
    APPROVAL_AGE,
    BATCH_ERRORS,
    BATCH_SECONDS,
    BATCHES,
    BYTES_IN,
    BYTES_OUT,
    CHALLENGER_SHARE,
    CHAMPION_AGE,
    DRIFT,
    DRIFTED_COLUMNS,
    ESTIMATED,
    ESTIMATED_HIGH,
    ESTIMATED_LOW,
    ESTIMATES_BORNE_OUT,
    ESTIMATES_COMPARED,
    ESTIMATES_REFUSED,
    GIGABYTE_SECONDS,
    HELD_ESTIMATE,
    HELD_ESTIMATE_HIGH,
    HELD_ESTIMATE_LOW,
    HELD_TRUTH,
    LABEL_COVERAGE,
    LABELS,
    LABELS_REFUSED,
    LABELS_UNMATCHED,
    LAST_BATCH_AGE,
    PERFORMANCE,
    PERFORMANCE_HIGH,
    PERFORMANCE_LOW,
    PREDICTED_POSITIVE,
    PREDICTED_POSITIVE_EXPECTED,
    PREDICTION_SECONDS,
    READ_SECONDS,
    RELEASE_SEQUENCE,
    ROWS_IN,
    ROWS_QUARANTINED,
    ROWS_SCORED,
    WAIT,
    WRITE_SECONDS,
    Metric,
)
from functions.shared.domain.performance.error_curve import COST
from infra.grafana.page import Look, Page, Panel, Section
from infra.grafana.query import MODEL, Query

_MEASURED = MODEL | {"metric": "$metric"}
_STAGES = {"read": READ_SECONDS, "predict": PREDICTION_SECONDS, "write": WRITE_SECONDS, "in all": BATCH_SECONDS}

USUAL_PSI = (0.1, 0.25)
"""Where PSI is commonly called noticeable and large. Whether a column drifted is decided otherwise: see docs/monitoring.md."""


def _figure(title: str, explained: str, metric: Metric, unit: str = "short") -> Panel:
    return Panel(title, explained, Look.FIGURES, (Query(metric, title.lower(), MODEL),), unit, width=4)


def _rivals(title: str, explained: str, where: Mapping[str, str]) -> Panel:
    queries, bands = list[Query](), list[tuple[str, str]]()
    for role in ("champion", "challenger"):
        lower, upper, asked = f"{role}, lower bound", f"{role}, upper bound", {**where, "role": role}
        queries += [Query(PERFORMANCE_LOW, lower, asked), Query(PERFORMANCE_HIGH, upper, asked), Query(PERFORMANCE, role, asked)]
        bands.append((upper, lower))
    return Panel(title, explained, Look.LINES, tuple(queries), width=12, bands=tuple(bands))


_NOW = Section(
    "Now",
    (
        _figure("Release", "Number of the release that serves; each change of what is served has the next.", RELEASE_SEQUENCE),
        _figure("On trial", "Share of rows that a challenger answers.", CHALLENGER_SHARE, "percentunit"),
        _figure("Age of the champion", "Since its training was decided on.", CHAMPION_AGE, "s"),
        _figure("Since the last batch", "", LAST_BATCH_AGE, "s"),
        _figure("Drifted columns", "Over the pooled last batches.", DRIFTED_COLUMNS),
        Panel("Alerts", "Of the last day, by kind.", Look.FIGURES, (Query(ALERTS, "{kind}", MODEL),), width=4, levels=(1,)),
        Panel(
            "Waiting for approval",
            "The version that `everscore approve` or `reject` decides on, and for how long it has waited.",
            Look.FIGURES,
            (Query(APPROVAL_AGE, "version {version}", MODEL),),
            "s",
            width=4,
            levels=(1,),
        ),
    ),
)

_PERFORMANCE = Section(
    "Performance",
    (
        _rivals(
            "Champion against challenger",
            "From labels, of the newest event day when they came; both score all rows. The bounds hold 95 % and stand for the "
            "model's own metric and for the cost per row.",
            _MEASURED,
        ),
        Panel(
            "Estimate before labels",
            "What each batch is thought to do before its labels come. Where the estimate refuses, nothing is shown.",
            Look.LINES,
            (
                Query(ESTIMATED_LOW, "estimate, lower bound", _MEASURED),
                Query(ESTIMATED_HIGH, "estimate, upper bound", _MEASURED),
                Query(ESTIMATED, "estimate", _MEASURED),
            ),
            width=12,
            bands=(("estimate, upper bound", "estimate, lower bound"),),
        ),
        Panel(
            "Estimate against truth",
            "Log loss of the newest batch whose labels count as complete: what was thought of its rows, and what their labels said.",
            Look.LINES,
            (
                Query(HELD_ESTIMATE_LOW, "estimate, lower bound", MODEL),
                Query(HELD_ESTIMATE_HIGH, "estimate, upper bound", MODEL),
                Query(HELD_ESTIMATE, "estimate", MODEL),
                Query(HELD_TRUTH, "truth", MODEL),
            ),
            width=12,
            bands=(("estimate, upper bound", "estimate, lower bound"),),
        ),
        Panel(
            "Estimates",
            "Of the last mature batches, those compared with their labels and those borne out; and batches without an estimate.",
            Look.BARS,
            (
                Query(ESTIMATES_COMPARED, "compared", MODEL),
                Query(ESTIMATES_BORNE_OUT, "borne out", MODEL),
                Query(ESTIMATES_REFUSED, "refused", MODEL),
            ),
            width=12,
        ),
        Panel(
            "All metrics of the champion",
            "Of the newest event day when labels came.",
            Look.LINES,
            (Query(PERFORMANCE, "{metric}", MODEL | {"role": "champion"}),),
            width=12,
        ),
        _rivals(
            "Cost per row",
            "What wrong answers cost by the policy's `decision.costs`, of the newest event day when labels came. Where `gate.metric` is "
            "`cost`, the gate compares it. Without costs nothing is shown.",
            MODEL | {"metric": COST},
        ),
        Panel(
            "Labels",
            "That came, those that were given up after two days, and those that a regression cannot be measured by.",
            Look.BARS,
            (
                Query(LABELS, "came", MODEL),
                Query(LABELS_UNMATCHED, "belong to no row", MODEL),
                Query(LABELS_REFUSED, "no number", MODEL),
            ),
            width=12,
        ),
        Panel(
            "Labelled", "Share of an event day's rows.", Look.LINES, (Query(LABEL_COVERAGE, "labelled", MODEL),), "percentunit", width=12
        ),
    ),
)

_DRIFT = Section(
    "Drift",
    (
        Panel(
            "Drift by column",
            "PSI of the pooled last batches against training, of the columns that moved furthest. Which of them moves the scores, "
            "the alert and the report say.",
            Look.CELLS,
            (Query(DRIFT, "{column}", MODEL),),
            width=16,
            levels=USUAL_PSI,
        ),
        Panel("Drifted columns", "Set apart from chance and from ordinary days.", Look.BARS, (Query(DRIFTED_COLUMNS, "columns", MODEL),)),
        Panel(
            "Predicted positive",
            "Share of each batch's rows, and what the threshold in force predicts of the rows that the champion was measured on.",
            Look.LINES,
            (Query(PREDICTED_POSITIVE, "predicted", MODEL), Query(PREDICTED_POSITIVE_EXPECTED, "expected", MODEL)),
            "percentunit",
            width=24,
        ),
    ),
)

_BATCHES = Section(
    "Batches",
    (
        Panel(
            "Rows",
            "Those read are those scored and those set aside: none is lost.",
            Look.LINES,
            (Query(ROWS_IN, "read", MODEL), Query(ROWS_SCORED, "scored", MODEL)),
        ),
        Panel("Rows set aside", "By reason, which docs/formats.md explains.", Look.BARS, (Query(ROWS_QUARANTINED, "{reason}", MODEL),)),
        Panel(
            "Batches",
            "By status, and failed ones by the error's code.",
            Look.BARS,
            (Query(BATCHES, "{status}", MODEL), Query(BATCH_ERRORS, "{code}", MODEL)),
        ),
        Panel(
            "Time by stage",
            "Of half of all batches. Stages overlap, so they don't add up.",
            Look.LINES,
            tuple(Query(metric, stage, MODEL, quantile=0.5) for stage, metric in _STAGES.items()),
            "s",
        ),
        Panel(
            "Time spent predicting",
            "Half of all batches take less than the lower line, 95 of 100 less than the upper.",
            Look.LINES,
            tuple(Query(PREDICTION_SECONDS, f"{quantile:.0%}", MODEL, quantile) for quantile in (0.5, 0.95)),
            "s",
        ),
        Panel(
            "Waiting before they are scored",
            "95 of 100 batches wait less.",
            Look.LINES,
            (Query(WAIT, "waiting", MODEL, quantile=0.95),),
            "s",
        ),
        Panel("Bytes", "", Look.LINES, (Query(BYTES_IN, "read", MODEL), Query(BYTES_OUT, "written", MODEL)), "bytes"),
        Panel("GB-seconds", "What Lambda charges scoring by.", Look.BARS, (Query(GIGABYTE_SECONDS, "GB-seconds", MODEL),)),
    ),
)

MODEL_PAGE = Page("model", "Everscore: a model", of_model=True, sections=(_NOW, _PERFORMANCE, _DRIFT, _BATCHES))
