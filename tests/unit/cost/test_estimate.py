"""What things cost, worked out by hand from figures and prices that are easy to reckon with."""

import re
from dataclasses import replace

import pytest

from functions.shared.domain.metrics import CATALOGUE, Occasion
from infra.cost.deployed import Deployed, Function, deployed, starts_a_month
from infra.cost.estimate import (
    GETS_A_BATCH,
    GETS_A_COMMIT,
    GETS_A_COMPARISON,
    GETS_A_LABEL_COMMIT,
    GETS_A_LABEL_FILE,
    GLUE_A_COMMIT,
    GLUE_A_COMPARISON,
    GLUE_A_LABEL_COMMIT,
    PUTS_A_BATCH,
    PUTS_A_COMMIT,
    PUTS_A_COMPARISON,
    PUTS_A_LABEL_COMMIT,
    PUTS_A_LABEL_FILE,
    Basis,
    Load,
    additions,
    idle_month,
    labels_bill,
    scoring_bill,
    scoring_seconds,
    tables_bill,
    watching_bill,
)
from infra.cost.prices import Price, Prices, listed_prices
from infra.cost.series import all_series, ticked_series
from infra.cost.speed import ColdStarts, Measured, Stages, TableSeconds, measured
from infra.local.transformation import read_template
from infra.places import ROOT

FIGURES = Measured(
    stages=Stages(
        date="2026-01-01",
        machine="a machine",
        rows=1_000_000,
        columns=10,
        input_bytes=80 * (1 << 20),
        seconds={"boosting": {"start and import": 9.0, "load the model": 0.5, "parse": 2.0, "predict": 1.0}},
    ),
    cold_starts=ColdStarts(date="2026-01-01", machine="a machine", image_mb=500, seconds={"metric_emission": 2.0, "release": 4.0}),
    tables=TableSeconds(date="2026-01-01", machine="a machine", start_s=1.5, commit_s=0.5, compare_s=0.1),
)
ONE_DOLLAR_EACH = Prices(
    as_of="2026-01",
    region="nowhere",
    **{name: Price(dollars=1.0, source="made up") for name in Prices.model_fields if name not in {"as_of", "region"}},  # type: ignore[arg-type]
)
STACK = Deployed(
    functions={
        "scoring": Function(2048, 0),
        "metric_emission": Function(1024, 10),
        "release": Function(512, 100),
        "cataloguing": Function(2048, 0),
    },
    architecture="x86_64",
    polled_queues=2,
    alarms=5,
    alarm_metrics=7,
    traced=True,
)
BASIS = Basis(FIGURES, ONE_DOLLAR_EACH, STACK)


def test_seconds_grow_with_rows_and_columns_and_a_file_adds_the_loading_of_its_model() -> None:
    # 2 million rows of 20 columns: (2 + 1) s twice twice, and three times 0.5 s; starting is paid once by a warm function.
    assert scoring_seconds(Load(2_000_000, 20, files=3), FIGURES, 1769) == pytest.approx(13.5)


@pytest.mark.parametrize(("memory_mb", "seconds"), [(1769, 3.5), (10240, 3.5), (884.5, 7.0)])
def test_less_memory_than_a_processor_has_is_slower_and_more_is_not_faster(memory_mb: float, seconds: float) -> None:
    assert scoring_seconds(Load(1_000_000, 10, files=1), FIGURES, memory_mb) == pytest.approx(seconds)  # type: ignore[arg-type]


def test_an_idle_month_is_alarms_ticks_waiting_and_storage() -> None:
    amounts = {line.what: line.amount for line in idle_month(BASIS, models=2).lines}
    # Two queues, five connections, each asking three times a minute for 730 hours.
    assert amounts["waiting at the queues, requests"] == 2 * 5 * 3 * 60 * 730
    # 10 ticks of 2 s in 1 GB and 100 of 4 s in half a GB.
    assert amounts["ticks, GB-seconds, each a cold start"] == pytest.approx(10 * 2 * 1 + 100 * 4 * 0.5)
    assert (amounts["alarms, by metrics that they look at"], amounts["ticks, calls"], amounts["ticks, schedules"]) == (7, 110, 110)
    assert amounts["ticks, traces"] == 110
    assert amounts["metrics of the hourly tick"] == ticked_series(2)
    assert amounts["images in the repository, GB at most"] == pytest.approx(0.5 * 0.4 * 5)


def test_what_every_account_has_for_nothing_is_shown_apart() -> None:
    three_alarms_free = ONE_DOLLAR_EACH.model_copy(update={"cloudwatch_alarm_month": Price(dollars=0.1, source="made up", free=3)})
    bill = idle_month(Basis(FIGURES, three_alarms_free, STACK), models=1)
    assert bill.dollars - bill.dollars_beyond_free == pytest.approx(3 * 0.1)
    more_than_used = three_alarms_free.model_copy(update={"cloudwatch_alarm_month": Price(dollars=0.1, source="made up", free=30)})
    bill = idle_month(Basis(FIGURES, more_than_used, STACK), models=1)
    assert bill.dollars - bill.dollars_beyond_free == pytest.approx(7 * 0.1)


def test_rows_cost_time_requests_and_storage() -> None:
    bill = scoring_bill(Load(1_000_000, 10, files=2), BASIS)
    amounts = {line.what: line.amount for line in bill.lines}
    assert amounts["scoring, GB-seconds"] == pytest.approx((3.0 + 2 * 0.5) * 2)
    assert amounts["measuring, GB-seconds"] == pytest.approx(2 * 2.0)
    assert amounts["reads from S3"] == 2 * GETS_A_BATCH + 20, "80 MiB are read 4 MiB at a time"
    assert amounts["writes to S3"] == 2 * PUTS_A_BATCH + 5, "half as much is written 8 MiB at a time"
    assert bill.dollars == pytest.approx(sum(amounts.values())), "at a dollar each"


def test_partitions_cost_calls_loads_transitions_and_requests_of_their_own() -> None:
    load = Load(1_000_000, 10, files=1)
    whole, parted = ({line.what: line.amount for line in scoring_bill(load, BASIS, partitions=count).lines} for count in (0, 100))
    more = {what: parted[what] - whole[what] for what in whole if parted[what] != whole[what]}
    assert more == {
        "scoring, GB-seconds": pytest.approx(99 * 0.5 * 2),
        "calls": 100 + 2,
        "traces at most": 100 + 2,
        "state transitions of partitions": 100 * 3 + 10,
        "writes to S3": 100 * 3,
        "reads from S3": 100 * 8,
        "GB of logs": pytest.approx(102 * 2000 / 1e9),
    }


def test_each_file_of_labels_costs_a_start_a_message_and_its_requests() -> None:
    bill = labels_bill(Load(1, 10, label_files=3), BASIS)
    amounts = {line.what: line.amount for line in bill.lines}
    assert amounts == {
        "measuring, GB-seconds": pytest.approx(3 * 2.0 * 1),
        "calls": 3,
        "traces at most": 3 * STACK.traced,
        "writes to S3": 3 * PUTS_A_LABEL_FILE,
        "reads from S3": 3 * GETS_A_LABEL_FILE,
        "messages": 3 * 4,
        "events": 3,
        "GB of logs": pytest.approx(3 * 2000 / 1e9),
    }
    assert labels_bill(Load(1, 10), BASIS).dollars == 0


def test_tables_cost_a_start_per_batch_and_file_of_labels_and_an_hourly_look() -> None:
    amounts = {line.what: line.amount for line in tables_bill(Load(1, 10, files=5, models=2, label_files=3), BASIS).lines}
    calls = 5 + 3
    assert amounts == {
        "cataloguing, GB-seconds": pytest.approx((calls * 2.0 + 2 * 730 * 0.1) * 2),
        "calls": calls,
        "traces at most": calls,
        "writes to S3": 5 * PUTS_A_COMMIT + 3 * PUTS_A_LABEL_COMMIT + 2 * 730 * PUTS_A_COMPARISON,
        "reads from S3": 5 * GETS_A_COMMIT + 3 * GETS_A_LABEL_COMMIT + 2 * 730 * GETS_A_COMPARISON,
        "requests to AWS Glue": 5 * GLUE_A_COMMIT + 3 * GLUE_A_LABEL_COMMIT + 2 * 730 * GLUE_A_COMPARISON,
        "messages": (5 + 2 * 3) * 4,
        "events": 5 + 2 * 3,
        "GB of logs": pytest.approx(calls * 2000 / 1e9),
    }


def test_metrics_are_paid_for_by_the_hour_and_never_for_more_than_a_month() -> None:
    series = all_series(1, 10) - ticked_series(1)
    assert watching_bill(Load(1, 10, files=73), ONE_DOLLAR_EACH).dollars == pytest.approx(series / 10)
    assert watching_bill(Load(1, 10, files=5000), ONE_DOLLAR_EACH).dollars == series


def test_what_a_tick_reports_is_once_of_the_stack_or_once_of_each_model() -> None:
    ticked = [metric for metric in CATALOGUE if metric.occasion is Occasion.TICK]
    of_a_model = sum("model" in metric.dimensions for metric in ticked)
    assert ticked_series(5) - ticked_series(4) >= of_a_model > 0
    assert ticked_series(0) >= len(ticked) - of_a_model > 0


def test_every_metric_of_the_catalogue_is_counted() -> None:
    of_models = sum("model" in metric.dimensions for metric in CATALOGUE)
    none, one, two = (all_series(models, 10) for models in (0, 1, 2))
    assert none >= len(CATALOGUE) - of_models > 0
    assert two - one == one - none >= of_models


@pytest.mark.parametrize(
    ("schedule", "times"), [("rate(1 hour)", 730), ("rate(15 minutes)", 2920), ("rate(1 day)", 730 / 24), ("cron(30 3 * * ? *)", 730 / 24)]
)
def test_a_schedule_comes_round_so_often_in_a_month(schedule: str, times: float) -> None:
    assert starts_a_month(schedule) == pytest.approx(times)


def test_a_schedule_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="weekly"):
        starts_a_month("weekly")


def test_the_templates_own_schedules_queues_and_alarms_are_counted() -> None:
    stack = deployed()
    assert stack.polled_queues == 5
    assert stack.alarms >= 11
    # CloudFormation's own words: each MetricStat is a metric, and an alarm with a MetricName looks at one.
    text = (ROOT / "template.yaml").read_text()
    assert stack.alarm_metrics == text.count("MetricStat:") + len(re.findall(r"(?m)^      MetricName:", text))
    assert stack.traced == ("Tracing: Active" in text)
    assert stack.functions["release"].starts == 2920
    assert stack.functions["scoring"].starts == 0


def test_what_parameters_of_the_template_may_add_has_its_price_and_its_parameter() -> None:
    """Or its output: whoever reads tables pays for what they read."""
    template = read_template((ROOT / "template.yaml").read_text())
    parameters = template["Parameters"] | template["Outputs"]
    added = additions(ONE_DOLLAR_EACH).lines
    assert all(set(re.findall(r"\b[A-Z][a-z]+[A-Z]\w+", line.what)) & set(parameters) for line in added)
    assert {name for line in added for name in re.findall(r"\b[A-Z][a-z]+[A-Z]\w+", line.what)} <= set(parameters)
    secrets = {name for name in parameters if name.endswith("Secret")}
    assert secrets <= {name for line in added for name in re.findall(r"\w+Secret", line.what)}


def test_a_function_that_was_not_measured_yet_starts_as_slowly_as_the_slowest() -> None:
    """Three starts of 1 GB at the four seconds that release takes."""
    stack = replace(STACK, functions={"newest": Function(1024, 3)})
    [line] = [line for line in idle_month(Basis(FIGURES, ONE_DOLLAR_EACH, stack), models=0).lines if "GB-seconds" in line.what]
    assert line.amount == pytest.approx(12)


def test_an_idle_month_of_one_model_costs_a_few_dollars() -> None:
    assert 1 < idle_month(Basis(measured(), listed_prices(), deployed()), models=1).dollars < 10


def test_each_listed_price_names_the_page_of_aws_and_where_its_figure_was_seen() -> None:
    prices = {name: price for name, price in listed_prices() if isinstance(price, Price)}
    assert len(prices) > 20
    assert {name for name, price in prices.items() if not (price.source.startswith(("AWS ", "Amazon ")) and price.seen)} == set()
