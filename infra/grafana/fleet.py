"""The fleet's page: every model, and whether anybody watches them."""

from functions.shared.domain.metrics import (
    ALERTS,
    BATCH_ERRORS,
    BATCH_SECONDS,
    CHALLENGER_SHARE,
    CHAMPION_AGE,
    DRIFTED_COLUMNS,
    GIGABYTE_SECONDS,
    LABEL_COVERAGE,
    LAST_BATCH_AGE,
    MEASURING_DELAY,
    MODELS,
    PERFORMANCE,
    QUEUED_MESSAGES,
    RELEASE_SEQUENCE,
    ROWS_SCORED,
    SILENCE,
    UNSCORED_FILES,
    WAIT,
)
from infra.grafana.page import Look, Page, Panel, Section
from infra.grafana.query import Query

_CHAMPIONS = {"role": "champion", "metric": "$metric"}

FLEET = Page(
    name="fleet",
    title="Everscore: all models",
    of_model=False,
    sections=(
        Section(
            "Now",
            (
                Panel(
                    "Models", "That serve. Nothing here means that nobody watches them.", Look.FIGURES, (Query(MODELS, "models"),), width=3
                ),
                Panel("Since any batch", "Of any model that serves.", Look.FIGURES, (Query(SILENCE, "silence"),), "s", width=3),
                Panel(
                    "Uploads without a manifest",
                    "Of the last two days, after an hour; the daily sweep counts them.",
                    Look.FIGURES,
                    (Query(UNSCORED_FILES, "uploads"),),
                    width=4,
                    levels=(1,),
                ),
                Panel(
                    "Waiting messages",
                    "By queue. Those in a dead letter queue wait for a person.",
                    Look.FIGURES,
                    (Query(QUEUED_MESSAGES, "{queue}"),),
                    width=7,
                ),
                Panel("Alerts", "Of the last day.", Look.FIGURES, (Query(ALERTS, "{model}: {kind}"),), width=7, levels=(1,)),
            ),
        ),
        Section(
            "How they do",
            (
                Panel(
                    "Performance of champions",
                    "Of the newest event day with labels.",
                    Look.LINES,
                    (Query(PERFORMANCE, "{model}", _CHAMPIONS),),
                ),
                Panel("Labelled", "Share of an event day's rows.", Look.LINES, (Query(LABEL_COVERAGE, "{model}"),), "percentunit"),
                Panel("Drifted columns", "Over the pooled last batches.", Look.LINES, (Query(DRIFTED_COLUMNS, "{model}"),)),
                Panel("Age of the champion", "Since its training was decided on.", Look.LINES, (Query(CHAMPION_AGE, "{model}"),), "s"),
                Panel("Release", "Number of the release that serves.", Look.LINES, (Query(RELEASE_SEQUENCE, "{model}"),)),
                Panel(
                    "On trial", "Share of rows that a challenger answers.", Look.LINES, (Query(CHALLENGER_SHARE, "{model}"),), "percentunit"
                ),
            ),
        ),
        Section(
            "What they do",
            (
                Panel("Rows scored", "In each step.", Look.BARS, (Query(ROWS_SCORED, "{model}"),)),
                Panel(
                    "Failed batches",
                    "By the error's code, which docs/formats.md explains.",
                    Look.BARS,
                    (Query(BATCH_ERRORS, "{model}: {code}"),),
                ),
                Panel("Since the last batch", "", Look.LINES, (Query(LAST_BATCH_AGE, "{model}"),), "s"),
                Panel("Time of a batch", "95 of 100 take less.", Look.LINES, (Query(BATCH_SECONDS, "{model}", quantile=0.95),), "s"),
                Panel(
                    "Waiting",
                    "From a file's upload until it is scored, and from then until it is measured; 95 of 100 wait less.",
                    Look.LINES,
                    (Query(WAIT, "{model}: to be scored", quantile=0.95), Query(MEASURING_DELAY, "{model}: to be measured", quantile=0.95)),
                    "s",
                ),
                Panel("GB-seconds", "What Lambda charges scoring by.", Look.BARS, (Query(GIGABYTE_SECONDS, "{model}"),)),
            ),
        ),
    ),
)
