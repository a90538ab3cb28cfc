"""A day is a day in the model's zone, wherever days are counted; and in UTC, where days were those of UTC from the beginning."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.retraining.training_set import DAY, labelled_days, labelled_on
from functions.shared.domain import layout
from functions.shared.domain.performance.days import DayPerformance
from functions.shared.repositories.documents import read_document
from infra.cli.scored_rows import Days, _on_days
from tests.fakes import memory_store
from tests.fakes.documents import serve
from tests.fakes.remembered import HEADER, Life
from tests.fakes.versions import MODEL, make_version

FIRST, SECOND = date(2013, 4, 1), date(2013, 4, 2)
TIMES = ["2013-04-01T00:00:00", "2013-04-01T23:59:59", "2013-04-02T00:00:00", "2013-04-02T23:59:59"]
"""As a clock in Shanghai shows them, which is eight hours ahead: three of them are on the UTC day before, or on the first."""


def lived(day_zone: str, **described: str | None) -> Life:
    life = Life()
    serve(life.store, make_version(timezone="Asia/Shanghai", day_zone=day_zone, **described))
    rows = [f"r{number},{time},1.5,north,true,seen" for number, time in enumerate(TIMES)]
    life.score(life.upload(f"batches/{MODEL}/april.csv", "\n".join([HEADER, *rows]) + "\n"))
    return life


def days_of(life: Life) -> dict[str, dict[date, int]]:
    """Rows by day in each place that keeps days."""
    [manifest] = life.manifests().values()
    days = labelled_days(MODEL, life.store)
    performances = [read_document(life.store, DayPerformance, layout.performance_key(MODEL, day)) for day in days]
    spec = make_version(timezone="Asia/Shanghai", day_zone="Asia/Shanghai").spec
    return {
        "manifest": dict(manifest.event_days),
        "labelled": {day: sum(table.num_rows for table in labelled_on(spec, day, life.store)) for day in days},
        "learnt": {table[DAY][0].as_py(): table.num_rows for day in days for table in labelled_on(spec, day, life.store)},
        "performance": {day: found.rows_predicted for day, found in zip(days, performances, strict=True) if found and found.rows_labelled},
    }


@pytest.mark.parametrize(
    ("day_zone", "expected"),
    [("Asia/Shanghai", {FIRST: 2, SECOND: 2}), ("UTC", {date(2013, 3, 31): 1, FIRST: 2, SECOND: 1})],
)
@pytest.mark.parametrize("has_time", [True, False])
def test_scored_rows_their_labels_and_their_performance_are_of_the_same_days(
    day_zone: str,
    expected: dict[date, int],
    has_time: bool,  # noqa: FBT001
) -> None:
    life = lived(day_zone)
    labels = [f"r{number},{time},yes" if has_time else f"r{number},yes" for number, time in enumerate(TIMES)]
    life.label("april.csv", "\n".join(["id,at,bought" if has_time else "id,bought", *labels]) + "\n")
    assert days_of(life) == dict.fromkeys(("manifest", "labelled", "learnt", "performance"), expected)


def test_rows_of_days_are_fetched_by_the_same_days() -> None:
    life = lived("Asia/Shanghai")
    [manifest] = life.manifests().values()
    spec = make_version(timezone="Asia/Shanghai", day_zone="Asia/Shanghai").spec
    [rows] = pq.read_table(pa.BufferReader(life.store.read(manifest.outputs[0].key))).to_batches()
    assert _on_days(rows, Days(SECOND, SECOND), manifest, spec)["id"].to_pylist() == ["r2", "r3"]


@pytest.mark.parametrize(("day_zone", "expected"), [("Asia/Shanghai", 1), ("UTC", 0)])
def test_rows_without_a_time_are_of_the_day_on_which_they_arrive_there(
    day_zone: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_store, "EPOCH", datetime(2013, 4, 1, 20, tzinfo=UTC))
    life = Life()
    serve(life.store, make_version(timezone="Asia/Shanghai", day_zone=day_zone, time_column=None))
    manifest = life.score(life.upload(f"batches/{MODEL}/april.csv", f"{HEADER}\nr0,,1.5,north,true,seen\n"))
    assert dict(manifest.event_days) == {FIRST + timedelta(days=expected): 1}
