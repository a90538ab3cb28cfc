"""How long much takes, worked out by hand from figures and quotas that are easy to reckon with."""

import pytest
import typer
from typer.testing import CliRunner

from functions.shared.domain.errors import InputError
from infra.cli.cost import app, whole_number
from infra.cost.deployed import Deployed, Function
from infra.cost.estimate import Basis, Load
from infra.cost.prices import Price, Prices
from infra.cost.quotas import Quota, Quotas, listed_quotas
from infra.cost.scale import OVERHEAD_S, ScaleSettings, forecast, many_files, one_file, partitions_of, template_settings
from infra.cost.speed import ColdStarts, Measured, Stages, TableSeconds

MB = 2**20
FIGURES = Measured(
    stages=Stages(
        date="2026-01-01",
        machine="a machine",
        rows=1_000_000,
        columns=10,
        input_bytes=100 * MB,
        seconds={"boosting": {"start and import": 9.0, "load the model": 0.5, "parse": 3.0, "predict": 1.0}},
    ),
    cold_starts=ColdStarts(date="2026-01-01", machine="a machine", image_mb=500, seconds={"scoring": 2.0}),
    tables=TableSeconds(date="2026-01-01", machine="a machine", start_s=1.5, commit_s=0.5, compare_s=0.1),
)
PRICES = Prices(
    as_of="2026-01",
    region="nowhere",
    **{name: Price(dollars=1.0, source="made up") for name in Prices.model_fields if name not in {"as_of", "region"}},  # type: ignore[arg-type]
)
BASIS = Basis(FIGURES, PRICES, Deployed({"scoring": Function(1769, 0)}, "x86_64", 2, 7, 7, traced=True))
SETTINGS = ScaleSettings(partition_mb=100, partition_above_mb=200, partition_concurrency=5, scoring_concurrency=4, scoring_memory_mb=1769)


def quotas(**amounts: int) -> Quotas:
    """Quotas that let everything through, but for some."""
    wide = {name: 10**9 for name in Quotas.model_fields if name != "as_of"}
    made = {name: Quota(amount=amount, unit="u", source="made up", adjustable=False) for name, amount in (wide | amounts).items()}
    return Quotas(as_of="2026-01", **made)


def test_a_large_file_takes_its_partitions_by_those_that_run_at_once() -> None:
    # A thousand million rows of 100 MB a million: 1,000 partitions of (3 + 1) s, five at once: 800 s; 2 s to start, 1 + 20 s to commit.
    found = one_file(Load(10**9, 10, files=1), BASIS, quotas(), SETTINGS)
    assert (found.units, found.seconds_a_unit) == (1000, pytest.approx(4.0))
    assert found.limits[0].moved_by == "PartitionConcurrency"
    assert found.seconds == pytest.approx(800 + 2 + 1 + 20)


@pytest.mark.parametrize(("files", "partitions"), [(10**9 // 1_000_000, 0), (100, 1000), (1, 1000)])
def test_files_are_scored_in_partitions_only_above_the_threshold(files: int, partitions: int) -> None:
    assert partitions_of(Load(10**9, 10, files=files), BASIS, SETTINGS) == partitions


def test_a_file_that_is_larger_than_an_object_may_be_is_refused_with_the_remedy() -> None:
    refused = CliRunner().invoke(app, ["--rows", "1e13", "--files", "1"]).exception
    assert isinstance(refused, InputError)
    assert "--files" in str(refused)


def test_a_file_takes_no_less_than_one_of_its_partitions() -> None:
    found = one_file(Load(1_000_000, 10, files=1), BASIS, quotas(), SETTINGS)
    assert found.seconds == pytest.approx(4.0 + 2 + 1 + 0.02)


def test_what_is_narrowest_is_named_first_with_what_moves_it() -> None:
    found = one_file(Load(10**9, 10, files=1), BASIS, quotas(lambda_concurrency=3), SETTINGS)
    assert (found.limits[0].what, found.limits[0].units_per_s) == ("functions of the account", pytest.approx(3 / 4.0))
    assert [limit.units_per_s for limit in found.limits] == sorted(limit.units_per_s for limit in found.limits)


def test_functions_come_up_by_and_by() -> None:
    many = ScaleSettings(
        partition_mb=100, partition_above_mb=200, partition_concurrency=2500, scoring_concurrency=4, scoring_memory_mb=1769
    )
    # 2,500 functions at 1,000 every ten seconds: the last come up after 20 s.
    found = one_file(Load(10**9, 10, files=1), BASIS, quotas(lambda_ramp_per_10_s=1000), many)
    assert found.start_s == pytest.approx(20 + 2)


def test_many_files_cost_what_a_file_costs_on_top_of_its_rows() -> None:
    # A thousand files of a thousand rows: 4 ms of work and the rest; four at once.
    found = many_files(Load(1_000_000, 10, files=1000), BASIS, quotas(sqs_first_functions=5, sqs_ramp_per_minute=300), SETTINGS)
    assert found.seconds_a_unit == pytest.approx(0.004 + OVERHEAD_S)
    assert found.units_an_hour == pytest.approx(3600 * 4 / (0.004 + OVERHEAD_S))
    assert found.limits[0].moved_by == "ScoringConcurrency"


@pytest.mark.parametrize(("files", "unit"), [(500, "files"), (499, "partitions of each file")])
def test_files_above_the_templates_size_are_reckoned_in_partitions(files: int, unit: str) -> None:
    assert forecast(Load(10**9, 10, files=files), BASIS, quotas(), SETTINGS)[1] == unit


def test_the_templates_settings_are_what_a_forecast_begins_with() -> None:
    assert template_settings().partition_mb < template_settings().partition_above_mb
    assert template_settings(77).partition_concurrency == template_settings(77).scoring_concurrency == 77
    assert all(listed.source for name, listed in listed_quotas() if name != "as_of")


@pytest.mark.parametrize(("text", "number"), [("1e9", 10**9), ("30", 30), ("2.5e3", 2500)])
def test_a_number_of_rows_may_be_written_shortly(text: str, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "inf", "nan", "1e16"])
def test_what_is_no_number_of_rows_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        whole_number(text)
